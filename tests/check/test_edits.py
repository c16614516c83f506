"""Edits of a program's text: how they change it, and that what was meant is among them."""

from __future__ import annotations

import ast
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainrule.check.edits import Edit, Source, scope_of
from chainrule.check.moves import into_the_loop, moved_and_added
from chainrule.check.programs import Program, load_program
from chainrule.check.repairs import CAUSES
from chainrule.check.rewriting import copied_alias, rewritten

PROGRAMS = Path(__file__).parents[1] / "programs"
MANIFEST = tomllib.loads((PROGRAMS / "manifest.toml").read_text(encoding="utf-8"))["programs"]

NET = """
import numpy as np

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def sigmoid_prime(a):
    return a * (1 - a)

W1, b1, W2, b2 = weights
for step in range(6):
    n = len(X)
    z = X @ W1 + b1
    h = sigmoid(z)
    out = h @ W2 + b2
    loss = np.sum((out - y) ** 2) / n + lam / 2 * np.sum(W1 ** 2)
    d_out = 2 * (out - y) / n
    dW2 = h.T @ d_out
    db2 = d_out.sum(axis=0)
    d_h = d_out @ W2.T
    d_z = d_h * sigmoid_prime(h)
    dW1 = X.T @ d_z + lam * W1
    db1 = np.sum(d_z, axis=0)
    W1 -= 0.1 * dW1
    b1 -= 0.1 * db1
    W2 -= 0.1 * dW2
    b2 -= 0.1 * db2
"""
FORWARD = frozenset({"z", "h", "out"})


def edit(start: tuple[int, int], end: tuple[int, int], text: str) -> Edit:
    return Edit(start, end, text, "sign", "its sign is reversed", 1.0)


def edits(text: str, line: int, wrong: tuple[str, ...] = ()) -> Iterator[Edit]:
    """Every edit of the statements in a line."""
    source = Source(text, ast.parse(text))
    for statement in source.statements[line]:
        scope = scope_of(source, statement, FORWARD)
        yield from rewritten(source, statement, scope)
        yield from moved_and_added(source, statement, scope, wrong)
        yield from into_the_loop(source, statement)


def line_of(text: str, line: str) -> int:
    return [each.strip() for each in text.split("\n")].index(line) + 1


@pytest.mark.parametrize(
    ("text", "change", "changed"),
    [
        ("a = 1\nb = 2\n", edit((2, 4), (2, 5), "-2"), "a = 1\nb = -2\n"),
        ("é = 'ä' + b", edit((1, 12), (1, 13), "ż"), "é = 'ä' + ż"),
        ("d = (a\n  + b)\ne = d", edit((1, 4), (2, 6), "c"), "d = c\ne = d"),
        (
            "d = (α\n  + b)\ne = d",
            edit((2, 2), (2, 5), "- b\n  - c"),
            "d = (α\n  - b\n  - c)\ne = d",
        ),
        ("a\nb\nc", edit((1, 0), (2, 1), "b\na"), "b\na\nc"),
        ("a\nb", edit((2, 1), (2, 1), "\nc"), "a\nb\nc"),
    ],
)
def test_an_edit_changes_what_it_names_and_nothing_else(text: str, change: Edit, changed: str):
    assert change.applied(text) == changed
    lines = text.split("\n")
    lines[change.start[0] - 1 : change.end[0]] = change.lines(text)
    assert "\n".join(lines) == changed
    assert change.line == change.start[0]


def test_a_node_is_read_as_it_was_written():
    text = "é = (a +\n     'ö')  # ü\nf = é * (é - 1)\n"
    source = Source(text, ast.parse(text))
    first, second = (each for each in source.tree.body if isinstance(each, ast.Assign))
    assert source.of(first.value) == "a +\n     'ö'"
    assert isinstance(second.value, ast.BinOp)
    assert source.of(second.value.right) == "é - 1"
    assert source.factor(second.value.right) == "(é - 1)"
    assert [len(source.statements[n]) for n in (1, 2, 3)] == [1, 1, 1]


# What is right, and what was written in its place.
SLIPS = [
    ("factor", "d_out = 2 * (out - y) / n", "d_out = (out - y) / n"),
    ("factor", "d_out = 2 * (out - y) / n", "d_out = 2 * (out - y)"),
    ("derivative-missing", "d_z = d_h * sigmoid_prime(h)", "d_z = d_h"),
    ("derivative-twice", "dW2 = h.T @ d_out", "dW2 = h.T @ (d_out * sigmoid_prime(out))"),
    ("derivative-point", "d_z = d_h * sigmoid_prime(h)", "d_z = d_h * sigmoid_prime(z)"),
    ("derivative-of-another", "d_z = d_h * sigmoid_prime(h)", "d_z = d_h * sigmoid(h)"),
    ("derivative-of-another", "d_z = d_h * sigmoid_prime(h)", "d_z = d_h * (1 - h ** 2)"),
    ("transpose", "d_h = d_out @ W2.T", "d_h = d_out @ W2"),
    ("transpose", "dW2 = h.T @ d_out", "dW2 = d_out.T @ h"),
    ("axis", "db1 = np.sum(d_z, axis=0)", "db1 = np.sum(d_z, axis=1)"),
    ("mean-for-sum", "db1 = np.sum(d_z, axis=0)", "db1 = np.mean(d_z, axis=0)"),
    ("bias", "db2 = d_out.sum(axis=0)", "db2 = d_out.sum()"),
    ("sign", "d_out = 2 * (out - y) / n", "d_out = 2 * (y - out) / n"),
    ("sign", "W2 -= 0.1 * dW2", "W2 += 0.1 * dW2"),
    ("stale", "db2 = d_out.sum(axis=0)", "db2 += d_out.sum(axis=0)"),
    ("update", "b1 -= 0.1 * db1", "b1 -= 0.1 * db2"),
    ("regularisation", "dW1 = X.T @ d_z + lam * W1", "dW1 = X.T @ d_z"),
    ("regularisation", "dW2 = h.T @ d_out", "dW2 = h.T @ d_out + lam * W2"),
    ("one-sample-loss", "d_out = 2 * (out - y) / n", "d_out = 2 * (out[0] - y[0]) / n"),
]  # fmt: skip


