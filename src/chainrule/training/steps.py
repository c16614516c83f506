"""A training step as one graph: forward, gradient, clipping and update, traced together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from chainrule.derivatives import value_and_grad
from chainrule.errors import GuardError, SettingError
from chainrule.graph import Graph, topological_order
from chainrule.interpreter import compile_graph
from chainrule.kernels.remembered import Remembered
from chainrule.networks import Network
from chainrule.networks.losses import Loss
from chainrule.pytrees import Structure, flatten
from chainrule.simplification import simplify_graph
from chainrule.tracer import trace
from chainrule.training.clipping import clip_by_norm, clip_by_value
from chainrule.training.optimizers import Optimizer

__all__ = ["Engine", "Objective", "Step", "Stepper", "Steps", "StepsEngine", "Tree"]

Array = NDArray[Any]
Tree = Any
Engine = Callable[[Graph], Callable[..., list[Array]]]
"""What makes a graph ready to run: from a graph to a function of its arguments' arrays."""
_MOST_BRANCHES = 16
_GRAPHS = Remembered(most=64)


@dataclass(frozen=True)
class Objective:
    """What is minimised and what is reported, from a `Network` or a NumPy function.

    ``report`` is a loss to report in place of the one that is minimised, where they differ.
    """

    model: Network | Callable[..., Any]
    report: Loss | None = None

    def __call__(self, parameters: Tree, X: Any, y: Any, masks: Any) -> tuple[Any, Any]:
        """The loss that is minimised, and the loss that is reported."""
        if not isinstance(self.model, Network):
            inputs = (X,) if y is None else (X, y)
            loss: Any = self.model(parameters, *inputs)
            self._check_number(loss)
            return loss, loss
        loss = self.model.loss(parameters, X, y, masks)
        if self.report is None:
            return loss, loss
        values = self.model.forward(parameters, X, masks)
        kind = "z" if self.report.takes == "logits" else "a"
        return loss, self.report(values[f"{kind}{self.model.depth}"], y)

    @property
    def name(self) -> str:
        """What the loss function is called."""
        if isinstance(self.model, Network):
            return self.model.criterion.text
        return str(getattr(self.model, "__name__", type(self.model).__name__))

    @property
    def named(self) -> str | None:
        """All that it is, as text; None where a function of the user's own is part of it."""
        model, report = self.model, self.report
        if not isinstance(model, Network) or (report is not None and report.own):
            return None
        try:
            return json.dumps([model.to_json(), None if report is None else report.text])
        except SettingError:
            return None

    def _check_number(self, loss: Any) -> None:
        number = isinstance(loss, bool | int | float | np.generic)
        shape = () if number else getattr(loss, "shape", None)
        if shape is None:
            raise SettingError(
                f"The loss function {self.name} returned {_a(type(loss).__name__)}; it must return "
                "one number."
            )
        if shape != ():
            raise SettingError(
                f"The loss function {self.name} returned an array of shape {shape}; it must return "
                "one number. Reduce it with np.mean or np.sum."
            )


class Steps(Protocol):
    """A step made ready to run many times in one call, as `chainrule.kernels` makes it."""

    def __call__(
        self,
        carried: Sequence[Array],
        data: Sequence[Array],
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        objective: NDArray[np.float64],
        reported: NDArray[np.float64],
    ) -> int:
        """Run a step for each rate; how many were done."""
        ...


@runtime_checkable
class StepsEngine(Protocol):
    """An engine that can make many steps run in one call."""

    def __call__(self, graph: Graph) -> Callable[..., list[Array]]:
        """A graph made ready to run."""
        ...

    def steps(self, graph: Graph, carried: int, rows: int, whole: bool) -> Steps | None:
        """A step made ready to run many times, or None where that cannot be."""
        ...


class Step:
    """One step for one shape of batch and state; it is compiled when first run."""

    def __init__(self, graph: Graph, engine: Engine, parameter_count: int) -> None:
        self.graph = graph
        # Whole numbers in the state change with every step, so such a step is run only once.
        self._engine = compile_graph if graph.static else engine
        self.parameter_count = parameter_count
        parameters, self.memory_structure, *_ = graph.output_structure.children
        assert parameters.leaf_count == parameter_count
        states = graph.argument_structure.children[1].leaf_count
        self.traced_memory = [i for i in range(states) if parameter_count + i not in graph.static]

    @cached_property
    def run(self) -> Callable[..., list[Array]]:
        """The step made ready to run: a function of `inputs`."""
        return self._engine(self.graph)

    def inputs(
        self,
        weights: Sequence[Array],
        memory: Sequence[Any],
        X: Array,
        y: Array | None,
        masks: Tree,
        rate: float,
    ) -> list[Any]:
        """The arguments of `run`, one for each argument of the graph."""
        return [
            *weights,
            *[memory[i] for i in self.traced_memory],
            X,
            *(() if y is None else (y,)),
            *(() if masks is None else flatten(masks)[0]),
            np.float64(rate),
        ]


