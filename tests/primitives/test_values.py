"""Every primitive's value against NumPy or SciPy itself, and its shape rule against the value."""

import numpy as np
import pytest

from chainrule.graph import registry
from chainrule.interpreter import Program, evaluate_nodes

from .checking import apply, assert_same_bits, graph_of
from .specs import SPECS, draw, missing_specs

CASES = [
    pytest.param(name, case, id=f"{name}-{case}")
    for name, spec in SPECS.items()
    for case in spec.cases
]
SEED = 5


def check_value(primitive, case, spec, dtype):
    """The value, its dtype and shape; that inputs are left alone, and not handed out again."""
    arrays = draw(case, primitive.name, dtype, np.random.default_rng(SEED))
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    nodes, y = apply(primitive, case, arrays)
    [value] = evaluate_nodes([y], dict(zip(nodes, arrays, strict=True)))
    [compiled] = Program(graph_of(nodes, [y]))(*arrays)
    value = np.asarray(value)
    assert (value.shape, value.dtype) == (y.shape, y.dtype)
    assert_same_bits(compiled, value)
    for a, b in zip(arrays, before, strict=True):
        assert_same_bits(a, b)
        if not spec.alias:
            assert not np.shares_memory(value, a)
    expected = np.asarray((case.oracle or spec.oracle)(*before, **case.attributes))
    if not spec.ulps:
        assert_same_bits(value, expected)
        return
    assert (value.shape, value.dtype) == (expected.shape, expected.dtype)
    [x] = before
    bound = spec.ulps * np.finfo(dtype).eps * x.size * (1 + np.max(np.abs(x), initial=0))
    assert np.all(np.abs(value - expected) <= bound * (np.abs(expected) if spec.relative else 1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "case"), CASES)
def test_value(name, case, dtype):
    check_value(registry[name], case, SPECS[name], dtype)


def test_every_primitive_has_a_spec_and_every_spec_a_primitive():
    assert missing_specs(registry) == set()
    assert set(SPECS) <= set(registry)


def test_every_primitive_with_a_gradient_has_a_rule_and_is_judged():
    for name, primitive in registry.items():
        judged = SPECS[name].method is not None
        assert primitive.differentiable == (primitive.rule is not None), name
        # No gradient passes through a truth value, a position or a constant piece.
        assert judged == primitive.differentiable, name


@pytest.mark.parametrize("name", SPECS)
def test_every_primitive_says_what_it_is(name):
    primitive = registry[name]
    assert primitive.doc.endswith(".")
    assert primitive.kind in ("elementwise", "reduction", "contraction", "structural", "indexing")
    assert repr(primitive) == f"<primitive {name}>"


# Whole numbers and truth values: the node's dtype is that of NumPy's result, whatever that is.

WHOLE = [
    name
    for name in SPECS
    if not name.startswith("logical_")
    and name not in ("cast", "logsumexp", "softmax", "log_softmax")
]


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool_])
@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_and_truth_values(name, dtype):
    primitive, spec = registry[name], SPECS[name]
    case = next(c for c in spec.cases if any(x.array is None and x.shape for x in c.inputs))
    drawn = draw(case, name, np.float64, np.random.default_rng(SEED))
    arrays = [
        np.rint(np.abs(a) * 2 + 1).astype(dtype) if x.array is None else a
        for x, a in zip(case.inputs, drawn, strict=True)
    ]
    try:
        with np.errstate(all="ignore"):
            expected = np.asarray((case.oracle or spec.oracle)(*arrays, **case.attributes))
    except TypeError:  # NumPy subtracts no truth values, and raises them to no power
        with pytest.raises(TypeError):
            apply(primitive, case, arrays)
        return
    nodes, y = apply(primitive, case, arrays)
    [value] = evaluate_nodes([y], dict(zip(nodes, arrays, strict=True)))
    [compiled] = Program(graph_of(nodes, [y]))(*arrays)
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    assert_same_bits(compiled, value)
    if not spec.ulps:
        assert_same_bits(value, expected)
    np.testing.assert_allclose(value, expected, rtol=4 * np.finfo(float).eps)


# Complex values, which carry a derivative along: a choice is made by the real part, at a tie too.

CHOOSING = [
    name
    for name, spec in SPECS.items()
    if spec.method is None and not name.startswith("logical_") and name != "stop_gradient"
]


@pytest.mark.parametrize("name", CHOOSING)
def test_a_choice_is_made_by_the_real_part(name):
    primitive, spec = registry[name], SPECS[name]
    rng = np.random.default_rng(SEED)
    for case in spec.cases:
        arrays = draw(case, name, np.float64, rng)
        nodes, y = apply(primitive, case, arrays)
        moved = [a + 1j * rng.uniform(-1, 1, a.shape) * 1e-30 for a in arrays]
        [plain] = evaluate_nodes([y], dict(zip(nodes, arrays, strict=True)))
        [value] = evaluate_nodes([y], dict(zip(nodes, moved, strict=True)))
        assert_same_bits(value, plain)
