"""Every primitive and its pullback prints in every style."""

import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest

from chainrule.errors import SettingError
from chainrule.graph import Primitive, constant, elementwise, registry
from chainrule.notation import Formula, Rule, expression, rule
from chainrule.notation.templates import parse

PRIMITIVES = sorted(registry.values(), key=lambda primitive: primitive.name)
every_primitive = pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda p: p.name)


def formulas(found: Rule) -> list[Formula]:
    definitions = [equation.formula for equation in found.definitions]
    return [found.output.formula, *found.formulas(), *definitions]


@every_primitive
def test_text_has_no_places_left(primitive: Primitive):
    found = rule(primitive)
    for formula in formulas(found):
        assert str(formula).isprintable()
        assert not re.search(r"[{}\\]|…", str(formula)), str(formula)
    assert str(found.output).startswith("y = ")
    assert len(found.gradients) == len(found.output.node.inputs)


@every_primitive
def test_latex_is_balanced(primitive: Primitive):
    for formula in formulas(rule(primitive)):
        latex = formula.latex
        assert latex.isascii(), latex
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\left") == latex.count(r"\right")
        assert latex.count(r"\begin") == latex.count(r"\end")
        depth = 0
        for brace in re.findall(r"(?<!\\)[{}]", latex):
            depth += 1 if brace == "{" else -1
            assert depth >= 0, latex


# What MathML Core has, with how many children where that is fixed.
ARITY = {"mfrac": 2, "msup": 2, "msub": 2, "mover": 2, "munder": 2}
ELEMENTS = {*ARITY, "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msqrt"} | {
    "mtable",
    "mtr",
    "mtd",
}


@every_primitive
def test_mathml_is_valid(primitive: Primitive):
    for formula in formulas(rule(primitive)):
        tree = ElementTree.fromstring(formula.mathml)
        assert tree.attrib["alttext"] == str(formula)
        for element in tree.iter():
            name = element.tag.removeprefix("{http://www.w3.org/1998/Math/MathML}")
            assert name in ELEMENTS
            assert name not in ARITY or len(element) == ARITY[name]
            assert "-" not in (element.text or ""), "a hyphen is not a minus"
            if element.text in ("(", ")"):
                assert "stretchy" in element.attrib


@every_primitive
def test_rule_says_what_has_no_gradient(primitive: Primitive):
    found = rule(primitive)
    output = found.output.node
    passes = primitive.differentiable and primitive.rule is not None
    for operand, formula in zip(output.inputs, found.formulas(), strict=True):
        assert str(formula).endswith(": no gradient") != (passes and operand.differentiable)


