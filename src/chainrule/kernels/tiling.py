"""How a matrix product is cut into tiles that fit the registers."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.kernels.code import Registers, power_of_two

__all__ = ["Columns", "Tiling", "tiling"]

_TALLEST = 12


@dataclass(frozen=True)
class Columns:
    """Tiles of one width, side by side: where they begin, how many, and their vectors.

    ``widths`` are the vectors' elements, ``valid`` how many of the last one count.
    """

    begin: int
    count: int
    widths: tuple[int, ...]
    valid: int

    @property
    def size(self) -> int:
        """How many columns a tile has."""
        return sum(self.widths[:-1]) + self.valid


@dataclass(frozen=True)
class Tiling:
    """The height of all tiles, how many there are one below the other, and their widths.

    The last tile of a column may lie over the end of the matrix.
    """

    height: int
    count: int
    columns: tuple[Columns, ...]


def tiling(m: int, n: int, lanes: int, registers: Registers) -> Tiling:
    """The tiles for a result of shape (m, n), by what the registers and loads allow.

    >>> tiling(200, 100, 8, Registers(32, 64)).height
    8
    """
    best: tuple[float, Tiling] | None = None
    for vectors in (4, 3, 2, 1):
        columns = _columns(n, vectors, lanes)
        widest = max(len(each.widths) for each in columns)
        most = min((registers.count - widest - 2) // widest, _TALLEST, m)
        for height in range(max(most, 1), 0, -1):
            count = -(-m // height)
            cost = count * sum(each.count * _cycles(height, each.widths, lanes) for each in columns)
            if best is None or cost < best[0]:
                best = cost, Tiling(height, count, columns)
    assert best is not None
    return best[1]


def _columns(n: int, vectors: int, lanes: int) -> tuple[Columns, ...]:
    """Whole tiles, then one of what is left."""
    whole, rest = divmod(n, lanes)
    tiles, more = divmod(whole, vectors)
    columns: list[Columns] = []
    if tiles:
        columns.append(Columns(0, tiles, (lanes,) * vectors, lanes))
    begin = tiles * vectors * lanes
    if rest:
        columns.append(Columns(begin, 1, (*(lanes,) * more, power_of_two(rest)), rest))
    elif more:
        columns.append(Columns(begin, 1, (lanes,) * more, lanes))
    return tuple(columns)


def _cycles(height: int, widths: tuple[int, ...], lanes: int) -> float:
    """About how long one step along the inner axis takes, in multiplications of a full vector."""
    parts = [1.0 if 2 * width > lanes else 0.5 for width in widths]
    multiply = height * sum(parts)
    loads = sum(parts) + 0.5 * height
    return max(multiply, loads, 4.0) + 1.0
