"""How names and constants are set."""

import unicodedata
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import primitives as p
from chainrule.graph import Node, argument, constant
from chainrule.notation import Notation, bar, equation, equations, expression

NAMES = {
    # spelling: LaTeX, with a bar, text with a bar
    "z1": ("z_1", r"\bar{z}_1", "z̄1"),
    "W12": ("W_{12}", r"\bar{W}_{12}", "W̄12"),
    "X": ("X", r"\bar{X}", "X̄"),
    "W_out": (r"W_{\mathrm{out}}", r"\bar{W}_{\mathrm{out}}", "W̄_out"),
    "z_1": ("z_1", r"\bar{z}_1", "z̄_1"),
    "d_loss_W2": (r"d_{\mathrm{loss}\,W_2}", r"\bar{d}_{\mathrm{loss}\,W_2}", "d̄_loss_W2"),
    "alpha": (r"\alpha", r"\bar{\alpha}", "a̅l̅p̅h̅a̅"),
    "sigma_1": (r"\sigma_1", r"\bar{\sigma}_1", "s̅i̅g̅m̅a̅_1"),
    "lambda_": (r"\lambda", r"\bar{\lambda}", "l̅a̅m̅b̅d̅a̅_"),
    "θ": (r"\theta", r"\bar{\theta}", "θ̄"),
    "loss": (r"\mathrm{loss}", r"\overline{\mathrm{loss}}", "l̅o̅s̅s̅"),
    "loss2": (r"\mathrm{loss}_2", r"\overline{\mathrm{loss}}_2", "l̅o̅s̅s̅2"),
    "learning_rate": (
        r"\mathrm{learning\_rate}",
        r"\overline{\mathrm{learning\_rate}}",
        "l̅e̅a̅r̅n̅i̅n̅g̅_rate",
    ),
    "self.W1": ("W_1", r"\bar{W}_1", "W̄1"),
    "params['W1']": (
        r"\mathrm{params}[W_1]",
        r"\overline{\mathrm{params}[W_1]}",
        "p̅a̅r̅a̅m̅s̅['W1']",
    ),
    "a[0]": ("a[0]", r"\overline{a[0]}", "ā[0]"),
    "_": (r"\mathrm{\_}", r"\overline{\mathrm{\_}}", "bar(_)"),
}


@pytest.mark.parametrize("name", NAMES)
def test_name(name: str):
    x = argument(name, (), "float64")
    latex, barred, text = NAMES[name]
    assert str(expression(x)) == name
    assert expression(x).latex == latex
    assert bar(name).latex == barred
    assert str(bar(name)) == unicodedata.normalize("NFC", text)


def elements(mathml: str) -> str:
    start = mathml.index(">") + 1
    return mathml[start : mathml.rindex("</math>")]


def test_name_in_mathml():
    def shown(name: str) -> str:
        return elements(expression(argument(name, (), "float64")).mathml)

    assert shown("X") == "<mi>X</mi>"
    assert shown("alpha") == "<mi>α</mi>"
    assert shown("W12") == "<msub><mi>W</mi><mn>12</mn></msub>"
    assert shown("loss") == '<mi mathvariant="normal">loss</mi>'
    assert shown("d_loss_W2") == (
        '<msub><mi>d</mi><mrow><mi mathvariant="normal">loss</mi><mspace width="0.17em"/>'
        "<msub><mi>W</mi><mn>2</mn></msub></mrow></msub>"
    )
    assert elements(bar("loss").mathml) == (
        '<mover accent="false"><mi mathvariant="normal">loss</mi><mo stretchy="true">‾</mo></mover>'
    )


@given(st.text(min_size=1, max_size=12))
def test_any_name_gives_valid_mathml_and_balanced_latex(name: str):
    if not all(character.isprintable() for character in name):
        return
    formula = expression(p.tanh(argument(name, (), "float64")))
    ElementTree.fromstring(formula.mathml)
    ElementTree.fromstring(bar(name).mathml)
    bare = formula.latex.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    assert name in str(formula)


