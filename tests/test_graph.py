"""Nodes, graphs, their order and their sameness."""

import gc
import time

import numpy as np
import pytest
from hypothesis import given

from chainrule import primitives as p
from chainrule.gradient import substitute
from chainrule.graph import (
    Graph,
    Node,
    argument,
    constant,
    primitive,
    registry,
    same_expression,
    topological_order,
)
from chainrule.interpreter import evaluate_nodes
from chainrule.pytrees import flatten

from .primitives.checking import graph_of
from .primitives.random_graphs import expressions


def vector(name="x", size=3, dtype="float64"):
    return argument(name, (size,), dtype)


# Nodes.


def test_a_node_says_what_it_is():
    x = argument("x", (2, 3), "float32")
    assert (x.name, x.shape, x.ndim, x.size, x.dtype) == ("x", (2, 3), 2, 6, np.float32)
    assert (repr(x), repr(2 * x)) == ("<x = argument float32[2, 3]>", "<multiply float32[2, 3]>")
    assert x.source is None
    assert x.differentiable
    assert not (x > 0).differentiable
    assert argument("n", (), "int64").size == 1
    assert argument("n", (0, 3), "int64").size == 0


OPERATORS = {
    "-x": (lambda x: -x, lambda x: np.negative(x)),
    "x + 2": (lambda x: x + 2, lambda x: x + 2),
    "2 + x": (lambda x: 2 + x, lambda x: 2 + x),
    "x - 2": (lambda x: x - 2, lambda x: x - 2),
    "2 - x": (lambda x: 2 - x, lambda x: 2 - x),
    "x * 2": (lambda x: x * 2, lambda x: x * 2),
    "2 * x": (lambda x: 2 * x, lambda x: 2 * x),
    "x / 4": (lambda x: x / 4, lambda x: x / 4),
    "4 / x": (lambda x: 4 / x, lambda x: 4 / x),
    "x ** 3": (lambda x: x**3, lambda x: np.power(x, np.array(3, x.dtype))),
    "x @ x": (lambda x: x @ x, lambda x: x @ x),
    "x > 1": (lambda x: x > 1, lambda x: x > 1),
    "x >= 1": (lambda x: x >= 1, lambda x: x >= 1),
    "x < 1": (lambda x: x < 1, lambda x: x < 1),
    "x <= 1": (lambda x: x <= 1, lambda x: x <= 1),
    "array * x": (lambda x: np.arange(3.0) * x, lambda x: np.arange(3.0, dtype=x.dtype) * x),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_nodes_have_numpys_operators(operator, dtype):
    ours, numpys = OPERATORS[operator]
    value = np.array([1.0, -2.0, 0.7], dtype=dtype)
    x = vector(dtype=dtype)
    y = ours(x)
    expected = np.asarray(numpys(value))
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(evaluate_nodes([y], {x: value})[0], expected)


def test_a_broadcast_is_a_node_of_its_own():
    column, row = argument("a", (2, 1), "float64"), argument("b", (3,), "float64")
    y = column + row
    assert y.shape == (2, 3)
    assert [operand.primitive.name for operand in y.inputs] == ["broadcast_to"] * 2
    assert (column + column).inputs == (column, column)
    with pytest.raises(ValueError, match=r"could not be broadcast|shape mismatch"):
        row + vector(size=4)


def test_a_number_beside_a_node_takes_its_dtype_and_is_never_cut():
    assert (vector(dtype="float32") * 0.1).inputs[1].dtype == np.float32
    count = argument("n", (), "int64")
    assert (count * 2).dtype == np.int64
    with pytest.raises(AssertionError, match=r"2\.5 would be cut to int64"):
        count * 2.5


def test_operands_of_different_dtype_are_refused():
    with pytest.raises(AssertionError):
        vector(dtype="float32") + vector()
    with pytest.raises(AssertionError):
        p.matmul(vector(dtype="float32"), vector())
    with pytest.raises(AssertionError):
        p.einsum(vector(dtype="float32"), vector(), subscripts="i,i->")


@pytest.mark.parametrize(
    "make",
    [
        lambda: p.matmul(vector(size=3), vector(size=4)),
        lambda: p.matmul(argument("a", (2, 3), "float64"), argument("b", (2, 3), "float64")),
        lambda: p.matmul(argument("a", (5, 2, 3), "float64"), argument("b", (4, 3, 2), "float64")),
        lambda: p.matmul(argument("a", (5, 2, 3), "float64"), vector(size=3)),
        lambda: p.einsum(vector(size=3), vector(size=4), subscripts="i,i->"),
        lambda: p.einsum(argument("a", (3, 3), "float64"), subscripts="ii->i"),
        lambda: p.where(vector(), vector(), vector()),
        lambda: p.setitem(vector(), vector(dtype="float32"), template=()),
    ],
)
def test_shape_rules_refuse_what_does_not_fit(make):
    with pytest.raises(AssertionError):
        make()


def test_a_constant_is_copied_and_cannot_be_written_to():
    array = np.array([1.0, 2.0])
    node = constant(array)
    array[0] = 7
    np.testing.assert_array_equal(node.value, [1, 2])
    with pytest.raises(ValueError, match="read-only"):
        node.value[0] = 7


def test_a_broadcast_or_cast_constant_is_constant():
    number = constant(1)
    assert number.is_constant
    assert p.broadcast_to(p.cast(number, dtype=np.dtype("float32")), shape=(2,)).is_constant
    assert not (number + 1).is_constant
    assert not vector().is_constant


def test_a_name_is_registered_once():
    with pytest.raises(AssertionError, match="two primitives are called tanh"):
        primitive(show="tanh({x})", name="tanh")(lambda x: x)
    assert registry["tanh"] is p.tanh


# Order.


@given(expressions())
def test_every_node_comes_once_and_after_its_inputs(expression):
    order = topological_order(expression.outputs)
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[x] < place[node] for node in order for x in node.inputs)
    assert set(expression.outputs) <= set(order)
    # Nothing else: every node is reached from an output.
    needed = set(expression.outputs)
    for node in reversed(order):
        assert node in needed
        needed.update(node.inputs)


