"""In which order kernels run, and where arrays lie."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chainrule.graph import Node, topological_order
from chainrule.kernels.fusion import Kernel, kernels_of
from chainrule.kernels.trees import Trees

__all__ = ["HEADER", "Place", "Schedule"]

_ALIGNMENT = 64
HEADER = 192
"""The scratch memory begins with what is reported of a failure, and where threads meet."""


@dataclass(frozen=True)
class Place:
    """Where an array lies: behind an entry of the table of pointers, or in the scratch memory.

    ``position`` is the entry's number, or the distance from the begin of the scratch in bytes.
    """

    in_table: bool
    position: int


class Schedule:
    """Kernels in the order in which they run, and where every stored array lies.

    ``targets`` gives, for each output, the entry of the table of pointers behind which it belongs.
    ``gate`` are the outputs that must be known before any argument is overwritten. Where a target
    is an argument's own entry, the output is written there by the kernel that computes it if all
    that reads the argument has run by then; otherwise it goes to the scratch memory and is copied
    at the end: such outputs are in ``copies``.
    """

    def __init__(
        self,
        arguments: Sequence[Node],
        outputs: Sequence[Node],
        targets: dict[Node, int],
        gate: Sequence[Node] = (),
    ) -> None:
        self.arguments = list(arguments)
        wanted = [*gate, *outputs]
        self.nodes = topological_order(wanted)
        self.trees = Trees(self.nodes, wanted)
        self.kernels = kernels_of(self.nodes, self.trees)
        self.places = {node: Place(True, i) for i, node in enumerate(arguments)}
        self.copies: list[Node] = []
        self._targets = targets
        self._dependencies()
        self._gate = Kernel("gate", None)
        if gate:
            self._add_gate(gate)
        self._give_places(outputs)
        self._sort()
        self.size = HEADER
        self._lay_out(gate)

    # Order.

    def _dependencies(self) -> None:
        self._kernel_of = {node: kernel for kernel in self.kernels for node in kernel.nodes}
        self._before: dict[Kernel, set[Kernel]] = {}
        for kernel in self.kernels:
            needed = {self._kernel_of[node] for node in kernel.reads if node in self._kernel_of}
            self._before[kernel] = (needed | set(kernel.earlier)) - {kernel}

    def _add_gate(self, gate: Sequence[Node]) -> None:
        checks = {kernel for kernel in self.kernels if kernel.kind == "check"}
        known = {self._kernel_of[node] for node in gate if node in self._kernel_of}
        self._before[self._gate] = known | checks
        self.kernels.append(self._gate)

    def _give_places(self, outputs: Iterable[Node]) -> None:
        """Decide which outputs are written straight to where they belong."""
        self._users: dict[Kernel, set[Kernel]] = {}
        for user, needed in self._before.items():
            for other in needed:
                self._users.setdefault(other, set()).add(user)
        readers: dict[Node, set[Kernel]] = {}
        for kernel in self.kernels:
            for node in kernel.reads:
                readers.setdefault(node, set()).add(kernel)
        for node in outputs:
            entry = self._targets.get(node)
            if entry is None:
                continue
            if entry >= len(self.arguments):
                self.places[node] = Place(True, entry)
                continue
            argument = self.arguments[entry]
            if self._writes_in_place(node, argument, readers.get(argument, set())):
                self.places[node] = Place(True, entry)
            else:
                self.copies.append(node)

    def _writes_in_place(self, node: Node, argument: Node, readers: set[Kernel]) -> bool:
        writer = self._kernel_of[node]
        if writer.kind not in ("map", "product") or not writer.reads.get(argument, True):
            return False
        others = {self._gate, *readers} - {writer}
        if others & self._after(writer):
            return False
        self._before[writer] |= others
        for other in others:
            self._users.setdefault(other, set()).add(writer)
        return True

    def _after(self, kernel: Kernel) -> set[Kernel]:
        """The kernels that can only run after one."""
        found: set[Kernel] = set()
        stack = [kernel]
        while stack:
            for user in self._users.get(stack.pop(), ()):
                if user not in found:
                    found.add(user)
                    stack.append(user)
        return found

    def _sort(self) -> None:
        """An order in which every kernel runs after what it needs: else as in the graph."""
        number = {kernel: i for i, kernel in enumerate(self.kernels)}
        waiting = {kernel: len(self._before.get(kernel, ())) for kernel in self.kernels}
        users: dict[Kernel, list[Kernel]] = {}
        for kernel in self.kernels:
            for other in self._before.get(kernel, ()):
                users.setdefault(other, []).append(kernel)
        ready = [number[kernel] for kernel in self.kernels if not waiting[kernel]]
        heapq.heapify(ready)
        order: list[Kernel] = []
        while ready:
            kernel = self.kernels[heapq.heappop(ready)]
            order.append(kernel)
            for user in users.get(kernel, ()):
                waiting[user] -= 1
                if not waiting[user]:
                    heapq.heappush(ready, number[user])
        assert len(order) == len(self.kernels)
        self.kernels = order

    # Memory.

    def _lay_out(self, gate: Sequence[Node]) -> None:
        last: dict[Node, int] = {}
        for i, kernel in enumerate(self.kernels):
            for node in kernel.reads:
                last[node] = i
        last.update(dict.fromkeys((*self.copies, *gate), len(self.kernels)))
        arena = _Arena()
        dying: dict[int, list[tuple[int, int]]] = {}
        for i, kernel in enumerate(self.kernels):
            for node in kernel.nodes:
                if node not in self.places and last.get(node, -1) > i:
                    region = arena.take(node.size * node.dtype.itemsize)
                    self.places[node] = Place(False, region[0])
                    dying.setdefault(last[node], []).append(region)
            for region in dying.pop(i, ()):
                arena.give_back(region)
        self.size = arena.end

    def reserve(self, size: int) -> int:
        """Scratch memory that is used by nothing else: where it begins."""
        begin = self.size
        self.size += -(-size // _ALIGNMENT) * _ALIGNMENT
        return begin


class _Arena:
    """Memory handed out in regions, by their distance from its begin."""

    def __init__(self) -> None:
        self.end = HEADER
        self._free: list[tuple[int, int]] = []

    def take(self, size: int) -> tuple[int, int]:
        size = -(-size // _ALIGNMENT) * _ALIGNMENT
        fitting = [region for region in self._free if region[1] >= size]
        if fitting:
            begin, length = region = min(fitting, key=lambda region: region[1])
            self._free.remove(region)
            if length > size:
                self._free.append((begin + size, length - size))
            return begin, size
        begin = self.end
        self.end += size
        return begin, size

    def give_back(self, region: tuple[int, int]) -> None:
        """Free a region, joined with the free ones beside it."""
        begin, size = region
        for other in list(self._free):
            if other[0] + other[1] == begin or begin + size == other[0]:
                self._free.remove(other)
                begin, size = min(begin, other[0]), size + other[1]
        self._free.append((begin, size))
