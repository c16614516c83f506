"""A training step as one graph of named values: forward, backward and update.

Everything is traced from the functions that train: the network's, the loss's, the optimiser's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import GradientError
from chainrule.explain.linking import simplified
from chainrule.explain.moments import Moment
from chainrule.gradient import pull_back, substitute
from chainrule.graph import Graph, Node, constant, topological_order
from chainrule.pytrees import flatten
from chainrule.tracer import trace
from chainrule.training.clipping import clip_by_norm, clip_by_value

__all__ = [
    "Traced",
    "free_name",
    "given_values",
    "gradients_by_name",
    "memory_name",
    "simplified_step",
    "trace_function",
    "trace_step",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class Traced:
    """A step as named nodes, in the order in which they are computed.

    ``arguments``   what is given, with its values
    ``forward``     the values on the way to the loss, by name
    ``loss``        the name of the loss among them
    ``gradients``   the gradient of the loss by each value, by that value's name
    ``updates``     the new parameters and the optimiser's new state, by name
    ``lines``       the user's own line of a forward value, where there is one
    ``notes``       sentences on what is shown
    """

    arguments: dict[str, Node]
    values: dict[Node, Array]
    forward: dict[str, Node]
    loss: str
    gradients: dict[str, Node]
    updates: dict[str, Node] = field(default_factory=dict[str, Node])
    lines: dict[Node, str] = field(default_factory=dict[Node, str])
    notes: tuple[str, ...] = ()


def trace_step(moment: Moment) -> Traced:
    """A training step, or the forward and backward pass where no optimiser is known."""
    graph = trace(_forward(moment), moment.parameters, moment.X, moment.y, moment.masks)
    forward: dict[str, Node] = dict(graph.output_structure.unflatten(list(graph.outputs)))
    arguments = {node.name or "": node for node in graph.arguments}
    chosen = {name: arguments[name] for name in moment.parameters}
    gradients = gradients_by_name(forward, "loss", chosen)
    updates: dict[str, Node] = {}
    if moment.optimizer is not None:
        updates, more = _updates(moment, arguments, gradients)
        arguments.update({node.name or "": node for node in more})
    given = given_values(moment)
    values = {node: given[name] for name, node in arguments.items()}
    return simplified_step(Traced(arguments, values, forward, "loss", gradients, updates))


def given_values(moment: Moment) -> dict[str, Array]:
    """What a step begins with, by name: parameters, rows, masks, the optimiser's state and rate."""
    leaves, structure = flatten(moment.memory)
    memory = zip(map(memory_name, structure.paths()), leaves, strict=True)
    rows = {"X": moment.X, "y": moment.y}
    rate = {"learning_rate": np.float64(moment.rate)}
    given = {**moment.parameters, **rows, **(moment.masks or {}), **dict(memory), **rate}
    return {name: np.asarray(value) for name, value in given.items()}


def trace_function(function: Callable[..., Any], *given: Any) -> Traced:
    """A function that gives one number, and its gradient by every real argument.

    Raises GradientError where it does not give one real number.
    """
    graph = trace(function, *given)
    _one_number(graph)
    loss = graph.outputs[0]
    leaves = [np.asarray(leaf) for leaf in flatten(given)[0]]
    leaves = [leaf for i, leaf in enumerate(leaves) if i not in graph.static]
    names: dict[str, Node] = {}
    for node in topological_order([loss]):
        if node.name and node not in graph.arguments and node.primitive.kind != "leaf":
            names[free_name(node.name, names)] = node
    output = next((name for name, node in names.items() if node is loss), None)
    if output is None:
        output = free_name("loss", names)
        names[output] = loss
    arguments = {node.name or "": node for node in graph.arguments}
    chosen = {name: node for name, node in arguments.items() if node.differentiable}
    gradients = gradients_by_name(names, output, chosen)
    values = dict(zip(graph.arguments, leaves, strict=True))
    simple = simplified_step(Traced(arguments, values, names, output, gradients))
    simple.lines.update(_lines(simple))
    return simple


def _lines(traced: Traced) -> dict[Node, str]:
    """The user's line of each forward value, with its expression."""
    found: dict[Node, str] = {}
    for node in topological_order(traced.forward.values()):
        position = node.source.position if node.source is not None else None
        if position is not None:
            found[node] = f"{position.file}:{position.line}: {position.text}"
    return found


def _one_number(graph: Graph) -> None:
    if len(graph.outputs) != 1 or graph.outputs[0].shape or not graph.outputs[0].differentiable:
        shapes = ", ".join(str(node.shape) for node in graph.outputs) or "nothing"
        raise GradientError(
            f"{graph.name} returns {shapes}; what is explained is a function of one real number. "
            "Return the loss alone, such as np.mean of the errors."
        )