def test_markup_in_a_name_is_escaped():
    formula = expression(argument("d['<a> & \"b\"']", (), "float64"))
    assert "<a>" not in formula.mathml
    assert ElementTree.fromstring(formula.mathml).attrib["alttext"] == "d['<a> & \"b\"']"


def test_later_values_of_a_name_get_primes():
    h = argument("h", (3,), "float64")
    steps: list[Node] = [h]
    for _ in range(5):
        steps.append(p.tanh(steps[-1]))
    notation = Notation([steps[-1]], names=dict.fromkeys(steps[1:], "h"))
    # The argument's own name comes first, since it is the first value of that name.
    lines = notation.equations()
    assert [str(line) for line in lines] == [
        "h′ = tanh(h)",
        "h″ = tanh(h′)",
        "h‴ = tanh(h″)",
        "h⁽⁴⁾ = tanh(h‴)",
        "h⁽⁵⁾ = tanh(h⁽⁴⁾)",
    ]
    assert lines[1].latex == r"h'' = \tanh(h')"
    assert lines[4].latex == r"h^{(5)} = \tanh(h^{(4)})"
    assert elements(lines[0].mathml).startswith("<mrow><msup><mi>h</mi><mo>′</mo></msup>")
    squared = Notation([p.square(steps[1])], names={steps[1]: "h"}).expression(p.square(steps[1]))
    assert (str(squared), squared.latex) == ("h′²", "{h'}^2")


def test_update_of_a_parameter():
    W, G = argument("W2", (3, 1), "float64"), argument("G", (3, 1), "float64")
    updated = W - 0.1 * G
    line = equation(updated, names={updated: "W2"})
    assert str(line) == "W2′ = W2 − 0.1 · G"
    assert line.latex == r"W_2' = W_2 - 0.1 \cdot G"


SCALARS = [
    (2.0, "2", "2"),
    (-2, "−2", "-2"),
    (0.5, "0.5", "0.5"),
    (0.1, "0.1", "0.1"),
    (1e-7, "1e−7", "10^{-7}"),
    (2.5e-10, "2.5e−10", r"2.5 \times 10^{-10}"),
    (1e22, "1e22", "10^{22}"),
    (1e5, "100000", "100000"),
    (np.float32(0.1), "0.1", "0.1"),
    (np.float32(np.pi), "π", r"\pi"),
    (np.pi, "π", r"\pi"),
    (3.14159, "3.14159", "3.14159"),
    (-np.sqrt(2), "−√2", r"-\sqrt{2}"),
    (np.log(2), "log(2)", r"\log(2)"),
    (np.inf, "∞", r"\infty"),
    (-np.inf, "−∞", r"-\infty"),
    (np.nan, "NaN", r"\mathrm{NaN}"),
    (True, "true", r"\mathrm{true}"),
    (0, "0", "0"),
]


@pytest.mark.parametrize(("value", "text", "latex"), SCALARS, ids=[text for _, text, _ in SCALARS])
def test_number(value: float, text: str, latex: str):
    formula = expression(constant(value))
    assert str(formula) == text
    assert formula.latex == latex
    ElementTree.fromstring(formula.mathml)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_is_the_shortest_that_gives_the_same(value: float):
    text = str(expression(constant(value)))
    if "√" not in text and "π" not in text and "log" not in text and text != "e":
        assert float(text.replace("−", "-")) == value
        assert len(text) <= len(repr(value))


def test_arrays():
    M = argument("M", (2, 2), "float64")
    v = argument("v", (3,), "float64")
    assert str(expression(constant([1.0, -2.0, 3.0]) * v)) == "[1, −2, 3] · v"
    matrix = constant([[1.0, 2.0], [3.0, -0.5]])
    lines = equations([matrix @ M])
    assert [str(line) for line in lines] == ["c1 = [[1, 2], [3, −0.5]]", "t1 = c1 M"]
    assert lines[0].latex == r"c_1 = \begin{bmatrix} 1 & 2 \\ 3 & -0.5 \end{bmatrix}"
    assert "<mtable><mtr><mtd><mn>1</mn></mtd>" in lines[0].mathml
    named = constant(np.eye(2), name="identity")
    assert str(expression(named @ M)) == "identity M"


