"""The addresses that kernels are given: those of the arrays that they read and write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.kernels.forms import form_of
from chainrule.kernels.fusion import Kernel
from chainrule.kernels.schedule import Place, Schedule

__all__ = ["Addresses"]

Array = NDArray[Any]


class Addresses:
    """A table of addresses for one run of a schedule: for each kernel those of its arrays.

    ``begin`` says where in the table a kernel's addresses are.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.begin: dict[Kernel, int] = {}
        self._places: list[Place] = []
        for kernel in schedule.kernels:
            if kernel.kind != "gate":
                arrays = form_of(kernel, schedule)[1]
                # What stays in registers has no place, and its address is not looked at.
                nowhere = Place(False, 0)
                self.begin[kernel] = self.add([schedule.places.get(x, nowhere) for x in arrays])

    def add(self, places: Sequence[Place]) -> int:
        """More addresses; where they begin."""
        begin = len(self._places)
        self._places.extend(places)
        return begin

    def table(self, arrays: Sequence[Array], scratch: Array) -> NDArray[np.int64]:
        """The addresses, for given arrays and scratch memory."""
        starts = [array.ctypes.data for array in arrays]
        memory = scratch.ctypes.data
        return np.array(
            [
                starts[place.position] if place.in_table else memory + place.position
                for place in self._places
            ],
            np.int64,
        )