RULES = {
    "absolute": "y = |x|; x̄ = g · sign(x)",
    "add": "y = a + b; ā = g; b̄ = g",
    "argmax": "y = argmax(x, axis=1); x: no gradient",
    "broadcast_to": "y = broadcast(x, (4, 3)); x̄ = sum(g, axis=0)",
    "cast": "y = float32(x); x̄ = float64(g)",
    "concatenate": "y = concatenate(a, b, axis=0); ā = g[0:4]; b̄ = g[4:6]",
    "cos": "y = cos(x); x̄ = −g · sin(x)",
    "divide": "y = a / b; ā = g / b; b̄ = −g · y / b",
    "einsum": 'y = einsum("ij,jk->ik", a, b); ā = einsum("ik,jk->ij", g, b); '
    'b̄ = einsum("ik,ij->jk", g, a)',
    "equal": "y = (a = b); a: no gradient; b: no gradient",
    "erf": "y = erf(x); x̄ = g · 2 / √π · exp(−x²)",
    "exp": "y = exp(x); x̄ = g · y",
    "expit": "y = σ(x); x̄ = g · y · (1 − y)",
    "floor": "y = ⌊x⌋; x: no gradient",
    "getitem": "y = x[1:3]; x̄ = 0 with [1:3] += g",
    "log2": "y = log₂(x); x̄ = g / (x · log(2))",
    "log_softmax": "y = log_softmax(x, axis=1); x̄ = g − exp(y) · sum(g, axis=1)",
    "logsumexp": "y = logsumexp(x, axis=1); x̄ = g[:,None] · softmax(x, axis=1)",
    "matmul": "y = a b; ā = g bᵀ; b̄ = aᵀ g",
    "maximum": "y = max(a, b); ā = g if a > b else 0; b̄ = 0 if a > b else g",
    "multiply": "y = a · b; ā = g · b; b̄ = g · a",
    "negative": "y = −x; x̄ = −g",
    "reciprocal": "y = 1 / x; x̄ = −g · y²",
    "reshape": "y = reshape(x, (2, 6)); x̄ = reshape(g, (4, 3))",
    "setitem": "y = x with [1:3] = value; x̄ = g with [1:3] = 0; v̅a̅l̅u̅e̅ = g[1:3]",
    "softmax": "y = softmax(x, axis=1); x̄ = y · (g − sum(g · y, axis=1))",
    "sqrt": "y = √x; x̄ = g / (2 · y)",
    "square": "y = x²; x̄ = g · 2 · x",
    "sum": "y = sum(x, axis=1); x̄ = broadcast(g[:,None], (4, 3))",
    "tanh": "y = tanh(x); x̄ = g · (1 − y²)",
    "transpose": "y = xᵀ; x̄ = gᵀ",
    "where": "y = a if condition else b; condition: no gradient; ā = g if condition else 0; "
    "b̄ = 0 if condition else g",
}


@pytest.mark.parametrize("name", RULES)
def test_rule_as_text(name: str):
    assert str(rule(registry[name])).replace("\n", "; ") == RULES[name]


def test_rule_in_the_other_styles():
    (line,) = rule(registry["tanh"]).lines("latex")
    assert line == r"\bar{x} = g \cdot (1 - y^2)"
    _, line, _ = rule(registry["where"]).lines("latex")
    assert line == (
        r"\bar{a} = \begin{cases} g & \text{if } \mathrm{condition} \\ 0 & \text{otherwise} "
        r"\end{cases}"
    )
    (line,) = rule(registry["sign"]).lines("latex")
    assert line == r"x\colon\ \text{no gradient}"


def test_a_change_of_the_pullback_changes_what_is_printed():
    tanh = registry["tanh"]
    known = tanh.rule
    try:
        tanh.pullback(lambda g, y, x: (g * (1 + y),))
        assert rule(tanh).lines() == ["x̄ = g · (1 + y)"]
    finally:
        tanh.rule = known


def test_constants_of_a_rule_are_defined():
    found = rule(registry["prod"])
    assert (
        found.lines()[-1]
        == "c1 = [[true, false, false], [false, true, false], [false, false, true]]"
    )


def test_a_primitive_that_no_example_is_known_for():
    def fold(x, *, pattern):
        """Nothing."""

    strange = Primitive("fold", fold, elementwise, "structural", "fold({x})", "")
    with pytest.raises(SettingError) as error:
        rule(strange)
    assert str(error.value) == (
        "The primitive fold has no example to show its rule by. Give one in "
        "chainrule.notation.rules."
    )


def test_an_unknown_style():
    with pytest.raises(SettingError) as error:
        expression(constant(2.0)).write("html")  # type: ignore[arg-type]
    assert str(error.value) == (
        "A formula cannot be written in the style 'html'. The styles are 'text', 'latex' and "
        "'mathml'."
    )


@pytest.mark.parametrize("template", ["{a} +", "({a}", "{a} {b})", "f({a}"])
def test_a_template_that_is_no_formula(template: str):
    with pytest.raises(AssertionError, match=r"ends too early|cannot read|should be"):
        parse(template)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles(tmp_path):
    lines = [f for primitive in PRIMITIVES for f in formulas(rule(primitive))]
    body = "\n".join(rf"$\displaystyle {formula.latex}$\par" for formula in lines)
    (tmp_path / "rules.tex").write_text(
        rf"\documentclass{{article}}\usepackage{{amsmath}}\begin{{document}}{body}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "rules.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:]
