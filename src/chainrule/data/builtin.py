"""The built-in data sets: truth tables, and points drawn from a seed in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.wording import closest, listed, shown
from chainrule.errors import SettingError

__all__ = ["BUILTIN_NAMES", "Dataset", "builtin"]

Task = Literal["classification", "regression"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and targets that are ready for a network.

    ``X`` (n, features) and ``y`` (n, outputs) are float64; ``class_labels`` are the labels that
    0 and 1 in ``y`` stand for, or None where ``task`` is regression.
    """

    name: str
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    task: Task
    feature_names: tuple[str, ...]
    target_name: str
    class_labels: tuple[Any, ...] | None


def builtin(
    name: str,
    *,
    samples: int | None = None,
    bits: int | None = None,
    noise: float | None = None,
    seed: int = 0,
) -> Dataset:
    """The built-in data set of that name; the same arguments give the same bits.

    - ``xor``, ``and``, ``or``: the four rows 00, 01, 10, 11 of the truth table.
    - ``parity``: all 2**bits rows, counted up; the target is 1 where an odd number of the bits
      (4 unless said otherwise) is 1.
    - ``moons``: two half circles of radius 1 that reach into each other; ``circles``: one of
      radius 1/2 in one of radius 1; ``spirals``: two arms of 1¾ turns about the origin.
    - ``sine``: y = sin(x) on an even grid of [-π, π].

    The last four have ``samples`` rows (200), and normal ``noise`` of that standard deviation
    (moons and sine 0.1, circles 0.05, spirals 0.02) added to the points, or to sin(x). Their
    rows stand in a random order drawn from ``seed``.

    Raises SettingError for a name that there is not, and for an option the data set cannot take.

    >>> xor = builtin("xor")
    >>> xor.X.tolist(), xor.y.ravel().tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0])
    """
    if name not in BUILTIN_NAMES:
        names = listed(closest(name, BUILTIN_NAMES), len(BUILTIN_NAMES))
        raise SettingError(
            f"There is no built-in data set {shown(name)}: there are {names}, the closest name "
            "first."
        )
    if name in _DRAWN:
        _refuse(name, "bits", bits, "only parity has bits")
        draw, default_noise = _DRAWN[name]
        count = _whole("samples", 200 if samples is None else samples, 2, 10_000_000)
        spread = _spread(default_noise if noise is None else noise)
        return draw(count, spread, np.random.default_rng(_whole("seed", seed, 0, 2**63 - 1)))
    _refuse(name, "samples", samples, "it is a truth table, with one row for each input")
    _refuse(name, "noise", noise, "it is a truth table")
    if name != "parity":
        _refuse(name, "bits", bits, "only parity has a choice of bits")
        return _truth_table(name, 2)
    return _truth_table(name, _whole("bits", 4 if bits is None else bits, 1, 20))


def _refuse(name: str, option: str, value: object, reason: str) -> None:
    if value is not None:
        raise SettingError(
            f"The data set {name} does not take {option}={shown(value)}, since {reason}: leave "
            f"{option} out."
        )


def _whole(option: str, value: int, least: int, most: int) -> int:
    if isinstance(value, bool) or int(value) != value or not least <= value <= most:
        raise SettingError(
            f"The option {option} is {shown(value)}, and must be a whole number from {least:,} to "
            f"{most:,}."
        )
    return int(value)


def _spread(noise: float) -> float:
    if not 0 <= noise < np.inf:
        raise SettingError(
            f"The option noise is {shown(noise)}, and must be a standard deviation: 0 or more."
        )
    return float(noise)


_RULES: dict[str, Callable[[NDArray[np.int64]], NDArray[np.bool_]]] = {
    "xor": lambda X: X.sum(axis=1) % 2 == 1,
    "and": lambda X: X.sum(axis=1) == X.shape[1],
    "or": lambda X: X.sum(axis=1) > 0,
    "parity": lambda X: X.sum(axis=1) % 2 == 1,
}


def _truth_table(name: str, bits: int) -> Dataset:
    place_values = 2 ** np.arange(bits, dtype=np.int64)[::-1]
    rows = np.arange(2**bits, dtype=np.int64)[:, None] // place_values % 2
    y = _RULES[name](rows)[:, None].astype(np.float64)
    names = tuple(f"x{place}" for place in range(1, bits + 1))
    return Dataset(name, rows.astype(np.float64), y, "classification", names, "y", (0, 1))


def _two_classes(
    name: str,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    noise: float,
    rng: np.random.Generator,
) -> Dataset:
    """Two curves (n0, 2) and (n1, 2) as classes 0 and 1, shuffled, with noise on the points."""
    points = np.concatenate([first, second])
    X = points + noise * rng.standard_normal(points.shape)
    y = np.repeat([0.0, 1.0], [len(first), len(second)])[:, None]
    order = rng.permutation(len(X))
    return Dataset(name, X[order], y[order], "classification", ("x1", "x2"), "y", (0, 1))


def _moons(samples: int, noise: float, rng: np.random.Generator) -> Dataset:
    t0 = np.linspace(0, np.pi, samples - samples // 2)
    t1 = np.linspace(0, np.pi, samples // 2)
    upper = np.column_stack([np.cos(t0), np.sin(t0)])
    lower = np.column_stack([1 - np.cos(t1), 0.5 - np.sin(t1)])
    return _two_classes("moons", upper, lower, noise, rng)


def _circles(samples: int, noise: float, rng: np.random.Generator) -> Dataset:
    t0 = np.linspace(0, 2 * np.pi, samples - samples // 2, endpoint=False)
    t1 = np.linspace(0, 2 * np.pi, samples // 2, endpoint=False)
    outer = np.column_stack([np.cos(t0), np.sin(t0)])
    inner = 0.5 * np.column_stack([np.cos(t1), np.sin(t1)])
    return _two_classes("circles", outer, inner, noise, rng)


def _arm(count: int, turned: float) -> NDArray[np.float64]:
    r = np.linspace(0.05, 1, count)
    angle = 3.5 * np.pi * r + turned
    return r[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def _spirals(samples: int, noise: float, rng: np.random.Generator) -> Dataset:
    first, second = _arm(samples - samples // 2, 0.0), _arm(samples // 2, np.pi)
    return _two_classes("spirals", first, second, noise, rng)


def _sine(samples: int, noise: float, rng: np.random.Generator) -> Dataset:
    x = np.linspace(-np.pi, np.pi, samples)[rng.permutation(samples)][:, None]
    y = np.sin(x) + noise * rng.standard_normal(x.shape)
    return Dataset("sine", x, y, "regression", ("x",), "y", None)


_Draw = Callable[[int, float, np.random.Generator], Dataset]
_DRAWN: dict[str, tuple[_Draw, float]] = {
    "moons": (_moons, 0.1),
    "circles": (_circles, 0.05),
    "spirals": (_spirals, 0.02),
    "sine": (_sine, 0.1),
}

BUILTIN_NAMES = ("xor", "and", "or", "parity", *_DRAWN)
