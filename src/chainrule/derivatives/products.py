"""Products with Jacobians and Hessians, which never form the matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.derivatives.calls import Argnums, Call, Function, record_call, scalar_output
from chainrule.errors import GradientError
from chainrule.gradient import pull_back, push_forward
from chainrule.graph import Node, argument, constant
from chainrule.pytrees import Structure, flatten
from chainrule.simplification import simplify
from chainrule.tracer import is_traced

__all__ = ["hvp", "jvp", "vjp"]


def vjp(
    function: Function, *arguments: Any, argnums: Argnums | None = None
) -> tuple[Any, Callable[[Any], Any]]:
    r"""The value, and a function from upstream gradients to gradients: $g \mapsto g^T J$.

    The function takes ``g`` nested and shaped as the value, and gives a tuple with the gradient of
    each argument; with ``argnums``, of those that it chooses by position or name.

    >>> import numpy as np
    >>> y, pull = vjp(lambda x: x**2, np.array([1.0, 3.0]))
    >>> pull(np.array([1.0, 10.0]))[0]
    array([ 2., 60.])

    Raises GradientError where an argument is not real, or ``g`` is not as the value.
    """
    call = record_call(function, argnums, arguments, {})
    call.recording.values = [np.array(value) for value in call.recording.values]
    outputs = call.graph.outputs
    inputs = call.inputs
    value = call.outputs(call.finish(outputs))

    def pull(g: Any) -> Any:
        leaves = _leaves(g, call.graph.output_structure, "The upstream gradient", "the output")
        upstream = _alongside(outputs, leaves, "the upstream gradient of an output")
        real = {n: v for (n, v), y in zip(upstream.items(), outputs, strict=True) if _is_real(y)}
        through = [y for y in outputs if _is_real(y)]
        gradients = pull_back(through, list(real), inputs)
        return call.gradients(call.finish(simplify(gradients), real))

    return value, pull


def jvp(
    function: Function,
    primals: Sequence[Any],
    tangents: Any,
    *,
    argnums: Argnums | None = None,
) -> tuple[Any, Any]:
    r"""The value and its derivative along tangents: $(f(x), J \dot x)$.

    ``primals`` are the arguments, ``tangents`` as many directions of the same nesting and shapes.
    With ``argnums`` the tangents are those of the arguments that it chooses, by position or name:
    one for one, a sequence for several; the other arguments stay.

    >>> import numpy as np
    >>> y, dy = jvp(np.sin, (0.0,), (2.0,))
    >>> float(y), float(dy)
    (0.0, 2.0)

    Raises GradientError where an argument is not real, or a tangent is not as its argument.
    """
    call = record_call(function, argnums, tuple(primals), {})
    beside = _tangents(call, tangents)
    outputs = call.graph.outputs
    pushed = push_forward(outputs, call.inputs, list(beside))
    results = call.finish(simplify([*outputs, *pushed]), beside)
    count = len(outputs)
    return call.outputs(results[:count]), call.outputs(results[count:])


def hvp(
    function: Function,
    primals: Sequence[Any],
    tangents: Any,
    *,
    argnums: Argnums | None = None,
) -> Any:
    r"""The product of a scalar function's Hessian with tangents: $\nabla^2 f(x)\, v$.

    It costs a few gradients and never forms the Hessian. One argument gives one product, several
    a tuple; ``argnums`` chooses as in `jvp`.

    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])

    Raises GradientError where the value is not one real number, an argument is not real, or a
    tangent is not as its argument.
    """
    call = record_call(function, argnums, tuple(primals), {})
    loss = scalar_output(call, function, has_aux=False)
    beside = _tangents(call, tangents)
    gradients = pull_back([loss], [constant(1, dtype=loss.dtype)], call.inputs)
    pushed = push_forward(gradients, call.inputs, list(beside))
    if argnums is None:
        call.single = len(primals) == 1
    return call.gradients(call.finish(simplify(pushed), beside))


def _is_real(y: Node) -> bool:
    return y.differentiable


def _tangents(call: Call, tangents: Any) -> dict[Node, Any]:
    """An argument node for the tangent of each input, with its value."""
    rows = [tangents] if call.single else list(tangents)
    if len(rows) != len(call.chosen):
        raise GradientError(
            f"{len(rows)} tangents are given for {len(call.chosen)} arguments: "
            f"{', '.join(call.names[index] for index in call.chosen)}."
        )
    inputs = iter(call.inputs)
    beside: dict[Node, Any] = {}
    for row, index in zip(rows, call.chosen, strict=True):
        nodes = call.nodes_by_argument[index]
        structure = flatten(call.given[index])[1]
        name = call.names[index]
        # Where the argument has a setting, which has no tangent, None may stand.
        without = flatten(structure.unflatten(None if n is None else 0 for n in nodes))[1]
        if flatten(row)[1] == without:
            leaves = flatten(row)[0]
        else:
            found = _leaves(row, structure, f"The tangent of {name}", name)
            leaves = [leaf for leaf, node in zip(found, nodes, strict=True) if node is not None]
        chosen = [next(inputs) for node in nodes if node is not None]
        beside.update(_alongside(chosen, leaves, f"the tangent of {name}"))
    return beside


def _leaves(given: Any, structure: Structure, what: str, beside: str) -> list[Any]:
    """The leaves of what is given, if it is nested as it must be."""
    leaves, found = flatten(given)
    if found != structure:
        raise GradientError(
            f"{what} is not nested as {beside}: it has {_listed(found)}, and {beside} has "
            f"{_listed(structure)}."
        )
    return leaves


def _listed(structure: Structure) -> str:
    paths = structure.paths()
    if paths == [""]:
        return "one value"
    return ", ".join(paths) or "no values"


def _alongside(nodes: Sequence[Node], leaves: Sequence[Any], name: str) -> dict[Node, Any]:
    """An argument node beside each node, with a value of the same shape."""
    beside: dict[Node, Any] = {}
    for node, leaf in zip(nodes, leaves, strict=True):
        shape = np.shape(leaf)
        if shape != node.shape:
            raise GradientError(
                f"A value of shape {shape} is given for {name}, which has shape {node.shape}."
            )
        if is_traced(leaf):
            value = leaf if leaf.dtype == node.dtype else leaf.astype(node.dtype)
        else:
            array = np.asarray(leaf)
            if array.dtype.kind not in "biuf":
                raise GradientError(
                    f"A value of dtype {array.dtype} is given for {name}, which is real."
                )
            value = array.astype(node.dtype)
        beside[argument("g", node.shape, node.dtype)] = value
    return beside
