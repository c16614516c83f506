"""Zeros, infinities, not-a-number, ties, duplicates: what each rule gives there, in numbers.

Where no ``errstate`` stands around a computation, it must also give no warning: pytest makes
every warning an error.
"""

import math

import numpy as np
import pytest
import scipy.special

from chainrule import primitives as p
from chainrule.gradient import pull_back
from chainrule.graph import argument, constant, registry
from chainrule.interpreter import evaluate_nodes

from .checking import assert_same_bits
from .specs import SPECS, template_of

INF, NAN, TINY = math.inf, math.nan, 5e-324
HUGE = np.finfo(np.float64).max


def value_and_gradients(function, *arrays, g=None):
    """The value of a function of nodes, and its gradients for an upstream gradient (ones)."""
    arrays = [np.asarray(a, dtype=float) for a in arrays]
    nodes = [argument(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    y = function(*nodes)
    upstream = constant(np.ones(y.shape) if g is None else np.asarray(g, dtype=float))
    outputs = [y, *pull_back([y], [upstream], nodes)]
    value, *gradients = evaluate_nodes(outputs, dict(zip(nodes, arrays, strict=True)))
    return value, *gradients


def mixed(function, a, b):
    """∂²/∂b∂a of a function of two scalars."""
    x, z = argument("a", (), "float64"), argument("b", (), "float64")
    one = constant(1.0)
    [by_a] = pull_back([function(x, z)], [one], [x])
    [by_ab] = pull_back([by_a], [one], [z])
    return float(evaluate_nodes([by_ab], {x: np.asarray(a), z: np.asarray(b)})[0])


# Every ufunc at every special value: the value is the ufunc's own, to the bit.

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, TINY, -TINY, HUGE, -HUGE, 1e3, -1e3])
UFUNCS = {
    name: each.ufunc or getattr(scipy.special, each.special)
    for name, each in registry.items()
    if (each.ufunc or each.special) and name not in ("matmul", "expit")
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", UFUNCS)
def test_values_are_the_ufuncs(name, dtype):
    primitive = registry[name]
    with np.errstate(all="ignore"):
        points = SPECIAL.astype(dtype)
        if name.startswith("logical_"):
            points = points != 0
        grid = np.meshgrid(*[points] * UFUNCS[name].nin, indexing="ij")
        nodes = [argument("x", a.shape, a.dtype) for a in grid]
        [value] = evaluate_nodes([primitive(*nodes)], dict(zip(nodes, grid, strict=True)))
        assert_same_bits(value, SPECS[name].oracle(*grid))


# expit is computed without SciPy.


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_expit_is_scipys_within_its_bound(dtype):
    points = np.concatenate([np.linspace(-800, 50, 20_001), np.linspace(-20, 20, 20_001), SPECIAL])
    with np.errstate(over="ignore"):
        points = points.astype(dtype)
    value, expected = p.expit.value(points), scipy.special.expit(points)
    assert value.dtype == dtype
    # Below −708 (−87 in single precision) what is left is next to 0.
    np.testing.assert_allclose(value, expected, rtol=5 * np.finfo(dtype).eps, atol=1e-37)
    exact = np.array([0.0, -0.0, INF, -INF, NAN, TINY, -TINY, 1e3, -1e3], dtype)
    np.testing.assert_array_equal(p.expit.value(exact), scipy.special.expit(exact))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_expit_is_within_3_ulp(dtype):
    mpmath = pytest.importorskip("mpmath")
    lowest = -708 if dtype is np.float64 else -87
    points = np.linspace(lowest, 40, 3001).astype(dtype)
    with mpmath.workprec(120):
        exact = [1 / (1 + mpmath.exp(-mpmath.mpf(float(x)))) for x in points]
        ulps = [
            abs(mpmath.mpf(float(value)) - truth) / float(np.spacing(dtype(truth)))
            for value, truth in zip(p.expit.value(points), exact, strict=True)
        ]
    assert max(ulps) <= 3


def test_expit_warns_and_raises_nowhere():
    with np.errstate(all="raise"):
        assert p.expit.value(SPECIAL).tolist()[-4:-2] == [1.0, 0.0]


# Slopes of functions of one input. A pair (x, slope) for each.

_ROOT = 2 / math.sqrt(math.pi)
SLOPES = {
    "negative": [(0, -1), (INF, -1)],
    "square": [(0, 0), (INF, INF), (-INF, -INF), (TINY, 2 * TINY), (NAN, NAN)],
    "reciprocal": [(0, -INF), (-0.0, -INF), (INF, 0), (1e200, 0), (NAN, NAN)],
    "absolute": [(0, 0), (-0.0, 0), (TINY, 1), (-TINY, -1), (INF, 1), (-INF, -1), (NAN, NAN)],
    "exp": [(0, 1), (-INF, 0), (INF, INF), (1000, INF), (-1000, 0), (NAN, NAN)],
    "exp2": [(0, math.log(2)), (-INF, 0), (INF, INF), (-1000, 2.0**-1000 * math.log(2))],
    "expm1": [(0, 1), (-INF, 0), (-1000, 0), (INF, INF), (TINY, 1)],
    "log": [(0, INF), (1, 1), (INF, 0), (1e-300, 1e300)],
    "log2": [(0, INF), (1, 1 / math.log(2)), (INF, 0)],
    "log10": [(0, INF), (1, 1 / math.log(10)), (INF, 0)],
    "log1p": [(0, 1), (-1, INF), (INF, 0), (TINY, 1)],
    "sqrt": [(0, INF), (INF, 0), (4, 0.25), (1e-300, 0.5e150)],
    "sin": [(0, 1), (INF, NAN), (math.pi, -1)],
    "cos": [(0, 0), (INF, NAN), (math.pi / 2, -1)],
    "tan": [(0, 1), (INF, NAN), (math.pi / 4, 2)],
    "sinh": [(0, 1), (1000, INF), (-INF, INF)],
    "cosh": [(0, 0), (1000, INF), (-INF, -INF)],
    "tanh": [(0, 1), (1000, 0), (-1000, 0), (INF, 0), (-INF, 0), (NAN, NAN), (TINY, 1)],
    "arctan": [(0, 1), (INF, 0), (-INF, 0), (1e200, 0), (NAN, NAN)],
    "expit": [
        *[(0, 0.25), (1000, 0), (-1000, 0), (INF, 0), (-INF, 0), (NAN, NAN)],
        *[(-40, math.exp(-40)), (-700, math.exp(-700)), (40, 0)],
    ],
    "erf": [(0, _ROOT), (30, 0), (INF, 0), (-INF, 0), (NAN, NAN)],
}


@pytest.mark.parametrize("name", SLOPES)
def test_slopes(name):
    points, slopes = np.array(SLOPES[name]).T
    with np.errstate(all="ignore"):
        _, gradient = value_and_gradients(registry[name], points)
    np.testing.assert_allclose(gradient, slopes, rtol=4e-16)


def test_every_elementwise_function_of_one_input_has_slopes_here():
    smooth = {
        name
        for name, each in registry.items()
        if name == "expit" or (name in UFUNCS and UFUNCS[name].nin == 1 and each.differentiable)
    }
    assert smooth == set(SLOPES)


@pytest.mark.parametrize("name", ["tanh", "expit", "erf", "arctan", "exp", "expm1", "softmax"])
def test_saturation_gives_no_warning_but_that_of_underflow(name):
    attributes = {"axis": (0,)} if name == "softmax" else {}
    points = [-1000.0, -700.0, 0.0, 20.0 if name.startswith("exp") else 1000.0]
    with np.errstate(under="ignore"):
        value, gradient = value_and_gradients(lambda x: registry[name](x, **attributes), points)
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(gradient))