def test_order_follows_the_inputs_from_left_to_right():
    x, y = vector(), vector("y")
    z = p.sin(x) + p.cos(y)
    names = [node.primitive.name for node in topological_order([z])]
    assert names == ["argument", "sin", "argument", "cos", "add"]
    assert topological_order([x, y, x]) == [x, y]
    assert topological_order([]) == []
    assert topological_order([z], known=[z.inputs[0]]) == [y, z.inputs[1], z]
    assert topological_order([z], known=[z]) == []


def chain(length):
    node = argument("x", (), "float64")
    for _ in range(length):
        node = p.negative(node)
    return node


def test_a_hundred_thousand_nodes_deep():
    last = chain(100_000)
    order = topological_order([last])
    assert len(order) == 100_001
    assert order[-1] is last
    assert evaluate_nodes([last], {order[0]: np.asarray(2.0)}) == [2.0]
    [copy] = substitute([last], {order[0]: argument("z", (), "float64")})
    assert same_expression([last], [copy], {order[0]: topological_order([copy])[0]})


def test_order_takes_time_in_proportion():
    # The processor's own time, and no collection of what other tests left: of this function alone.
    def seconds(outputs):
        best = np.inf
        gc.disable()
        try:
            for _ in range(5):
                start = time.process_time()
                topological_order(outputs)
                best = min(best, time.process_time() - start)
        finally:
            gc.enable()
        return best

    # Ten times the nodes; something quadratic would take a hundred times as long.
    assert seconds([chain(50_000)]) < 40 * seconds([chain(5_000)])
    # One node with many inputs, and many outputs that share theirs.
    x = [argument(f"x{i}", (1,), "float64") for i in range(20_000)]
    joined = p.concatenate(*x, axis=0)
    assert seconds([joined]) < 1
    assert seconds([joined] * 1000) < 1


# Sameness.


def loss_of(names, dtype="float64", power=2, keepdims=False, shift=1.0):
    W, x = (argument(name, shape, dtype) for name, shape in zip(names, ((2, 3), (3,)), strict=True))
    h = p.tanh(W @ x + shift)
    return graph_of([W, x], [p.total(h**power, axis=(0,), keepdims=keepdims), h])


