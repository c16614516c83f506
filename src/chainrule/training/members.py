"""The networks of a population: where each starts, its learning rate and its targets."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from numbers import Integral
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import SettingError
from chainrule.networks import Network
from chainrule.networks.initializers import Random, initializer
from chainrule.networks.inputs import check_parameters
from chainrule.networks.settings import random_from
from chainrule.pytrees import Structure, flatten

__all__ = ["Members", "Start", "Ticket"]

Array = NDArray[Any]
Tree = Any


@dataclass(frozen=True)
class Ticket:
    """Some consecutive networks, by their numbers, and what they are drawn from."""

    first: int
    count: int
    source: Any


@dataclass(frozen=True)
class Start:
    """Where some networks start: stacked parameters, learning rates and targets."""

    leaves: list[Array]
    rates: NDArray[np.float64]
    targets: Array | None


class Members:
    """All networks of a population, drawn a few at a time.

    ``dtype`` is the parameters', or None for what those given have.
    ``parameters`` is a pytree of stacked arrays, or a list (or another iterable) of pytrees;
    ``seeds`` are whole numbers that the network draws its parameters from. ``rates`` and ``scales``
    hold a number for all or one for each; ``targets`` is None or ``(networks, *y.shape)``.
    """

    def __init__(
        self,
        model: Any,
        dtype: np.dtype[Any] | None,
        parameters: Any,
        seeds: Iterable[int] | None,
        generator: str,
        rates: Any,
        scales: Any,
        targets: Array | None,
    ) -> None:
        self._model, self._dtype, self._generator = model, dtype, generator
        if (parameters is None) == (seeds is None):
            raise SettingError(
                "A population starts from parameters= or from seeds=: give one of the two."
            )
        self._stacked: list[Array] | None = None
        self._source: Iterable[Any] = ()
        self.count: int | None = None
        self._seeded = seeds is not None
        if seeds is not None:
            self._from_seeds(seeds)
        elif _is_listing(parameters):
            self._from_trees(parameters)
        else:
            self._from_stack(parameters)
        leaves, self.structure = flatten(self.prototype)
        if not leaves:
            raise SettingError("parameters holds no arrays, so there is nothing to train.")
        if isinstance(model, Network):
            check_parameters(self.prototype, model.parameter_shapes)
        self.shapes = [leaf.shape for leaf in leaves]
        self._kinds = [leaf.dtype for leaf in leaves]
        self._rates = self._per_network("learning_rate", rates)
        self._scales = self._per_network("initial_scale", scales)
        if self._rates.size and not ((self._rates >= 0) & np.isfinite(self._rates)).all():
            raise SettingError("learning_rate must be a number, 0 or more, for every network.")
        if not np.isfinite(self._scales).all():
            raise SettingError("initial_scale must be a finite number for every network.")
        self.targets = targets
        if targets is not None:
            self._check_length("targets", len(targets))

    prototype: Tree
    """Parameters like every network's, for tracing."""
    structure: Structure

    def _from_seeds(self, seeds: Iterable[int]) -> None:
        if not isinstance(self._model, Network):
            raise SettingError(
                "seeds= needs a Network, which knows how to draw its parameters. With a function "
                "of your own, give parameters=."
            )
        self._source = seeds
        self.count = len(seeds) if isinstance(seeds, Sized) else None
        self.prototype = self._model.initialize(0, self._dtype or np.float64)

    def _from_trees(self, trees: Iterable[Tree]) -> None:
        self.count = len(trees) if isinstance(trees, Sized) else None
        iterator = iter(trees)
        first = next(iterator, None)
        if first is None:
            raise SettingError("parameters holds no networks, so there is nothing to train.")
        self._source = itertools.chain([first], iterator) if iterator is trees else trees
        leaves, structure = flatten(first)
        named = _named(leaves, structure, "[0]")
        arrays = [_floating(leaf, path, self._dtype) for leaf, path in named]
        self.prototype = structure.unflatten(arrays)

    def _from_stack(self, stacked: Tree) -> None:
        leaves, structure = flatten(stacked)
        named = _named(leaves, structure, "")
        arrays = [_floating(leaf, path, None) for leaf, path in named]
        lengths = {len(array) if array.ndim else -1 for array in arrays}
        if len(lengths) != 1 or -1 in lengths:
            shapes = ", ".join(
                f"{path} {array.shape}" for array, (_, path) in zip(arrays, named, strict=True)
            )
            raise SettingError(
                f"The first axis of stacked parameters counts the networks, and here it differs: "
                f"{shapes or 'there are no arrays'}."
            )
        (self.count,) = lengths
        self._stacked = arrays
        kinds = [self._dtype or array.dtype for array in arrays]
        ones = [np.ones(a.shape[1:], kind) for a, kind in zip(arrays, kinds, strict=True)]
        self.prototype = structure.unflatten(ones)

    def _per_network(self, name: str, values: Any) -> NDArray[np.float64]:
        try:
            array = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise SettingError(f"{name}={values!r} cannot be used: give numbers.") from None
        if array.ndim > 1:
            raise SettingError(
                f"{name} has shape {array.shape}: give one number, or one for each network."
            )
        if array.ndim:
            self._check_length(name, len(array))
        return array

    def _check_length(self, name: str, length: int) -> None:
        if self.count is None:
            self.count = length
        if length != self.count:
            raise SettingError(
                f"{name} is for {length} networks, and the population has {self.count}."
            )

    def tickets(self, size: int) -> Iterator[Ticket]:
        """The networks in order, ``size`` at a time; more are not held in memory."""
        if self._stacked is not None:
            assert self.count is not None
            for first in range(0, self.count, size):
                yield Ticket(first, min(size, self.count - first), None)
            return
        source = iter(self._source)
        first = 0
        while part := list(itertools.islice(source, size)):
            if self.count is not None and first + len(part) > self.count:
                raise SettingError(
                    f"The population has more than the {self.count} networks that "
                    "learning_rate, initial_scale or targets are for."
                )
            yield Ticket(first, len(part), part)
            first += len(part)

    def draw(self, ticket: Ticket) -> Start:
        """Where the networks of a ticket start."""
        chosen = slice(ticket.first, ticket.first + ticket.count)
        if self._stacked is not None:
            leaves = [
                np.array(array[chosen], kind, order="C")
                for array, kind in zip(self._stacked, self._kinds, strict=True)
            ]
        elif self._seeded:
            leaves = self._drawn(ticket.source)
        else:
            leaves = self._stack(ticket)
        scales = self._scales[chosen] if self._scales.ndim else self._scales
        if not np.all(scales == 1):
            for leaf in leaves:
                leaf *= scales.reshape(-1, *[1] * (leaf.ndim - 1)).astype(leaf.dtype)
        rates = self._rates[chosen] if self._rates.ndim else np.full(ticket.count, self._rates)
        targets = None if self.targets is None else np.ascontiguousarray(self.targets[chosen])
        return Start(leaves, np.ascontiguousarray(rates), targets)

    def _drawn(self, seeds: list[int]) -> list[Array]:
        """Parameters drawn from seeds, as `Network.initialize` does."""
        network = cast(Network, self._model)
        kind = self._kinds[0]
        leaves = [np.zeros((len(seeds), *shape), kind) for shape in self.shapes]
        chosen = initializer(network.initializer)
        if chosen.own:
            for i, seed in enumerate(seeds):
                drawn = network.initialize(seed, kind, self._generator)
                for leaf, array in zip(leaves, drawn.values(), strict=True):
                    leaf[i] = array
            return leaves
        # Making a RandomState takes as long as ten networks; seeding one again does not.
        again = random_from(0, "legacy") if self._generator == "legacy" else None
        for i, seed in enumerate(seeds):
            if isinstance(again, np.random.RandomState) and _seeds_again(seed):
                rng: Random = again
                again.seed(seed)
            else:
                rng = random_from(seed, self._generator)
            for leaf in leaves[::2]:  # the biases between them stay 0
                leaf[i] = chosen(rng, *leaf.shape[1:])
        return leaves

    def _stack(self, ticket: Ticket) -> list[Array]:
        stacked = [
            np.empty((ticket.count, *shape), kind)
            for shape, kind in zip(self.shapes, self._kinds, strict=True)
        ]
        for i, tree in enumerate(ticket.source):
            leaves, structure = flatten(tree)
            shapes = [np.shape(leaf) for leaf in leaves]
            if structure != self.structure or shapes != self.shapes:
                raise SettingError(
                    f"parameters[{ticket.first + i}] has arrays {structure.paths()} of shapes "
                    f"{shapes}; the first network's are {self.structure.paths()} of shapes "
                    f"{self.shapes}. The networks of a population must be of one architecture."
                )
            for target, leaf in zip(stacked, leaves, strict=True):
                target[i] = leaf
        return stacked


def _seeds_again(seed: Any) -> bool:
    """Whether a seed is one that `RandomState` takes; what is not is left to be refused."""
    return isinstance(seed, Integral) and seed is not True and 0 <= int(seed) < 2**32


def _is_listing(parameters: Any) -> bool:
    """Whether these are the networks one by one, and not one tree of stacked arrays."""
    return isinstance(parameters, list | Iterator) or type(parameters) is tuple


def _named(leaves: list[Any], structure: Structure, where: str) -> list[tuple[Any, str]]:
    return list(zip(leaves, structure.paths(f"parameters{where}"), strict=True))


def _floating(leaf: Any, path: str, dtype: np.dtype[Any] | None) -> Array:
    array = np.asarray(leaf)
    if array.dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise SettingError(
            f"{path} has dtype {array.dtype}; training changes numbers of dtype float64 or "
            "float32. Convert it with .astype(float)."
        )
    return array if dtype is None else array.astype(dtype, copy=False)
