"""Judging primitives: values by an oracle, gradients by complex steps and by real differences.

Everything takes the primitive itself, so that a wrong one can be handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.gradient import pull_back, push_forward
from chainrule.graph import Graph, Node, Primitive, argument
from chainrule.interpreter import evaluate_nodes
from chainrule.pytrees import flatten

from .specs import Array, Case, Spec, draw

COMPLEX_STEP = 1e-30


def assert_same_bits(ours: Any, theirs: Any) -> None:
    """Fail unless two arrays have the same shape, dtype and bits."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert ours.tobytes() == theirs.tobytes(), f"{ours!r}\nis not\n{theirs!r}"


def graph_of(inputs: Sequence[Node], outputs: Sequence[Node]) -> Graph:
    """A graph of some nodes, with its arguments and outputs in plain tuples."""
    return Graph(
        tuple(inputs), tuple(outputs), flatten(tuple(inputs))[1], flatten(tuple(outputs))[1]
    )


def apply(primitive: Primitive, case: Case, arrays: Sequence[Array]) -> tuple[list[Node], Node]:
    """Argument nodes for the arrays of a case, and the node of the primitive applied to them."""
    nodes = [argument(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    return nodes, primitive(*nodes, **case.attributes)


def flat(arrays: Sequence[Any]) -> Array:
    """Arrays one after another as one vector."""
    return np.concatenate([np.asarray(a).ravel() for a in arrays])


def jacobian(
    outputs: Sequence[Node], given: dict[Node, Array], x: Node, step: Any
) -> tuple[Array, Array]:
    """∂ outputs / ∂ x, one column an element of x, and the error that rounding may have made.

    ``step`` is a number, 'complex', or 'smooth' for the best step of a central difference:
    ε^(1/3), at which the error of the difference, h² f‴/6, and of rounding, ε |f|/h, are alike.
    """
    columns: list[Array] = []
    errors: list[Array] = []
    eps = np.finfo(np.float64).eps
    for j in range(given[x].size):
        if step == "complex":
            moved = given[x].astype(np.complex128)
            moved.flat[j] += COMPLEX_STEP * 1j
            values = flat(evaluate_nodes(outputs, {**given, x: moved}))
            columns.append(values.imag / COMPLEX_STEP)
            errors.append(np.zeros(values.shape))
            continue
        h = eps ** (1 / 3) if step == "smooth" else step
        up, down = given[x].copy(), given[x].copy()
        up.flat[j] += h
        down.flat[j] -= h
        high = flat(evaluate_nodes(outputs, {**given, x: up}))
        low = flat(evaluate_nodes(outputs, {**given, x: down}))
        columns.append((high - low) / (up.flat[j] - down.flat[j]))
        errors.append((np.abs(high) + np.abs(low)) * (eps / h))
        if step == "smooth":  # f‴/6 is at most some 1000 on the domains drawn from
            errors[-1] += 1000 * h * h
    shape = (given[x].size, sum(y.size for y in outputs))
    return np.reshape(columns, shape).T, np.reshape(errors, shape).T


def precision(nodes: Sequence[Node]) -> float:
    """The coarsest rounding unit among floating-point nodes."""
    return max(float(np.finfo(node.dtype).eps) for node in nodes if node.dtype.kind == "f")


def check_gradient(
    outputs: Sequence[Node],
    inputs: Sequence[Node],
    reference: tuple[Sequence[Node], Sequence[Node]],
    given: dict[Node, Array],
    slack: float,
    steps: Sequence[Any],
    rng: np.random.Generator,
) -> None:
    """Compare pull_back and push_forward with differences, for random cotangents and tangents.

    ``reference`` is the same expression in double precision: its outputs and inputs, the inputs
    in the order of ``given``, which holds every argument's value.

    An element of a gradient, Σᵢ uᵢ Jᵢⱼ, may be off by slack · ε · size · Σᵢ |uᵢ Jᵢⱼ|: a few
    roundings of each of its terms. Where J is a real difference, its own error is added.
    """
    u = [argument("u", y.shape, y.dtype) for y in outputs]
    t = [argument("t", x.shape, x.dtype) for x in inputs]
    cotangents = {node: rng.uniform(-2, 2, node.shape).astype(node.dtype) for node in u}
    tangents = {node: rng.uniform(-2, 2, node.shape).astype(node.dtype) for node in t}
    values = {**given, **cotangents, **tangents}
    pulled_nodes = pull_back(outputs, u, inputs)
    assert [(g.shape, g.dtype) for g in pulled_nodes] == [(x.shape, x.dtype) for x in inputs]
    pulled = evaluate_nodes(pulled_nodes, values)
    pushed = evaluate_nodes(push_forward(outputs, inputs, t), values)
    for node, array in zip((*inputs, *outputs), (*pulled, *pushed), strict=True):
        assert (np.shape(array), np.asarray(array).dtype) == (node.shape, node.dtype)

    exact_outputs, exact_inputs = reference
    exact = {
        node: a.astype(node.dtype) for node, a in zip(exact_inputs, given.values(), strict=True)
    }
    eps = precision([*outputs, *inputs])
    size = sum(x.size for x in inputs)
    rounding = slack * eps * size
    uu, tt = flat([values[n] for n in u]), [values[n].ravel() for n in t]
    for step in steps:
        forward = np.zeros(uu.shape)
        forward_bound = np.zeros(uu.shape)
        for x, array, tangent in zip(inputs, pulled, tt, strict=True):
            known = list(given).index(x)
            jac, error = jacobian(exact_outputs, exact, exact_inputs[known], step)
            bound = np.abs(uu) @ (rounding * np.abs(jac) + error)
            off = np.abs(np.ravel(array) - uu @ jac)
            assert np.all(off <= bound), f"{step}: pulled back {array}, not {uu @ jac}"
            forward += jac @ tangent
            forward_bound += (rounding * np.abs(jac) + error) @ np.abs(tangent)
        off = np.abs(flat(pushed) - forward)
        assert np.all(off <= forward_bound), f"{step}: pushed forward {pushed}, not {forward}"
    # ⟨u, J t⟩ = ⟨Jᵀ u, t⟩, whatever J is.
    left, right = np.sum(uu * flat(pushed)), np.sum(flat(pulled) * flat(tt))
    terms = np.sum(np.abs(uu * flat(pushed))) + np.sum(np.abs(flat(pulled) * flat(tt)))
    assert abs(left - right) <= (slack + size + uu.size) * eps * (terms + 1)


STEPS: dict[str, tuple[Any, ...]] = {
    "smooth": ("complex", "smooth"),
    "multilinear": ("complex", 1.0),
    "piecewise": ("complex", 2.0**-10),  # far less than the distance between drawn numbers
}


def check_primitive(
    primitive: Primitive,
    case: Case,
    spec: Spec,
    dtype: Any = np.float64,
    order: int = 1,
    seed: int = 0,
) -> None:
    """Check the gradient of a case, or, for order 2, the gradient of its pullback."""
    rng = np.random.default_rng(seed)
    arrays = draw(case, primitive.name, dtype, rng)
    exact_arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    nodes, y = apply(primitive, case, arrays)
    exact_nodes, exact_y = apply(primitive, case, exact_arrays)
    given = dict(zip(nodes, arrays, strict=True))
    drawn = [i for i, x in enumerate(case.inputs) if x.array is None]
    inputs, outputs = [nodes[i] for i in drawn], [y]
    exact_inputs, exact_outputs = list(exact_nodes), [exact_y]
    assert spec.method is not None
    steps = STEPS[spec.method]
    for _ in range(order - 1):
        u = [argument("u", out.shape, out.dtype) for out in outputs]
        exact_u = [argument("u", out.shape, out.dtype) for out in exact_outputs]
        exact_drawn = [exact_inputs[list(given).index(x)] for x in inputs]
        outputs = pull_back(outputs, u, inputs)
        exact_outputs = pull_back(exact_outputs, exact_u, exact_drawn)
        given |= {node: rng.uniform(-2, 2, node.shape).astype(node.dtype) for node in u}
        inputs, exact_inputs = [*inputs, *u], [*exact_inputs, *exact_u]
    check_gradient(outputs, inputs, (exact_outputs, exact_inputs), given, spec.slack, steps, rng)
