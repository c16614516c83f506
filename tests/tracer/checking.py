"""Judging a trace against the plain NumPy run of the same program.

`check_program` runs a function on plain arrays, traces it, evaluates the graph for the traced and
for other values, and compares to the bit; gradients are compared with central differences of the
plain run, which knows nothing of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.gradient import pull_back
from chainrule.graph import argument, constant
from chainrule.interpreter import Program, evaluate, evaluate_nodes
from chainrule.pytrees import flatten, map_leaves
from chainrule.simplification import simplify, simplify_graph
from chainrule.tracer import record

Function = Callable[..., Any]


def assert_same_bits(ours: Any, theirs: Any) -> None:
    """Fail unless two arrays have the same shape, dtype and bits."""
    a, b = np.asarray(ours), np.asarray(theirs)
    assert (a.shape, a.dtype) == (b.shape, b.dtype), f"{ours!r}\nis not\n{theirs!r}"
    assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes(), (
        f"{ours!r}\nis not\n{theirs!r}"
    )


def copied(tree: Any) -> Any:
    """A pytree with its arrays copied, strides kept."""
    return map_leaves(lambda x: x.copy(order="K") if isinstance(x, np.ndarray) else x, tree)


def assert_same_tree(ours: Any, theirs: Any, exact: bool = True) -> None:
    """Fail unless two pytrees have the same nesting and the same bits in each leaf.

    Where ``exact`` is false, sums of some 40 terms may have been taken in another order.
    """
    ours_leaves, ours_structure = flatten(ours)
    theirs_leaves, theirs_structure = flatten(theirs)
    assert ours_structure == theirs_structure
    for a, b in zip(ours_leaves, theirs_leaves, strict=True):
        if exact:
            assert_same_bits(a, b)
            continue
        assert (np.shape(a), np.asarray(a).dtype) == (np.shape(b), np.asarray(b).dtype)
        scale = np.max(np.abs(np.asarray(b, dtype=float)), initial=1.0)
        eps = 0 if np.asarray(b).dtype.kind != "f" else np.finfo(np.asarray(b).dtype).eps
        np.testing.assert_allclose(a, b, rtol=0, atol=20 * float(eps) * scale)


def check_program(
    function: Function,
    arguments: Sequence[Any],
    others: Sequence[Any] = (),
    *,
    gradients: bool = True,
    exact: bool = True,
) -> Any:
    """Compare the trace of a program with its plain run; the graph."""
    plain = function(*copied(tuple(arguments)))
    given = copied(tuple(arguments))
    recording = record(function, given)
    assert_same_tree(given, tuple(arguments))
    graph = recording.graph
    assert_same_tree(graph.output_structure.unflatten(recording.outputs), plain, exact)
    for values in (arguments, others):
        if not values:
            continue
        expected = function(*copied(tuple(values)))
        given = copied(tuple(values))
        assert_same_tree(evaluate(graph, *given), expected, exact)
        assert_same_tree(evaluate(simplify_graph(graph), *given), expected, exact)
        assert_same_tree(given, tuple(values))
    if gradients:
        check_gradients_of(function, arguments, recording)
    return graph


def check_gradients_of(function: Function, arguments: Sequence[Any], recording: Any) -> None:
    """Compare gradients with differences of the plain run, for a random upstream gradient."""
    graph = recording.graph
    inputs = [node for node in graph.arguments if node.differentiable]
    outputs = [node for node in graph.outputs if node.differentiable]
    if not inputs or not outputs:
        return
    rng = np.random.default_rng(7)
    weights = [rng.uniform(0.5, 1.5, y.shape).astype(y.dtype) for y in outputs]
    upstream = [constant(weight) for weight in weights]
    nodes = pull_back(outputs, upstream, inputs)
    values = dict(zip(graph.arguments, recording.values, strict=True))
    found = evaluate_nodes(nodes, values)
    for ours, simpler in zip(found, evaluate_nodes(simplify(nodes), values), strict=True):
        assert np.shape(ours) == np.shape(simpler)
        # Some of NumPy's loops round otherwise where an exponent is the same for all elements.
        rounding = 8 * np.finfo(np.asarray(ours).dtype).eps
        np.testing.assert_allclose(ours, simpler, rtol=rounding, atol=0)
    expected = differences(function, arguments, weights)
    single = any(x.dtype == np.float32 for x in (*inputs, *outputs))
    tolerance = 2e-2 if single else 2e-6
    for node, ours, theirs in zip(inputs, found, expected, strict=True):
        assert (np.shape(ours), np.asarray(ours).dtype) == (node.shape, node.dtype)
        np.testing.assert_allclose(
            ours, theirs, rtol=tolerance, atol=tolerance, err_msg=f"gradient by {node.name}"
        )


def differences(function: Function, arguments: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
    """The gradient of Σ weight · output by each floating-point leaf, by central differences."""
    leaves, structure = flatten(tuple(arguments))

    def total(changed: list[Any]) -> float:
        outputs = flatten(function(*copied(structure.unflatten(changed))))[0]
        real = [np.asarray(y, float) for y in outputs if np.asarray(y).dtype.kind == "f"]
        return sum(float(np.sum(w * y)) for w, y in zip(weights, real, strict=True))

    gradients: list[Any] = []
    for position, leaf in enumerate(leaves):
        if isinstance(leaf, bool | int) or np.asarray(leaf).dtype.kind != "f":
            continue
        array = np.asarray(leaf)
        single = array.dtype == np.float32 or any(w.dtype == np.float32 for w in weights)
        step = 1e-2 if single else 1e-6
        gradient = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            sums: list[float] = []
            for sign in (1, -1):
                moved = array.copy(order="K")
                moved[place] += sign * step
                changed: Any = moved
                if not isinstance(leaf, np.ndarray):
                    changed = type(leaf)(moved[()])
                sums.append(total([*leaves[:position], changed, *leaves[position + 1 :]]))
            gradient[place] = (sums[0] - sums[1]) / (2 * step)
        gradients.append(gradient)
    return gradients


__all__ = ["Program", "argument", "assert_same_bits", "assert_same_tree", "check_program"]