@dataclass
class Stepper:
    """Makes and keeps the steps of a training run.

    A step is traced again when the batch has another size, or the optimiser's state another
    structure than before (an own optimiser may begin with an empty one), or when the program takes
    another branch than in the traces so far.
    """

    objective: Objective
    optimizer: Optimizer
    engine: Engine = compile_graph
    clip_norm: float | None = None
    clip_value: float | None = None
    _steps: dict[Any, list[Step]] = field(default_factory=dict[Any, list[Step]])

    def step(
        self,
        parameters: Tree,
        state: Tree,
        X: Array,
        y: Array | None,
        masks: Tree,
        rate: float = 0.1,
    ) -> Step:
        """The compiled step for arguments like these."""
        key = _kind_of((parameters, state, X, y, masks))
        steps = self._steps.get(key)
        if steps is None:
            steps = self._steps[key] = [self._trace(parameters, state, X, y, masks, rate)]
        return steps[0]

    def other_branch(
        self,
        parameters: Tree,
        state: Tree,
        X: Array,
        y: Array | None,
        masks: Tree,
        rate: float,
        inputs: list[Any],
    ) -> tuple[Step, list[Array]]:
        """The step for the branch that the program takes for these values, and its outputs.

        For use where the step last used was made for another branch.
        """
        steps = self._steps[_kind_of((parameters, state, X, y, masks))]
        for step in steps[1:]:
            try:
                outputs = step.run(*inputs)
            except GuardError:
                continue
            steps.remove(step)
            steps.insert(0, step)
            return step, outputs
        steps.insert(0, self._trace(parameters, state, X, y, masks, rate))
        del steps[_MOST_BRANCHES:]
        return steps[0], steps[0].run(*inputs)

    def _trace(self, parameters: Tree, state: Tree, *others: Any) -> Step:
        def traced() -> Graph:
            return self._graph(parameters, state, *others)

        named, update = self.objective.named, self.optimizer
        if named is None or update.own:
            graph = traced()
        else:
            kind = _kind_of((parameters, state, *others))
            key = (named, update.text, self.clip_norm, self.clip_value, kind)
            graph = _GRAPHS.get(key, traced)
        if graph.guards:  # which branch it is depends on the values
            graph = traced()
        return Step(graph, self.engine, len(flatten(parameters)[0]))

    def _graph(self, parameters: Tree, state: Tree, *others: Any) -> Graph:
        # Whole numbers in the state change from step to step, so they are no part of the program.
        leaves, structure = flatten(state)
        arrays: list[Any] = [
            np.asarray(cast(Any, leaf)) if isinstance(leaf, np.generic) else leaf for leaf in leaves
        ]
        graph = trace(self._compute, parameters, structure.unflatten(arrays), *others)
        count = len(flatten(parameters)[0])
        if not set(topological_order([graph.outputs[-2]])) & set(graph.arguments[:count]):
            raise SettingError(
                f"The loss function {self.objective.name} does not depend on the parameters, so "
                "there is nothing to learn. Compute the loss from its first argument."
            )
        return simplify_graph(graph)

    def _compute(
        self,
        parameters: Tree,
        state: Tree,
        X: Any,
        y: Any,
        masks: Tree,
        learning_rate: Any,
    ) -> tuple[Tree, Tree, Any, Any]:
        (loss, reported), gradients = value_and_grad(self.objective, has_aux=True)(
            parameters, X, y, masks
        )
        if self.clip_norm is not None:
            gradients = clip_by_norm(gradients, self.clip_norm)
        if self.clip_value is not None:
            gradients = clip_by_value(gradients, self.clip_value)
        parameters, state = _updated(self.optimizer, parameters, gradients, state, learning_rate)
        return parameters, state, loss, reported


def _a(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"


def _updated(
    optimizer: Optimizer, parameters: Tree, gradients: Tree, state: Tree, learning_rate: Any
) -> tuple[Tree, Tree]:
    result = cast(Any, optimizer.update(parameters, gradients, state, learning_rate))
    if not isinstance(result, tuple) or len(cast("tuple[Any, ...]", result)) != 2:
        raise SettingError(
            f"The optimizer {optimizer.name} returned {_a(type(cast(Any, result)).__name__)}; it "
            "must return the pair (parameters, state)."
        )
    new_parameters, new_state = cast("tuple[Tree, Tree]", result)
    leaves, structure = flatten(new_parameters)
    before, wanted = flatten(parameters)
    if structure != wanted:
        raise SettingError(
            f"The optimizer {optimizer.name} returned "
            f"{', '.join(structure.paths('parameters')) or 'no parameters'}; it must return "
            f"{', '.join(wanted.paths('parameters'))}, nested as it was given them."
        )
    for old, new, path in zip(before, leaves, wanted.paths("parameters"), strict=True):
        dtype = np.result_type(new)
        if np.shape(new) != np.shape(old) or dtype != old.dtype:
            raise SettingError(
                f"The optimizer {optimizer.name} turned {path} of shape {np.shape(old)} and dtype "
                f"{old.dtype} into shape {np.shape(new)} and dtype {dtype}; it must keep both."
            )
    return new_parameters, new_state


def _kind_of(arguments: Tree) -> tuple[Structure, tuple[Any, ...]]:
    leaves, structure = flatten(arguments)
    return structure, tuple(_kind(leaf) for leaf in leaves)


def _kind(leaf: Any) -> Any:
    return leaf if isinstance(leaf, bool | int | str) else (np.shape(leaf), np.result_type(leaf))