def plain(node: ast.AST) -> str:
    """A tree as text, the same for products and sums whose parts stand in another order."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        return " * ".join(sorted(factors(node, over=False)))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return " + ".join(sorted([plain(node.left), plain(node.right)]))
    parts = [f"{key}={value}" for key, value in ast.iter_fields(node) if is_word(value)]
    return f"{type(node).__name__}({parts}{[plain(each) for each in ast.iter_child_nodes(node)]})"


def is_word(value: object) -> bool:
    return isinstance(value, str | int | float)


def factors(node: ast.AST, *, over: bool) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from factors(node.left, over=over)
        yield from factors(node.right, over=over != isinstance(node.op, ast.Div))
    else:
        yield f"1/{plain(node)}" if over else plain(node)


def statement(lines: list[str]) -> str:
    return plain(ast.parse("\n".join(lines).strip()))


@pytest.mark.parametrize(("cause", "right", "slip"), SLIPS, ids=[each[2] for each in SLIPS])
def test_what_was_meant_is_among_the_edits_of_a_slip(cause: str, right: str, slip: str):
    line = line_of(NET, right)
    text = NET.replace(right, slip)
    found = [each for each in edits(text, line) if each.start[0] == each.end[0] == line]
    meant = {each.cause for each in found if statement(each.lines(text)) == statement([right])}
    assert cause in meant


@pytest.mark.parametrize(
    ("cause", "line", "text"),
    [
        # An update that stands before its parameter is used.
        ("updated-early", "W2 -= 0.1 * dW2", NET.replace("    W2 -= 0.1 * dW2\n", "").replace(
            "    d_h =", "    W2 -= 0.1 * dW2\n    d_h =")),
        # A line that uses a value before it is set.
        ("stale", "d_h = d_out @ W2.T", NET.replace("    d_h = d_out @ W2.T\n", "").replace(
            "    d_out =", "    d_h = d_out @ W2.T\n    d_out =")),
        # An update that was forgotten.
        ("update", "b2 -= 0.1 * db2", NET.replace("    b1 -= 0.1 * db1\n", "")),
    ],
    ids=["updated early", "stale", "never updated"],
)  # fmt: skip
def test_statements_are_moved_and_added(cause: str, line: str, text: str):
    assert text != NET

    def lines(program: str) -> list[str]:
        return sorted(program.split("\n"))

    found = [each for each in edits(text, line_of(text, line), ("b1",)) if each.cause == cause]
    assert any(lines(each.applied(text)) == lines(NET) for each in found)


def test_what_is_set_before_the_loop_is_set_in_it():
    text = "G = np.zeros(3)\nfor i in range(3):\n    G += i\n    W -= G\n"
    source = Source(text, ast.parse(text))
    (found,) = into_the_loop(source, source.statements[3][0])
    assert (
        found.applied(text) == "for i in range(3):\n    G = np.zeros(3)\n    G += i\n    W -= G\n"
    )
    assert found.cause == "stale"


def test_another_name_for_an_array_becomes_a_copy():
    text = "old = W\nW -= g\n"
    source = Source(text, ast.parse(text))
    (statement,) = source.statements[1]
    assert isinstance(statement, ast.Assign)
    assert copied_alias(source, statement.value).applied(text) == "old = W.copy()\nW -= g\n"


def gradient_lines(program: Program, known: dict[str, object]) -> list[int]:
    """The wrong line of a program, and those beside it."""
    own = [i for i, each in enumerate(program.places, 1) if each.cell == known.get("cell")]
    lines = [i for i in own if program.place(i).line == known["line"]]
    return [n for line in lines for n in range(line - 1, line + 2)]


WRONG = {name: known for name, known in MANIFEST.items() if known["verdict"] == "wrong"}


def test_every_edit_of_the_corpus_is_of_a_known_cause_and_nearly_all_are_python():
    counted = broken = 0
    for name, known in WRONG.items():
        program = load_program(PROGRAMS / name)
        source = Source(program.text, program.tree())
        for line in gradient_lines(program, known):
            for statement in source.statements.get(line, ()):
                scope = scope_of(source, statement, frozenset())
                for each in rewritten(source, statement, scope):
                    counted += 1
                    assert each.cause in CAUSES, each
                    assert each.why, each
                    assert each.why == each.why.strip().rstrip("."), each
                    assert each.expression is not None, each
                    broken += not parses(each.expression)
    assert counted > 10_000
    assert broken <= counted / 100


def parses(expression: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(f"({expression}\n)", "edit", "eval")
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("name", list(WRONG)[::6])
def test_edits_of_a_corpus_program_leave_all_else_as_it_is(name: str):
    program = load_program(PROGRAMS / name)
    source = Source(program.text, program.tree())
    lines = program.text.split("\n")
    for line in gradient_lines(program, WRONG[name]):
        for statement in source.statements.get(line, ()):
            scope = scope_of(source, statement, frozenset())
            for each in (
                *rewritten(source, statement, scope),
                *moved_and_added(source, statement, scope, ("W1",)),
            ):
                new = each.applied(program.text).split("\n")
                first, last = each.start[0] - 1, each.end[0]
                assert new[:first] == lines[:first]
                assert new[len(new) - (len(lines) - last) :] == lines[last:]