# Functions of two inputs: (a, b, slope by a, slope by b).

PAIRS = {
    "divide": [(1, INF, 0, 0), (1, 0, INF, -INF), (0, 0, INF, NAN), (INF, 2, 0.5, -INF)],
    "power": [
        (0, 0, 0, 0),
        (0, 0.5, INF, 0),
        (0, 1, 1, 0),
        (0, 2, 0, 0),
        (0, -1, -INF, NAN),
        (2, 0, 0, math.log(2)),
        (INF, 2, INF, INF),
        (-2, 3, 12, NAN),
        (-2, 0, 0, NAN),
    ],
    "xlogy": [
        (0, 0, 0, 0),
        (0, 2, math.log(2), 0),
        (1, 0, -INF, INF),
        (0, INF, INF, 0),
        (0, NAN, NAN, NAN),
        (2, 4, math.log(4), 0.5),
    ],
    "logaddexp": [
        (1000, -1000, 1, 0),
        (-1000, 1000, 0, 1),
        (1000, 1000, 0.5, 0.5),
        (-INF, 3, 0, 1),
        (INF, 3, 1, 0),
        (INF, -INF, 1, 0),
        (-INF, -INF, NAN, NAN),
    ],
    "multiply": [(0, INF, INF, 0), (0, 0, 0, 0), (NAN, 1, 1, NAN)],
    "maximum": [(0, 0, 0, 1), (-0.0, 0, 0, 1), (INF, 1, 1, 0), (-INF, -INF, 0, 1)],
    "minimum": [(0, 0, 0, 1), (-INF, 1, 1, 0), (INF, INF, 0, 1)],
}


