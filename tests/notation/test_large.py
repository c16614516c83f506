"""Graphs that are deep, large or much shared."""

import time
from collections.abc import Callable

import pytest

from chainrule import primitives as p
from chainrule.graph import Node, argument
from chainrule.notation import Notation, equations, expression, index_formula


def chain(step: Callable[[Node], Node], length: int) -> Node:
    node = argument("x", (), "float64")
    for _ in range(length):
        node = step(node)
    return node


@pytest.mark.parametrize(
    "step", [p.tanh, lambda y: y + 1, lambda y: 1 / y, lambda y: p.where(y > 0, y, 1)]
)
def test_deep_expression_ends_in_an_ellipsis(step: Callable[[Node], Node]):
    formula = expression(chain(step, 20_000), max_terms=1000)
    for style in ("text", "latex", "mathml"):
        written = formula.write(style)
        assert "…" in written or r"\dots" in written
        assert len(written) < 500_000
    assert "…" in str(index_formula(chain(step, 20_000)).right)


def test_depth():
    x = argument("x", (), "float64")
    y = p.exp(x + 1) * (x - 2 * x)
    shown = [str(expression(y, depth=depth)) for depth in range(4)]
    assert shown == ["…", "… · …", "exp(…) · (x − …)", "exp(x + 1) · (x − 2 · x)"]


def test_top_of_a_long_expression_is_written():
    y = p.exp(chain(lambda y: y + y * p.tanh(y), 60)) + 1
    text = str(expression(y, max_terms=5))
    assert text == "exp(… + … + … · …) + 1"


def test_invisible_nodes_take_no_depth():
    x = argument("x", (), "float32")
    y = x
    for _ in range(3000):
        y = p.cast(p.cast(y, dtype="float64"), dtype="float32")
    assert str(expression(-y)) == "−x"


def test_equations_are_linear():
    shared = chain(lambda y: y * y + y, 500)
    lines = equations([shared])
    assert len(lines) == 500
    assert str(lines[0]) == "t1 = x² + x"
    assert str(lines[-1]) == "t500 = t499² + t499"


def test_equations_of_a_large_graph_take_seconds_at_most():
    node = chain(lambda y: p.tanh(y + 1), 20_000)
    start = time.perf_counter()
    lines = equations([node])
    assert time.perf_counter() - start < 10
    assert all(len(str(line)) < 150 for line in lines)


@pytest.mark.parametrize("max_terms", [4, 24, 100_000])
def test_equations_leave_nothing_out(max_terms: int):
    W = argument("W", (3, 3), "float64")
    x = argument("x", (3,), "float64")
    for _ in range(200):
        x = W @ p.tanh(p.reshape(p.reshape(x, shape=(1, 3)), shape=(3,)))
    for line in equations([x], max_terms=max_terms):
        for style in ("text", "latex", "mathml"):
            assert "…" not in line.write(style)


def test_short_shared_parts_are_written_out():
    x, y = argument("x", (), "float64"), argument("y", (), "float64")
    difference = y - x
    (line,) = equations([difference * (difference + 1)])
    assert str(line) == "t1 = (y − x) · (y − x + 1)"
    long = p.exp(y - x)
    assert [str(line) for line in equations([long * (long + 1)])] == [
        "t1 = exp(y − x)",
        "t2 = t1 · (t1 + 1)",
    ]


def test_shared_below_a_broadcast_is_named_without_it():
    x, big = argument("x", (3,), "float64"), argument("X", (4, 3), "float64")
    long = p.broadcast_to(p.exp(x + 1), shape=(4, 3))
    lines = [str(line) for line in equations([big * long + long])]
    assert lines == ["t1 = exp(x + 1)", "t2 = X · t1 + t1"]


def test_many_outputs_and_an_output_inside_another():
    x = argument("x", (), "float64")
    inner = p.exp(x)
    outer = inner + 1
    assert [str(line) for line in equations([inner, outer, x])] == ["t1 = exp(x)", "t2 = t1 + 1"]


def test_named_inputs_are_where_a_step_begins():
    a, W, b = (argument(n, s, "float64") for n, s in (("a", (4, 2)), ("W", (2, 3)), ("b", (3,))))
    z = a @ W + b
    notation = Notation([p.tanh(z)], names={z: "z"})
    assert notation.named_inputs(z) == [a, W, b]
    assert notation.named_inputs(p.tanh(z)) == [z]
