"""JAX's and PyTorch's gradients as second opinions, where those are installed.

The same inputs, the same random upstream gradient; agreement to a few hundred roundings. Each
primitive with a gradient is here, so that a new one gets its second opinion or fails a test.
"""

from __future__ import annotations

import importlib
import math
from importlib.util import find_spec

import numpy as np
import pytest

from chainrule.gradient import pull_back
from chainrule.graph import argument, registry
from chainrule.interpreter import evaluate_nodes
from chainrule.primitives.indexing import index_of

from .checking import apply
from .specs import SPECS, draw

RTOL, ATOL = 1e-12, 1e-13
CASES_EACH = 4
PEERS = ("jax", "torch")
JUDGED = [name for name, spec in SPECS.items() if spec.method is not None]


def same_in_both(name, *arguments):
    """A counterpart with one name in jax.numpy and torch."""
    return lambda np_, *x, **_: getattr(np_, name)(*x, *arguments)


# What each primitive is in jax.numpy and, where that differs, in torch.
JAX = {
    name: same_in_both(name)
    for name in (
        *("negative", "square", "reciprocal", "absolute", "exp", "exp2", "expm1", "log", "log2"),
        *("log10", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan"),
        *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "logaddexp"),
        *("where", "matmul"),
    )
} | {
    "expit": lambda np_, x: np_.scipy.special.expit(x),
    "erf": lambda np_, x: np_.scipy.special.erf(x),
    "xlogy": lambda np_, a, b: np_.scipy.special.xlogy(a, b),
    "sum": lambda np_, x, axis, keepdims: np_.sum(x, axis, keepdims=keepdims),
    "prod": lambda np_, x, axis, keepdims: np_.prod(x, axis, keepdims=keepdims),
    "max": lambda np_, x, axis, keepdims: np_.max(x, axis, keepdims=keepdims),
    "min": lambda np_, x, axis, keepdims: np_.min(x, axis, keepdims=keepdims),
    "cumsum": lambda np_, x, axis: np_.cumsum(x, axis),
    "logsumexp": lambda np_, x, axis, keepdims: np_.scipy.special.logsumexp(
        x, axis, keepdims=keepdims
    ),
    "softmax": lambda np_, x, axis: np_.nn.softmax(x, axis),
    "log_softmax": lambda np_, x, axis: np_.nn.log_softmax(x, axis),
    "einsum": lambda np_, *x, subscripts: np_.einsum(subscripts, *x),
    "reshape": lambda np_, x, shape: np_.reshape(x, shape),
    "transpose": lambda np_, x, axes: np_.transpose(x, axes),
    "broadcast_to": lambda np_, x, shape: np_.broadcast_to(x, shape),
    "concatenate": lambda np_, *x, axis: np_.concatenate(x, axis),
    "cast": lambda np_, x, dtype: x.astype(dtype),
    "getitem": lambda np_, x, *arrays, template, shape: x[index_of(template, arrays)],
    "embed": lambda np_, x, *arrays, template, shape: (
        np_.zeros(shape, x.dtype).at[index_of(template, arrays)].add(x)
    ),
    "setitem": lambda np_, x, value, *arrays, template: x.at[index_of(template, arrays)].set(value),
}


def _each_axis(reduce):
    def over(x, axis, keepdims):
        for i in sorted(axis, reverse=True):
            x = reduce(x, i, keepdims)
        return x

    return lambda _, x, axis, keepdims: over(x, axis, keepdims)


def _log_of_sum(torch, x, axis):
    return torch.logsumexp(x, axis, keepdim=True)


def _torch_setitem(torch, x, value, *arrays, template):
    out = x.clone()
    out[index_of(template, arrays)] = value
    return out


TORCH = JAX | {
    "power": same_in_both("pow"),
    "expit": same_in_both("sigmoid"),
    "erf": same_in_both("erf"),
    "xlogy": same_in_both("xlogy"),
    "sum": _each_axis(lambda x, i, keep: x.sum(i, keepdim=keep)),
    "prod": _each_axis(lambda x, i, keep: x.prod(i, keepdim=keep)),
    "max": _each_axis(lambda x, i, keep: x.amax(i, keepdim=keep)),
    "min": _each_axis(lambda x, i, keep: x.amin(i, keepdim=keep)),
    "logsumexp": lambda torch, x, axis, keepdims: torch.logsumexp(x, axis, keepdim=keepdims),
    "softmax": lambda torch, x, axis: torch.exp(x - _log_of_sum(torch, x, axis)),
    "log_softmax": lambda torch, x, axis: x - _log_of_sum(torch, x, axis),
    "transpose": lambda torch, x, axes: x.permute(axes),
    "cast": lambda torch, x, dtype: x.to(getattr(torch, dtype.name)),
    "embed": lambda torch, x, *arrays, template, shape: torch.zeros(shape, dtype=x.dtype).index_put(
        _positions(torch, arrays, template, shape), x, accumulate=True
    ),
    "setitem": _torch_setitem,
}