@pytest.mark.parametrize("name", PAIRS)
def test_slopes_of_two_inputs(name):
    a, b, by_a, by_b = np.array(PAIRS[name], dtype=float).T
    with np.errstate(all="ignore"):
        _, *gradients = value_and_gradients(registry[name], a, b)
    np.testing.assert_allclose(gradients[0], by_a, rtol=4e-16)
    np.testing.assert_allclose(gradients[1], by_b, rtol=4e-16)


def test_power_and_xlogy_at_zeros_give_no_warning():
    a, b = [0.0, 0.0, 2.0], [0.0, 2.0, 0.0]
    value, by_a, by_b = value_and_gradients(p.power, a, b)
    np.testing.assert_array_equal(value, [1, 0, 1])
    np.testing.assert_array_equal(by_a, [0, 0, 0])
    np.testing.assert_array_equal(by_b, [0, 0, math.log(2)])
    value, by_a, by_b = value_and_gradients(p.xlogy, [0.0, 0.0], [0.0, 2.0])
    np.testing.assert_array_equal(value, [0, 0])
    np.testing.assert_array_equal(by_a, [0, math.log(2)])
    np.testing.assert_array_equal(by_b, [0, 0])


def test_mixed_second_derivatives_at_a_zero_of_one_input():
    # ∂²(aᵇ)/∂a∂b = aᵇ⁻¹ (1 + b log a); ∂²(a log b)/∂a∂b = 1/b.
    assert mixed(p.power, 2.0, 0.0) == 0.5
    assert mixed(p.power, 0.0, 2.0) == 0.0
    assert mixed(p.xlogy, 0.0, 4.0) == 0.25
    assert mixed(lambda b, a: p.xlogy(a, b), 4.0, 0.0) == 0.25


def test_constant_exponents_at_zero_and_below():
    def cube(x):
        return x**3

    def slope(f):
        return lambda x: pull_back([f(x)], [constant(np.ones(x.shape))], [x])[0]

    x = [-2.0, -0.0, 0.0, 1.0]
    np.testing.assert_array_equal(value_and_gradients(cube, x)[1], [12, 0, 0, 3])
    np.testing.assert_array_equal(value_and_gradients(slope(cube), x)[1], [-12, 0, 0, 6])
    np.testing.assert_array_equal(value_and_gradients(slope(slope(cube)), x)[1], [6, 6, 6, 6])
    third = slope(slope(slope(cube)))
    np.testing.assert_array_equal(value_and_gradients(third, x)[1], [0, 0, 0, 0])
    np.testing.assert_array_equal(value_and_gradients(lambda x: x**0, x)[1], [0, 0, 0, 0])


# Kinks and ties.


def test_relu_has_slope_zero_at_zero_in_both_orders():
    x = [-1.0, -0.0, 0.0, 1.0]
    for relu in (lambda x: p.maximum(x, 0), lambda x: p.maximum(0, x)):
        value, gradient = value_and_gradients(relu, x, g=[3, 3, 3, 3])
        np.testing.assert_array_equal(value, [0, 0, 0, 1])
        np.testing.assert_array_equal(gradient, [0, 0, 0, 3])
    for hat in (lambda x: p.minimum(x, 0), lambda x: p.minimum(0, x)):
        np.testing.assert_array_equal(value_and_gradients(hat, x)[1], [1, 0, 0, 0])


