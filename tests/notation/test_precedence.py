"""What is printed, read back as arithmetic, has the value of the graph.

Values are fractions, so that a misplaced parenthesis shows and rounding does not.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chainrule import primitives as p
from chainrule.graph import Node, argument, topological_order
from chainrule.notation import Formula, equations, expression

VALUES = {"a": Fraction(3, 2), "b": Fraction(-2, 3), "c": Fraction(5), "d": Fraction(-7, 4)}
LEAVES = [argument(name, (), "float64") for name in VALUES]


def squash(x: Fraction) -> Fraction:
    """Stands for tanh: another function that fractions have."""
    return x / (1 + x * x)


RULES: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negative": lambda x: -x,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "power": lambda a, b: a**b,
    "tanh": squash,
    "maximum": max,
    "absolute": abs,
    "greater": lambda a, b: a > b,
    "where": lambda condition, a, b: a if condition else b,
}


def value_of(output: Node) -> Fraction:
    """The value, by the rules above."""
    known: dict[Node, Any] = {}
    for node in topological_order([output]):
        if node.primitive.name == "argument":
            known[node] = VALUES[node.name or ""]
        elif node.primitive.name == "constant":
            known[node] = Fraction(float(node.value))
        else:
            operands = [known[operand] for operand in node.inputs]
            known[node] = RULES[node.primitive.name](*operands)
    return known[output]


NUMBERS = st.sampled_from([2.0, -3.0, 0.5, -0.25, 4.0])
EXPONENTS = st.sampled_from([2.0, 3.0, -1.0, -2.0])


def grown(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pair = st.tuples(nodes, nodes)
    return st.one_of(
        pair.map(lambda ab: ab[0] + ab[1]),
        pair.map(lambda ab: ab[0] - ab[1]),
        pair.map(lambda ab: ab[0] * ab[1]),
        pair.map(lambda ab: ab[0] / ab[1]),
        pair.map(lambda ab: p.maximum(*ab)),
        st.tuples(nodes, nodes, nodes).map(lambda abc: p.where(abc[0] > abc[1], abc[1], abc[2])),
        nodes.map(lambda x: x * x),
        st.sampled_from([p.negative, p.square, p.reciprocal, p.tanh, p.absolute]).flatmap(
            lambda primitive: nodes.map(primitive)
        ),
        st.tuples(nodes, NUMBERS).map(lambda an: an[0] * an[1]),
        st.tuples(nodes, NUMBERS).map(lambda an: an[1] - an[0]),
        st.tuples(nodes, EXPONENTS).map(lambda an: an[0] ** an[1]),
    )


EXPRESSIONS = st.recursive(st.sampled_from(LEAVES), grown, max_leaves=12)

DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def python_from_text(text: str) -> str:
    """Text as Python: other signs for the operators, nothing else."""
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"**({m[0].translate(DIGITS)})", text)
    text = bars_as_calls(text)
    return text.replace("−", "-").replace(" · ", " * ").replace("^", "**")


def bars_as_calls(text: str) -> str:
    """|x| as a call: a bar opens where an operand is expected, and closes after one."""
    out = ""
    for character in text:
        if character != "|":
            out += character
        elif not out.strip() or out.rstrip().endswith((*"+−·/(,*", "if", "else", ">")):
            out += "abs("
        else:
            out += ")"
    return out


def python_from_latex(latex: str) -> str:
    """LaTeX as Python, by its braces alone."""
    out, position = "", 0
    while position < len(latex):
        rest = latex[position:]
        if rest.startswith(r"\frac"):
            above, position = braced(latex, position + len(r"\frac"))
            below, position = braced(latex, position)
            out += f"(({python_from_latex(above)}) / ({python_from_latex(below)}))"
        elif rest.startswith(r"\begin{cases}"):
            end = matching_end(latex, position)
            inside = latex[position + len(r"\begin{cases}") : end]
            first, other = rows(inside)
            value, condition = cells(first)
            condition = condition.replace(r"\text{if }", "")
            parts = [python_from_latex(part) for part in (value, condition, cells(other)[0])]
            out += f"(({parts[0]}) if ({parts[1]}) else ({parts[2]}))"
            position = end + len(r"\end{cases}")
        elif rest[0] == "^":
            if rest[1] == "{":
                exponent, position = braced(latex, position + 1)
            else:
                exponent, position = rest[1], position + 2
            out += f"**({python_from_latex(exponent)})"
        else:
            out += rest[0]
            position += 1
    for old, new in (
        (r"\left\lvert", "abs("),
        (r"\right\rvert", ")"),
        (r"\lvert", "abs("),
        (r"\rvert", ")"),
        (r"\left", ""),
        (r"\right", ""),
        (r"\cdot", "*"),
        (r"\tanh", "tanh"),
        (r"\max", "max"),
    ):
        out = out.replace(old, new)
    return out


def braced(latex: str, position: int) -> tuple[str, int]:
    """What stands between braces, and the position after them."""
    assert latex[position] == "{"
    depth = 0
    for end in range(position, len(latex)):
        depth += {"{": 1, "}": -1}.get(latex[end], 0)
        if depth == 0:
            return latex[position + 1 : end], end + 1
    raise AssertionError(latex)


def matching_end(latex: str, position: int) -> int:
    depth = 0
    for found in re.finditer(r"\\(begin|end)\{cases\}", latex[position:]):
        depth += 1 if found[1] == "begin" else -1
        if depth == 0:
            return position + found.start()
    raise AssertionError(latex)


def split_outside(text: str, mark: str) -> list[str]:
    """A text split at a mark that is not inside cases."""
    parts, depth, start = [], 0, 0
    for found in re.finditer(r"\\begin|\\end|" + re.escape(mark), text):
        if found[0] == mark and depth == 0:
            parts.append(text[start : found.start()])
            start = found.end()
        depth += {r"\begin": 1, r"\end": -1}.get(found[0], 0)
    return [*parts, text[start:]]


def rows(text: str) -> list[str]:
    return split_outside(text, r"\\")


def cells(text: str) -> list[str]:
    return split_outside(text, "&")


def evaluated(python: str, known: dict[str, Fraction]) -> Fraction:
    exact = re.sub(r"(?<!\w)\d+(\.\d+)?", lambda m: f"F('{m[0]}')", python)
    return eval(exact, {"F": Fraction, "tanh": squash, "max": max, "abs": abs, **known})


def expected(node: Node) -> Fraction:
    try:
        value = value_of(node)
    except (ZeroDivisionError, OverflowError):
        assume(False)
        raise
    assume(value.denominator < 10**400)
    return value


@given(EXPRESSIONS)
def test_text_read_back_has_the_same_value(node: Node):
    value = expected(node)
    text = str(expression(node, max_terms=10_000))
    assume("…" not in text)
    assert evaluated(python_from_text(text), VALUES) == value, text


@given(EXPRESSIONS)
def test_latex_read_back_has_the_same_value(node: Node):
    value = expected(node)
    latex = expression(node, max_terms=10_000).latex
    assume(r"\dots" not in latex)
    assert evaluated(python_from_latex(latex), VALUES) == value, latex


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 99), st.integers(0, 99)), max_size=25))
def test_equations_read_back_have_the_same_value(steps: list[tuple[int, int, int]]):
    nodes = list(LEAVES)
    for kind, i, j in steps:
        a, b = nodes[-1 - i % len(nodes)], nodes[-1 - j % len(nodes)]
        made = [a + b, a - b, a * b, -a, p.tanh(a), p.square(p.tanh(a)), p.maximum(a, b)]
        nodes.append(made[kind])
    value = expected(nodes[-1])
    known = dict(VALUES)
    lines = equations([nodes[-1]], max_terms=9)
    for line in lines:
        right = str(line.right)
        assert "…" not in right
        assert len(re.findall(r"\w+", right)) <= 9
        known[str(line.left)] = evaluated(python_from_text(right), known)
    result = known[str(lines[-1].left)] if lines else VALUES[nodes[-1].name or ""]
    assert result == value


a, b, c, d = LEAVES
MINIMAL = {
    "a + b + c − d": (a + (b + (c - d))),
    "a − (b − c)": a - (b - c),
    "a · b / c": a * (b / c),
    "a / (b · c)": a / (b * c),
    "a / b / c": a / b / c,
    "(a + b) · c": (a + b) * c,
    "−a · b": (-a) * b,
    "a · (−b)": a * -b,
    "a − (−b)": a - -b,
    "−(−a)": p.negative(-a),
    "−(a + b)": -(a + b),
    "−a + b": -a + b,
    "(−a)²": p.square(-a),
    "−a²": -p.square(a),
    "(a²)³": p.square(a) ** 3,
    "a^(b + 1)": a ** (b + 1),
    "a^b": a**b,
    "a⁻¹": a**-1,
    "(a / b)²": p.square(a / b),
    "√(a + b)": p.sqrt(a + b),
    "√a · b": p.sqrt(a) * b,
    "(√a)²": p.square(p.sqrt(a)),
    "√(a²)": p.sqrt(p.square(a)),
    "1 / (a + b)": p.reciprocal(a + b),
    "exp(a) − 1 − b": p.expm1(a) - b,
    "b − (exp(a) − 1)": b - p.expm1(a),
    "(a if b > c else d) + 1": p.where(b > c, a, d) + 1,
    "a if b > c else (c if a > b else d)": p.where(b > c, a, p.where(a > b, c, d)),
    "a > b ∧ ¬(b > c)": p.logical_and(a > b, p.logical_not(b > c)),
    "(a > b ∨ b > c) ∧ c > d": p.logical_and(p.logical_or(a > b, b > c), c > d),
    "a · (−0.5)": a * -0.5,
    "(−2)^a": p.power(-2, a),
    "[a > b] · c": p.cast(a > b, dtype="float64") * c,
}


@pytest.mark.parametrize("text", MINIMAL)
def test_no_parentheses_but_those_needed(text: str):
    assert str(expression(MINIMAL[text])) == text


TWO_DIMENSIONS = {
    r"\frac{a + b}{c \cdot d}": (a + b) / (c * d),
    r"\left( \frac{a}{b} \right)^2": p.square(a / b),
    r"\frac{\frac{a}{b}}{c}": a / b / c,
    r"a^{b + 1}": a ** (b + 1),
    r"\sqrt{a + b}": p.sqrt(a + b),
    r"-\frac{a}{b}": -(a / b),
    r"a - \frac{-b}{c}": a - (-b) / c,
    r"\left\lvert \frac{a}{b} \right\rvert": p.absolute(a / b),
    r"\lvert a \rvert": p.absolute(a),
}


@pytest.mark.parametrize("latex", TWO_DIMENSIONS)
def test_fractions_roots_and_powers_group(latex: str):
    assert expression(TWO_DIMENSIONS[latex]).latex == latex


def test_matrix_product_binds_tighter_than_elementwise():
    X, Y, Z = (argument(name, (3, 3), "float64") for name in "XYZ")
    shown: list[tuple[Formula, str]] = [
        (expression(X @ Y * Z), "X Y · Z"),
        (expression(X @ (Y * Z)), "X (Y · Z)"),
        (expression(X @ (Y @ Z)), "X (Y Z)"),
        (expression((X @ Y) @ Z), "X Y Z"),
        (expression(p.transpose(X @ Y, axes=(1, 0))), "(X Y)ᵀ"),
        (expression(X @ -Y), "X (−Y)"),
    ]
    for formula, text in shown:
        assert str(formula) == text