def test_long_arrays_are_shortened():
    def shown(value: np.ndarray) -> str:
        return str(expression(constant(value)))

    assert shown(np.arange(9.0)) == "[0, 1, 2, 3, 4, …]"
    assert shown(np.zeros((9, 1))) == "[[0], [0], [0], [0], [0], […]]"
    assert shown(np.zeros((2, 3, 4))) == "array((2, 3, 4))"
    assert shown(np.zeros((0, 3))) == "array((0, 3))"


def test_names_of_constants_and_temporaries_are_new():
    c1, t1 = argument("c1", (2, 2), "float64"), argument("t1", (2, 2), "float64")
    lines = [str(line) for line in equations([constant(np.eye(2)) @ c1 + t1])]
    assert lines == ["c2 = [[1, 0], [0, 1]]", "t2 = c2 c1 + t1"]


def test_a_given_name_stands_before_the_users():
    x = argument("x", (), "float64")
    y = p.exp(x)
    assert str(expression(y + 1, names={y: bar("q"), x: "u"})) == "q̄ + 1"


def test_broadcasts_and_casts_are_invisible_until_asked_for():
    X, b = argument("X", (4, 3), "float64"), argument("b", (3,), "float64")
    count = argument("n", (4, 3), "int64")
    y = X + b + p.cast(count, dtype=np.dtype("float64"))
    assert str(Notation([y]).expression(y)) == "X + b + n"
    seen = Notation([y], broadcasts=True, casts=True).expression(y)
    assert str(seen) == "X + broadcast(b, (4, 3)) + float64(n)"
    wide = p.broadcast_to(b, shape=(4, 3))
    assert str(expression(wide)) == "broadcast(b, (4, 3))"
    assert str(expression(p.total(wide, axis=(0,), keepdims=False))) == (
        "sum(broadcast(b, (4, 3)), axis=0)"
    )
    whole = p.cast(X, dtype=np.dtype("int64"))
    assert str(expression(whole + 1)) == "int64(X) + 1"


def test_axes_and_shapes():
    x = argument("x", (4, 3, 2), "float64")
    shown = {
        "xᵀ": p.transpose(x, axes=(0, 2, 1)),
        "transpose(x, axes=(2, 0, 1))": p.transpose(x, axes=(2, 0, 1)),
        "sum(x)": p.total(x, axis=(0, 1, 2), keepdims=False),
        "sum(x, axis=(0, 2))": p.total(x, axis=(0, 2), keepdims=True),
        "x[:,None,:,:]": p.reshape(x, shape=(4, 1, 3, 2)),
        "reshape(x, (12, 2))": p.reshape(x, shape=(12, 2)),
        "squeeze(x[:,None,:,:])": p.reshape(p.reshape(x, shape=(4, 1, 3, 2)), shape=(4, 3, 2)),
        "−x": p.transpose(-x, axes=(0, 1, 2)),
    }
    for text, node in shown.items():
        if node.primitive.name == "transpose" and text == "−x":
            node = node + 0 * node
            text = "−x + 0 · (−x)"
        assert str(expression(node)) == text
    latex = expression(shown["transpose(x, axes=(2, 0, 1))"]).latex
    assert latex == r"\operatorname{transpose}_{\mathrm{axes}\,2,0,1}(x)"


def test_indices_of_parts():
    x = argument("x", (5, 4, 3), "float64")
    rows = argument("i", (2,), "int64")
    template = (("array",), ("integer", -1), ("newaxis",), ("slice", None, None, -2))
    part = p.getitem(x, rows, template=template, shape=(2, 1, 2))
    assert str(expression(part)) == "x[i,−1,None,::−2]"
    assert expression(part).latex == r"x[i,-1,\mathrm{None},{:}{:}{-}2]"
    added = p.embed(part, rows, template=template, shape=(5, 4, 3))
    assert str(expression(added, names={part: "g"})) == "0 with [i,−1,None,::−2] += g"