def _positions(torch, arrays, template, shape):
    """An index as one array of positions for each axis, the only form that index_put takes."""
    places = np.arange(math.prod(shape)).reshape(shape)
    index = index_of(template, tuple(np.asarray(a) for a in arrays))
    return tuple(torch.tensor(i) for i in np.unravel_index(places[index], shape))


def has_duplicates(case):
    """Whether an index names an element twice: neither peer promises which write stays."""
    arrays = [x.array for x in case.inputs if x.array is not None and x.array.dtype != bool]
    shape = case.inputs[0].shape
    places = np.arange(math.prod(shape)).reshape(shape)
    masks = [x.array for x in case.inputs if x.array is not None]
    part = places[index_of(case.attributes["template"], tuple(masks))]
    return bool(arrays) and np.unique(part).size < part.size


def cases_for(name, peer):
    """A few cases with something to differentiate, in a form that the peer has."""

    def fits(case):
        if not any(x.array is None and x.shape and math.prod(x.shape) for x in case.inputs):
            return False
        template = case.attributes.get("template", ())
        if peer == "torch":
            steps = (part[3] or 1 for part in template if part[0] == "slice")
            if name in ("getitem", "setitem") and min(steps, default=1) < 0:
                return False  # torch takes no negative steps
            if case.attributes.get("axis") == () or case.attributes.get("shape") in ((), (0, 3)):
                return False  # to torch, no axes are all of them; it puts nothing into a scalar
        return not (name == "setitem" and has_duplicates(case))

    fitting = [case for case in SPECS[name].cases if fits(case)]
    # Spread over the list, which goes from the simple to the peculiar.
    return fitting[:: max(1, len(fitting) // CASES_EACH)]


def ours(name, case, arrays, g):
    """The value and the gradients of the drawn inputs."""
    nodes, y = apply(registry[name], case, arrays)
    u = argument("u", y.shape, y.dtype)
    drawn = [node for node, x in zip(nodes, case.inputs, strict=True) if x.array is None]
    outputs = [y, *pull_back([y], [u], drawn)]
    given = dict(zip(nodes, arrays, strict=True))
    return evaluate_nodes(outputs, {**given, u: g(y)})


def by_jax(case, arrays, function, g):
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    namespace = importlib.import_module("jax.numpy")
    drawn = [i for i, x in enumerate(case.inputs) if x.array is None]

    def of_drawn(*values):
        full = [*map(namespace.asarray, arrays)] if "template" not in case.attributes else [*arrays]
        for i, value in zip(drawn, values, strict=True):
            full[i] = value
        return function(_Namespaces(namespace, jax), *full, **case.attributes)

    value, pull = jax.vjp(of_drawn, *(namespace.asarray(arrays[i]) for i in drawn))
    return [np.asarray(a) for a in (value, *pull(namespace.asarray(g)))]


class _Namespaces:
    """jax.numpy, with jax.nn and jax.scipy beside it."""

    def __init__(self, numpy, jax):
        self._numpy, self._jax = numpy, jax

    def __getattr__(self, name):
        if name in ("nn", "scipy"):
            return importlib.import_module(f"jax.{name}")
        return getattr(self._numpy, name)


def by_torch(case, arrays, function, g):
    torch = importlib.import_module("torch")
    tensors = [torch.tensor(a) for a in arrays]
    drawn = [t for t, x in zip(tensors, case.inputs, strict=True) if x.array is None]
    for tensor in drawn:
        tensor.requires_grad_()
    value = function(torch, *tensors, **case.attributes)
    gradients = torch.autograd.grad(value, drawn, torch.tensor(g))
    return [a.detach().numpy() for a in (value, *gradients)]


@pytest.mark.parametrize(
    ("peer", "name"), [(peer, name) for peer in PEERS if find_spec(peer) for name in JUDGED]
)
def test_peer_agrees(peer, name):
    function, opinion = (JAX[name], by_jax) if peer == "jax" else (TORCH[name], by_torch)
    cases = cases_for(name, peer)
    assert cases
    for case in cases:
        rng = np.random.default_rng(11)
        arrays = draw(case, name, np.float64, rng)
        upstream = rng.uniform(-2, 2, 500)

        def g(y, upstream=upstream):
            return upstream[: y.size].reshape(y.shape).astype(y.dtype)

        value, *gradients = ours(name, case, arrays, g)
        theirs = opinion(case, arrays, function, g(np.asarray(value)))
        assert theirs[0].dtype == value.dtype
        for a, b in zip((value, *gradients), theirs, strict=True):
            assert np.shape(a) == b.shape
            np.testing.assert_allclose(a, b, rtol=RTOL, atol=ATOL, err_msg=f"{name} {case}")


@pytest.mark.parametrize("peer", PEERS)
def test_peer_is_at_hand(peer):
    # One skip that says why, in place of one for each primitive.
    pytest.importorskip(peer, reason=f"the second opinion of {peer} needs it installed")


def test_every_primitive_with_a_gradient_has_a_second_opinion():
    assert set(JUDGED) == set(JAX)
    assert set(JUDGED) == set(TORCH)
