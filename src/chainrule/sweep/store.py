"""The folder that a sweep is kept in: its plan, and one Parquet file for each chunk.

A chunk's file is written whole or not at all, and its name says which runs are in it; so whatever
ends the process, what is there is right, and what is not there is still to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from chainrule.errors import ModelFileError, SettingError
from chainrule.sweep.chunks import Chunk, Results
from chainrule.sweep.plan import Plan, layers_text
from chainrule.training.files import write_text, written_whole

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Store", "frame_of"]

_PLAN = "sweep.json"
_PART = re.compile(r"runs-(\d+)-(\d+)-(\d+)\.parquet")
_FORMAT = "chainrule sweep 1"


class Store:
    """A sweep's folder.

    Raises ModelFileError where it cannot be written to, and SettingError where another sweep is in
    it.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._begin()
        except OSError as error:
            raise ModelFileError(
                f"The folder {folder} cannot be written to ({error.strerror or error}). Name "
                "another with --save."
            ) from None

    def _begin(self) -> None:
        path = self.folder / _PLAN
        ours = {"format": _FORMAT, **self.plan.to_json()}
        if not path.exists():
            write_text(path, json.dumps(ours, indent=1) + "\n")
            return
        try:
            theirs: Any = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            theirs = None
        if theirs != json.loads(json.dumps(ours)):
            raise SettingError(
                f"Another sweep is in {self.folder}. Name another folder with --save, or give the "
                "same command as before to go on with that one."
            )

    def chunks(self) -> list[Chunk]:
        """The chunks that are done."""
        found: list[Chunk] = []
        for path in sorted(self.folder.iterdir()):
            match = _PART.fullmatch(path.name)
            if match is not None:
                found.append(Chunk(*map(int, match.groups())))
        return found

    def gaps(self) -> Iterator[Chunk]:
        """What is still to do: stretches of seeds of each setting, none of them done."""
        done: dict[int, list[Chunk]] = {}
        for chunk in self.chunks():
            done.setdefault(chunk.setting, []).append(chunk)
        end = self.plan.first + self.plan.count
        for setting in range(len(self.plan.settings)):
            at = self.plan.first
            for chunk in sorted(done.get(setting, []), key=lambda each: each.first):
                if chunk.first > at:
                    yield Chunk(setting, at, chunk.first - at)
                at = max(at, chunk.first + chunk.count)
            if at < end:
                yield Chunk(setting, at, end - at)

    def write(self, results: Results) -> None:
        """Write a chunk's results."""
        chunk = results.chunk
        name = f"runs-{chunk.setting}-{chunk.first}-{chunk.count}.parquet"
        with written_whole(self.folder / name) as temporary:
            frame_of(self.plan, results).write_parquet(temporary)

    def frame(self) -> pl.DataFrame:
        """All results so far, in the order of settings and seeds."""
        import polars as pl

        parts = [self._read(chunk) for chunk in self.chunks()]
        if not parts:
            return pl.DataFrame(schema={"setting": pl.UInt32, "seed": pl.Int64})
        whole = pl.concat(parts, how="diagonal_relaxed")
        return whole.unique(["setting", "seed"], keep="first").sort("setting", "seed")

    def _read(self, chunk: Chunk) -> pl.DataFrame:
        import polars as pl

        path = self.folder / f"runs-{chunk.setting}-{chunk.first}-{chunk.count}.parquet"
        try:
            return pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ModelFileError(
                f"{path} cannot be read ({error}). Remove it and give the same command again: its "
                "runs are done once more."
            ) from None


def frame_of(plan: Plan, results: Results) -> pl.DataFrame:
    """A chunk's results as a frame: what varies, and what each run came to."""
    import polars as pl

    chunk, count = results.chunk, len(results)
    columns: dict[str, Any] = {
        "setting": np.full(count, chunk.setting, np.uint32),
        **{name: [_plain(plan.value(chunk.setting, name))] * count for name in plan.varied},
        "seed": np.arange(chunk.first, chunk.first + count),
        "reached": results.outcome == "reached",
        "outcome": pl.Series(results.outcome.tolist(), dtype=pl.String),
        "epochs": results.epochs,
        "loss": results.loss,
        "seconds": np.full(count, results.seconds / max(count, 1)),
    }
    if results.outputs is not None:
        columns["outputs"] = pl.Series(
            results.outputs.astype(np.float64).tolist(), dtype=pl.List(pl.Float64)
        )
    return pl.DataFrame(columns)


def _plain(value: Any) -> Any:
    """A setting as a cell: layers as 4x4, names as they are."""
    if isinstance(value, tuple):
        return layers_text(cast("tuple[Any, ...]", value), "0")
    return value