def test_a_tie_of_maximum_gives_the_whole_gradient_once():
    for choice in (p.maximum, p.minimum):
        _, by_a, by_b = value_and_gradients(choice, [2.0, 1.0], [2.0, 3.0], g=[5, 7])
        np.testing.assert_array_equal(by_a + by_b, [5, 7])
        [gradient] = value_and_gradients(lambda x: choice(x, x), [2.0, 1.0], g=[5, 7])[1:]  # noqa: B023
        np.testing.assert_array_equal(gradient, [5, 7])


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("extreme", [p.largest, p.smallest])
def test_ties_of_an_extreme_share_its_gradient(extreme, keepdims):
    x = np.array([[1.0, 4.0, 4.0, 1.0], [2.0, 2.0, 2.0, 2.0], [0.0, -0.0, 0.0, -0.0]])
    g = np.array([6.0, 8.0, 4.0]).reshape((3, 1) if keepdims else (3,))
    _, gradient = value_and_gradients(lambda x: extreme(x, axis=(1,), keepdims=keepdims), x, g=g)
    top = [0, 3, 3, 0] if extreme is p.largest else [3, 0, 0, 3]
    np.testing.assert_array_equal(gradient, [top, [2, 2, 2, 2], [1, 1, 1, 1]])


def test_ties_over_all_axes_share_the_gradient():
    x = np.array([[1.0, 4.0, 4.0], [4.0, 0.0, 4.0]])
    _, gradient = value_and_gradients(lambda x: p.largest(x, axis=(0, 1), keepdims=False), x, g=2)
    np.testing.assert_array_equal(gradient, [[0, 0.5, 0.5], [0.5, 0, 0.5]])


def test_an_extreme_that_is_not_a_number_has_no_gradient_either():
    x = np.array([[1.0, NAN, 2.0], [1.0, 3.0, 2.0], [-INF, INF, INF]])
    with np.errstate(invalid="ignore"):
        value, gradient = value_and_gradients(lambda x: p.largest(x, axis=(1,), keepdims=False), x)
    np.testing.assert_array_equal(value, [NAN, 3, INF])
    np.testing.assert_array_equal(gradient, [[NAN] * 3, [0, 1, 0], [0, 0.5, 0.5]])


def test_rounding_and_signs_have_no_slope():
    for name in ("sign", "floor", "ceil", "rint"):
        _, gradient = value_and_gradients(registry[name], [-1.5, 0.0, 0.4])
        np.testing.assert_array_equal(gradient, [0, 0, 0])


# Products, sums of exponentials, normalisers.


def test_a_product_with_zeros():
    x = np.array([[2.0, 3.0, 5.0], [2.0, 0.0, 5.0], [0.0, 3.0, 0.0]])
    value, gradient = value_and_gradients(lambda x: p.prod(x, axis=(1,), keepdims=False), x)
    np.testing.assert_array_equal(value, [30, 0, 0])
    np.testing.assert_array_equal(gradient, [[15, 10, 6], [0, 10, 0], [0, 0, 0]])


