"""A picture of a run: its losses, and beside them what suits the data."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from chainrule.data.features import NumberFeature
from chainrule.errors import ChainruleError, SettingError
from chainrule.pictures.agreement import draw_against, draw_counts
from chainrule.pictures.curves import draw_line, draw_losses
from chainrule.pictures.planes import draw_plane
from chainrule.pictures.rows import COUNTED_CLASSES, Rows
from chainrule.training.files import written_whole
from chainrule.training.preparing import Trained

__all__ = ["check_picture_file", "draw_run", "picture"]

_SUFFIXES = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")


def check_picture_file(path: Path) -> None:
    """Refuse, before training, a picture that could not be saved after it."""
    if path.suffix.lower() not in _SUFFIXES:
        raise SettingError(
            f"--plot {path}: a picture's name ends in {', '.join(_SUFFIXES[:3])} or another of "
            f"{', '.join(_SUFFIXES[3:])}."
        )
    if path.is_dir():
        raise SettingError(f"--plot {path} is a folder: name a file.")
    if not path.parent.is_dir():
        raise SettingError(f"--plot {path}: there is no folder {path.parent}. Make it first.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise SettingError(
            f"--plot {path}: the folder {path.parent} cannot be written to ({error.strerror}). "
            "Name another."
        ) from None
    try:
        import matplotlib  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ChainruleError(
            "--plot needs matplotlib, which is not installed: pip install 'chainrule[plot]'"
        ) from None


def draw_run(trained: Trained, path: Path) -> None:
    """Save the loss curve, and beside it what was learned.

    That is the output over the plane of two numbers, or along one; for more inputs the predictions
    against the truth, of numbers as points, of classes as a table of counts.
    """
    drawn = _second(trained)
    with picture(path, 6 if drawn is None else 11.5, 1 if drawn is None else 2) as panels:
        draw_losses(panels[0], trained)
        if drawn is not None:
            drawn(panels[1], Rows(trained))


@contextmanager
def picture(path: Path, width: float, panels: int = 1) -> Generator[Any]:
    """Panels side by side to draw in, ``width`` inches in all, saved at the end of the block.

    Raises SettingError where the file cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = cast(Any, matplotlib).rc_context
    with style({"axes.titlesize": "medium", "legend.frameon": False, "font.size": 10}):
        figure: Any = Figure(figsize=(width, 4.6), layout="constrained")
        drawn: Any = figure.subplots(1, panels, squeeze=False)[0]
        yield drawn
        for axes in drawn:
            axes.spines[["top", "right"]].set_visible(False)
        try:
            with written_whole(path) as temporary:
                figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=150)
        except OSError as error:
            raise SettingError(
                f"--plot {path} cannot be written ({error.strerror or error})."
            ) from None


def _second(trained: Trained) -> Any:
    """How to draw what was learned, or None where it cannot be drawn."""
    preparation = trained.prepared.preparation
    numbers = all(isinstance(feature, NumberFeature) for feature in preparation.features)
    if numbers and preparation.input_count == 2:
        return draw_plane
    if numbers and preparation.input_count == 1 and preparation.output_count == 1:
        return draw_line
    if preparation.labels is None:
        return draw_against
    return draw_counts if len(preparation.labels) <= COUNTED_CLASSES else None
