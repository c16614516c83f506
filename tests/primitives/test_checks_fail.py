"""The checks themselves: wrong rules, of the kinds that people write, must not pass them."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule import primitives as p
from chainrule.graph import registry

from .checking import check_primitive
from .specs import SPECS, Case, missing_specs, real
from .test_values import check_value


def broken(name, rule):
    """A copy of a primitive with another pullback; the registry keeps the right one."""
    return replace(registry[name], rule=rule)


# Each is caught at the first order.
WRONG = {
    "a factor of two": ("tanh", lambda g, y, x: (2 * g * (1 - y * y),)),
    "three percent in one term": ("divide", lambda g, y, a, b: (g / b, -(1.03 * g * y / b))),
    "the upstream gradient forgotten": ("tanh", lambda g, y, x: (1 - y * y,)),
    "the sign": ("cos", lambda g, y, x: (g * p.sin(x),)),
    "the derivative of another function": ("sinh", lambda g, y, x: (g * y,)),
    "the input taken for the output": ("expit", lambda g, y, x: (g * (x * (1 - x)),)),
    "no gradient for one input": ("multiply", lambda g, y, a, b: (g * b, None)),
    "the operands exchanged": ("multiply", lambda g, y, a, b: (g * a, g * b)),
    "only the diagonal of softmax": ("softmax", lambda g, y, x, axis: (g * y * (1 - y),)),
    "the mean for the sum": (
        "broadcast_to",
        lambda g, y, x, shape: tuple(
            part / max(1, g.size // max(1, x.size))
            for part in registry["broadcast_to"].rule(g, y, x, shape=shape)
        ),
    ),
    "the same permutation for its inverse": (
        "transpose",
        lambda g, y, x, axes: (
            p.transpose(g, axes=axes)
            if tuple(y.shape[i] for i in axes) == x.shape
            else p.reshape(g, shape=x.shape),
        ),
    ),
    "row-major order for a transpose": (
        "matmul",
        lambda g, y, a, b: (
            (g @ p.reshape(b, shape=b.shape[::-1]), p.reshape(a, shape=a.shape[::-1]) @ g)
            if a.ndim == b.ndim == 2
            else registry["matmul"].rule(g, y, a, b)
        ),
    ),
    "the first of two writes counted": (
        "setitem",
        lambda g, y, x, value, *arrays, template: (
            p.setitem(g, p.zeros_like(value), *arrays, template=template),
            p.getitem(g, *arrays, template=template, shape=value.shape),
            *((None,) * len(arrays)),
        ),
    ),
    "one of several elements": (
        "max",
        lambda g, y, x, axis, keepdims: (
            p.zeros_like(x)
            + p.total(g, axis=tuple(range(g.ndim)), keepdims=False) / max(1, x.size),
        ),
    ),
    "the running sum from the same end": (
        "cumsum",
        lambda g, y, x, axis: (p.cumsum(g, axis=axis),),
    ),
}


def fails(primitive, spec, dtype=np.float64, order=1):
    """Whether any case with something to differentiate is rejected."""
    for case in spec.cases:
        if not any(x.array is None and np.prod(x.shape) > 0 for x in case.inputs):
            continue
        try:
            check_primitive(primitive, case, spec, dtype, order)
        except AssertionError:
            return True
    return False


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_rule_is_caught(fault, dtype):
    name, rule = WRONG[fault]
    assert not fails(registry[name], SPECS[name], dtype)
    assert fails(broken(name, rule), SPECS[name], dtype)


def slightly_off(name, position):
    """A primitive whose gradient of one input is a millionth too large."""

    def rule(g, y, *inputs, **attributes):
        parts = list(registry[name].rule(g, y, *inputs, **attributes))
        if position < len(parts) and parts[position] is not None:
            parts[position] = parts[position] * (1 + 1e-6)
        return tuple(parts)

    return broken(name, rule)


DRAWN = sorted(
    {
        (name, position)
        for name, spec in SPECS.items()
        if spec.method is not None
        for case in spec.cases
        for position, x in enumerate(case.inputs)
        if x.array is None
    }
)


@pytest.mark.parametrize(("name", "position"), DRAWN)
def test_a_millionth_in_any_gradient_is_caught(name, position):
    assert fails(slightly_off(name, position), SPECS[name])


def test_a_rule_that_is_right_only_once_is_caught_at_second_order():
    def rule(g, y, x):
        return (g * p.stop_gradient(1 - y * y),)

    assert not fails(broken("tanh", rule), SPECS["tanh"])
    assert fails(broken("tanh", rule), SPECS["tanh"], order=2)


def test_a_rule_that_loses_precision_is_caught():
    def rule(g, y, x):
        return (p.cast(p.cast(g * y, dtype=np.dtype("float32")), dtype=np.dtype("float64")),)

    assert fails(broken("exp", rule), SPECS["exp"])


def test_a_gradient_of_another_shape_or_dtype_is_caught():
    case = Case((real(2, 1), real(3)))
    with pytest.raises(AssertionError, match="add: gradient"):
        check_primitive(
            broken("add", lambda g, y, a, b: (p.total(g, axis=(0,), keepdims=False), g)),
            case,
            SPECS["add"],
        )
    with pytest.raises(AssertionError, match="add: wrong number of gradients"):
        check_primitive(broken("add", lambda g, y, a, b: (g,)), case, SPECS["add"])
    with pytest.raises(AssertionError, match="exp: gradient"):
        check_primitive(
            broken("exp", lambda g, y, x: (p.cast(g * y, dtype=np.dtype("float32")),)),
            Case((real(3),)),
            SPECS["exp"],
        )


def change_input(x):
    x *= 2
    return x


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exp", lambda x: np.exp(x) + 1e-15),
        ("exp", lambda x: np.exp(x).astype(np.float64)),  # float64 for float32
        ("exp", lambda x: np.exp(x).reshape(-1)),
        ("negative", change_input),
        ("reciprocal", np.positive),
        ("embed", lambda x, *_, shape, **__: np.zeros(shape, x.dtype)),
    ],
)
def test_a_wrong_value_is_caught(name, value):
    wrong = replace(registry[name], value=value, ufunc=None, specialised=None)

    def rejected(case, dtype):
        try:
            check_value(wrong, case, SPECS[name], dtype)
        except (AssertionError, ValueError):
            return True
        return False

    cases = SPECS[name].cases
    assert any(rejected(case, dtype) for case in cases for dtype in (np.float64, np.float32))


def test_a_primitive_without_a_spec_is_noticed():
    assert missing_specs([*registry, "cube"]) == {"cube"}