def free_name(name: str, taken: Mapping[str, Node]) -> str:
    """The name, with a number where an earlier value has it."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _forward(moment: Moment) -> Callable[..., dict[str, Any]]:
    """The forward pass as the notebook writes it: z1, a1, …, and the loss over them."""
    network, report = moment.network, moment.report

    def forward(parameters: Any, X: Any, y: Any, masks: Any) -> dict[str, Any]:
        values = network.forward(parameters, X, masks)
        last = network.depth

        def of_outputs(criterion: Any) -> Any:
            return criterion(values[f"{'z' if criterion.takes == 'logits' else 'a'}{last}"], y)

        found: dict[str, Any] = dict(values)
        loss = of_outputs(network.criterion)
        if network.l1 > 0 or network.l2 > 0:
            found["data_loss"], found["penalty"] = loss, network.penalty(parameters)
            loss = loss + found["penalty"]
        found["loss"] = loss
        if report is not None:
            found["reported"] = of_outputs(report)
        return found

    return forward


def gradients_by_name(
    forward: Mapping[str, Node], loss: str, arguments: Mapping[str, Node]
) -> dict[str, Node]:
    """The gradient by every value that the loss depends on, from the loss back."""
    top = forward[loss]
    used = set(topological_order([top]))
    names: dict[Node, str] = {}
    for name, node in {**arguments, **forward}.items():
        if node in used and node is not top and node.differentiable:
            names[node] = name
    reached = _depending(top, set(arguments.values()))
    order = [node for node in _backwards(top, names) if node in reached]
    found = pull_back([top], [constant(1, dtype=top.dtype)], order)
    by_node = dict(zip(order, found, strict=True))
    every = {**arguments, **forward}
    return {
        name: by_node[node] for node in order for name in reversed(every) if every[name] is node
    }


def _depending(top: Node, chosen: set[Node]) -> set[Node]:
    """The values on the way from the chosen arguments to the loss."""
    found: set[Node] = set()
    for node in topological_order([top]):
        if node in chosen or any(operand in found for operand in node.inputs):
            found.add(node)
    return found


def _backwards(top: Node, names: Mapping[Node, str]) -> list[Node]:
    """The named values from the loss back; a layer's parameters right after its value."""
    order = topological_order([top])
    place = {node: i for i, node in enumerate(order)}
    first: dict[Node, int] = {}  # the first named value that each value goes into
    for node in reversed(order):
        at = place[node] if node in names or node is top else first[node]
        for operand in node.inputs:
            first[operand] = min(first.get(operand, len(order)), at)

    def key(node: Node) -> tuple[int, bool, int]:
        leaf = node.primitive.kind == "leaf"
        return -(first[node] if leaf else place[node]), leaf, place[node]

    return sorted(names, key=key)


def _updates(
    moment: Moment, arguments: Mapping[str, Node], gradients: Mapping[str, Node]
) -> tuple[dict[str, Node], list[Node]]:
    """The optimiser's update over the nodes of the gradients, and its own inputs."""
    optimizer, parameters, memory = moment.optimizer, moment.parameters, moment.memory
    assert optimizer is not None

    def update(parameters: Any, gradients: Any, memory: Any, learning_rate: Any) -> Any:
        if moment.clip_norm is not None:
            gradients = clip_by_norm(gradients, moment.clip_norm)
        if moment.clip_value is not None:
            gradients = clip_by_value(gradients, moment.clip_value)
        clipped = moment.clip_norm is not None or moment.clip_value is not None
        new, memory = optimizer.update(parameters, gradients, memory, learning_rate)
        return new, memory, dict(gradients) if clipped else {}

    rate = np.float64(moment.rate)
    zeros = {name: np.zeros_like(array) for name, array in parameters.items()}
    graph = trace(update, parameters, zeros, memory, rate)
    count = len(parameters)
    ours = dict(zip(graph.arguments[:count], (arguments[name] for name in parameters), strict=True))
    theirs = graph.arguments[count : 2 * count]
    ours.update(zip(theirs, (gradients[name] for name in parameters), strict=True))
    own = graph.arguments[2 * count :]
    names = [memory_name(path) for path in flatten(memory)[1].paths()]
    for node, name in zip(own, [*names, "learning_rate"], strict=True):
        node.take_name(name)
    found = substitute(graph.outputs, ours)
    new = dict(zip(parameters, found[:count], strict=True))
    kept = dict(zip(names, found[count:], strict=False))
    clipped = found[count + len(names) :]
    limited = {f"clipped_{name}": node for name, node in zip(parameters, clipped, strict=False)}
    return {**limited, **kept, **new}, list(own)


def memory_name(path: str) -> str:
    """The optimiser's state ``['mean']['W1']`` as ``mean_W1``."""
    return "_".join(part.strip("'\"") for part in path.strip("[]").split("]["))


def simplified_step(traced: Traced) -> Traced:
    """The same step with simpler formulas; what has no name of ours has none."""
    groups: Sequence[dict[str, Node]] = (traced.forward, traced.gradients, traced.updates)
    keyed = {f"{i} {name}": node for i, group in enumerate(groups) for name, node in group.items()}
    place = {node: i for i, node in enumerate(topological_order(keyed.values()))}
    in_order = dict(sorted(keyed.items(), key=lambda item: place[item[1]]))
    found = simplified(in_order, set(traced.arguments.values()))
    known = {*traced.arguments.values()}
    for node in topological_order(found.values()):
        if node not in known:
            node.take_name("")
    forward, gradients, updates = (
        {name: found[f"{i} {name}"] for name in group} for i, group in enumerate(groups)
    )
    return replace(traced, forward=forward, gradients=gradients, updates=updates)