def test_the_same_program_traced_twice_is_the_same_whatever_the_names():
    assert loss_of("Wx").same_as(loss_of("Vz"))


@pytest.mark.parametrize(
    "other",
    [
        loss_of("Wx", dtype="float32"),
        loss_of("Wx", power=3),
        loss_of("Wx", keepdims=True),
        loss_of("Wx", shift=-1.0),
        loss_of("Wx", shift=np.nextafter(1.0, 2.0)),
    ],
)
def test_another_dtype_constant_or_attribute_is_another_expression(other):
    assert not loss_of("Wx").same_as(other)
    assert not other.same_as(loss_of("Wx"))


def pair():
    return argument("a", (3,), "float64"), argument("b", (3,), "float64")


def test_operands_exchanged_or_another_operation_or_argument_differ():
    a, b = pair()
    one = graph_of([a, b], [a - b])
    assert one.same_as(graph_of([b, a], [b - a]))
    for other in (b - a, a + b, a - a, a, -(b - a)):
        assert not one.same_as(graph_of([a, b], [other]))
    # The arguments in another order.
    assert not one.same_as(graph_of([b, a], [a - b]))


def test_arguments_of_other_shape_or_dtype_differ_even_if_handed_out_unchanged():
    x, longer, single = vector(), vector(size=4), vector(dtype="float32")
    z = vector("z")
    assert graph_of([x], [x]).same_as(graph_of([z], [z]))
    assert not graph_of([x], [x]).same_as(graph_of([longer], [longer]))
    assert not graph_of([x], [x]).same_as(graph_of([single], [single]))


def test_nesting_static_values_and_the_number_of_outputs_count():
    a, b = pair()
    nested = Graph((a, b), (a + b,), flatten(((a, b),))[1], flatten((0,))[1])
    assert not graph_of([a, b], [a + b]).same_as(nested)
    assert not graph_of([a, b], [a + b]).same_as(graph_of([a, b], [a + b, a]))
    structures = flatten((a, b, 0))[1], flatten((0,))[1]
    two, three = (Graph((a, b), (a + b,), *structures, static={2: n}) for n in (2, 3))
    assert two.same_as(two)
    assert not two.same_as(three)


def test_sharing_does_not_matter_in_either_direction():
    x = vector()
    once = p.sin(x)
    shared, apart = once * once, p.sin(x) * p.sin(x)
    assert same_expression([shared], [apart], {x: x})
    assert same_expression([apart], [shared], {x: x})


def test_constants_are_compared_to_the_bit():
    def same(a, b):
        return same_expression([constant(a)], [constant(b)], {})

    assert same(np.nan, np.nan)
    assert same([1.0, 2.0], [1.0, 2.0])
    assert not same(0.0, -0.0)
    assert not same(1.0, np.float32(1.0))
    assert not same(1, 1.0)
    assert not same([1.0, 2.0], [[1.0, 2.0]])


def test_sameness_takes_one_pass_however_many_paths_there_are():
    def doubled(x):
        for _ in range(200):  # 2²⁰⁰ paths
            x = x + x
        return x

    x, z = vector(), vector("z")
    assert same_expression([doubled(x)], [doubled(z)], {x: z})
    assert not same_expression([doubled(x)], [doubled(-z)], {x: z})


@given(expressions())
def test_a_renamed_copy_is_the_same_and_a_changed_one_is_not(expression):
    names = {x: argument("w", x.shape, x.dtype) for x in expression.arguments}
    copies = substitute(expression.outputs, names)
    assert same_expression(expression.outputs, copies, names)
    assert same_expression(copies, expression.outputs, {b: a for a, b in names.items()})
    changed = [*copies[:-1], -copies[-1]]
    assert not same_expression(expression.outputs, changed, names)


def test_a_graph_gives_its_nodes_in_order_guards_included():
    graph = loss_of("Wx")
    assert list(graph) == graph.nodes() == topological_order(graph.outputs)
    assert all(isinstance(node, Node) for node in graph)