def test_second_derivatives_of_a_product_with_zeros():
    # ∂²(x₀ x₁ x₂)/∂xᵢ∂xⱼ is the third factor.
    def along(direction):
        def slope(x):
            y = p.prod(x, axis=(0,), keepdims=False)
            return p.total(
                pull_back([y], [constant(1.0)], [x])[0] * constant(direction),
                axis=(0,),
                keepdims=False,
            )

        return slope

    x = np.array([0.0, 0.0, 5.0])
    rows = [value_and_gradients(along(np.eye(3)[i]), x)[1] for i in range(3)]
    np.testing.assert_array_equal(rows, [[0, 5, 0], [5, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(("reduce", "neutral"), [(p.prod, 1.0), (p.total, 0.0)])
def test_a_product_and_a_sum_of_nothing(reduce, neutral):
    value, gradient = value_and_gradients(
        lambda x: reduce(x, axis=(0,), keepdims=False), np.zeros((0, 3))
    )
    np.testing.assert_array_equal(value, [neutral] * 3)
    assert gradient.shape == (0, 3)


EXTREME_ROWS = np.array(
    [[1000.0, -1000.0, 0.0], [-1000.0, -1001.0, -1000.0], [0.0, -INF, 0.0], [-INF, -INF, 7.0]]
)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_normalisers_at_extreme_logits(name):
    more = {"keepdims": False} if name == "logsumexp" else {}
    with np.errstate(all="ignore"):
        value, gradient = value_and_gradients(
            lambda x: registry[name](x, axis=(1,), **more), EXTREME_ROWS
        )
        expected = getattr(scipy.special, name)(EXTREME_ROWS, axis=1)
    np.testing.assert_allclose(value, expected, rtol=4e-16, atol=4e-16)
    probabilities = scipy.special.softmax(EXTREME_ROWS, axis=1)
    # Σᵢ ∂ softmaxᵢ = 0; Σᵢ ∂ log softmaxᵢ/∂xⱼ = 1 − n softmaxⱼ; ∂ logsumexp/∂xⱼ = softmaxⱼ.
    slopes = {
        "softmax": 0 * probabilities,
        "log_softmax": 1 - 3 * probabilities,
        "logsumexp": probabilities,
    }
    np.testing.assert_allclose(gradient, slopes[name], rtol=4e-16, atol=4e-16)


def test_logsumexp_of_nothing_but_minus_infinity():
    with np.errstate(all="ignore"):
        value, _ = value_and_gradients(
            lambda x: p.logsumexp(x, axis=(0,), keepdims=False), [-INF, -INF]
        )
    assert value == -INF


# Cross-entropy from logits, the everyday use: no warning, and the gradient stays bounded.


def test_cross_entropy_of_confident_logits():
    logits = np.array([[1000.0, 0.0, -1000.0], [-1000.0, 1000.0, 0.0]])
    chosen = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    with np.errstate(under="ignore"):
        value, gradient = value_and_gradients(
            lambda z: (
                -p.total(
                    p.log_softmax(z, axis=(1,)) * constant(chosen), axis=(0, 1), keepdims=False
                )
            ),
            logits,
        )
    assert value == 2000
    np.testing.assert_array_equal(gradient, [[0, 0, 0], [-1, 1, 0]])


# Indexing with duplicates.


def indexed(primitive, index, **attributes):
    template, arrays = template_of(index)
    nodes = [constant(a) for a in arrays]
    return lambda *x: primitive(*x, *nodes, template=template, **attributes)


def test_getitem_adds_up_the_gradient_of_an_element_read_twice():
    read = indexed(p.getitem, (np.array([0, 2, 2, -1]),), shape=(4,))
    value, gradient = value_and_gradients(read, [10.0, 11.0, 12.0], g=[1, 2, 4, 8])
    np.testing.assert_array_equal(value, [10, 12, 12, 12])
    np.testing.assert_array_equal(gradient, [1, 0, 14])


def test_embed_adds_up_what_lands_on_one_element():
    write = indexed(p.embed, (np.array([0, 2, 2, -1]),), shape=(3,))
    value, gradient = value_and_gradients(write, [1.0, 2.0, 4.0, 8.0], g=[10, 11, 12])
    np.testing.assert_array_equal(value, [1, 0, 14])
    np.testing.assert_array_equal(gradient, [10, 12, 12, 12])


def test_setitem_keeps_what_was_written_last():
    write = indexed(p.setitem, (np.array([0, 2, 2, -1]),))
    x, value = [10.0, 11.0, 12.0], [1.0, 2.0, 4.0, 8.0]
    result, by_x, by_value = value_and_gradients(write, x, value, g=[3, 5, 7])
    np.testing.assert_array_equal(result, [1, 11, 8])
    np.testing.assert_array_equal(by_x, [0, 5, 0])
    np.testing.assert_array_equal(by_value, [3, 0, 0, 7])


def test_setitem_by_two_index_arrays_keeps_the_last_of_each_pair():
    write = indexed(p.setitem, (np.array([[0], [0]]), np.array([1, 1, 0])))
    x, value = np.zeros((2, 2)), np.arange(1.0, 7.0).reshape(2, 3)
    result, by_x, by_value = value_and_gradients(write, x, value, g=[[3, 5], [7, 9]])
    np.testing.assert_array_equal(result, [[6, 5], [0, 0]])
    np.testing.assert_array_equal(by_x, [[0, 0], [7, 9]])
    np.testing.assert_array_equal(by_value, [[0, 0, 0], [0, 5, 3]])


def test_setitem_into_a_scalar_that_an_operation_made():
    write = indexed(p.setitem, ())
    result, by_x, by_value = value_and_gradients(lambda x, v: write(x * 2, v), 3.0, 4.0, g=5)
    assert (result, by_x, by_value) == (4, 0, 5)


def test_setitem_under_a_mask():
    write = indexed(p.setitem, (np.array([[True, False, True], [False, True, False]]),))
    result, by_x, by_value = value_and_gradients(
        write, np.zeros((2, 3)), [1.0, 2.0, 3.0], g=[[1, 2, 3], [4, 5, 6]]
    )
    np.testing.assert_array_equal(result, [[1, 0, 2], [0, 3, 0]])
    np.testing.assert_array_equal(by_x, [[0, 2, 0], [4, 0, 6]])
    np.testing.assert_array_equal(by_value, [1, 3, 5])
