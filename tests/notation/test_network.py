"""The notebook's network, forwards and backwards, as a reader should see it."""

import numpy as np
import pytest

from chainrule import primitives as p
from chainrule.gradient import pull_back
from chainrule.graph import Node, argument
from chainrule.notation import Notation, bar, equations, index_formula, partial, rule
from chainrule.tracer import trace


class Network:
    """The notebook's steps, by hand; X, y and the weights are arguments."""

    def __init__(self) -> None:
        shapes = {"X": (4, 2), "W1": (2, 3), "b1": (1, 3), "W2": (3, 1), "b2": (1, 1), "y": (4, 1)}
        self.leaves = {name: argument(name, shape, "float64") for name, shape in shapes.items()}
        X, W1, b1, W2, b2, y = self.leaves.values()
        self.z1 = X @ W1 + b1
        self.a1 = p.expit(self.z1)
        self.z2 = self.a1 @ W2 + b2
        self.a2 = p.expit(self.z2)
        self.loss = p.total(p.square(y - self.a2), axis=(0, 1), keepdims=False) / 4
        steps = ("z1", "a1", "z2", "a2", "loss")
        self.names = {getattr(self, name): name for name in steps}
        self.notation = Notation([self.loss], names=self.names)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def test_forward_text(network: Network):
    assert [str(line) for line in network.notation.equations()] == [
        "z1 = X W1 + b1",
        "a1 = σ(z1)",
        "z2 = a1 W2 + b2",
        "a2 = σ(z2)",
        "loss = sum((y − a2)²) / 4",
    ]


def test_forward_latex(network: Network):
    assert [line.latex for line in network.notation.equations()] == [
        r"z_1 = X \, W_1 + b_1",
        r"a_1 = \sigma(z_1)",
        r"z_2 = a_1 \, W_2 + b_2",
        r"a_2 = \sigma(z_2)",
        r"\mathrm{loss} = \frac{\operatorname{sum}((y - a_2)^2)}{4}",
    ]


def below(letter: str) -> str:
    """A name such as z1 in MathML."""
    return f"<msub><mi>{letter[0]}</mi><mn>{letter[1:]}</mn></msub>"


LEFT = '<mo fence="true" form="prefix" stretchy="false">(</mo>'
RIGHT = '<mo fence="true" form="postfix" stretchy="false">)</mo>'
TIMES = '<mo>\u2062</mo><mspace width="0.17em"/>'


def inner(mathml: str, text: str) -> str:
    """What stands in a <math> element, whose attributes are checked."""
    opening = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML" displaystyle="true" '
        f'alttext="{text}"><mrow>'
    )
    assert mathml.startswith(opening)
    assert mathml.endswith("</mrow></math>")
    return mathml[len(opening) : -len("</mrow></math>")]


def test_forward_mathml(network: Network):
    z1, a1, _, _, loss = network.notation.equations()
    product = f"<mrow><mi>X</mi>{TIMES}{below('W1')}</mrow>"
    assert inner(z1.mathml, "z1 = X W1 + b1") == (
        f"{below('z1')}<mo>=</mo><mrow>{product}<mo>+</mo>{below('b1')}</mrow>"
    )
    assert inner(a1.mathml, "a1 = σ(z1)") == (
        f"{below('a1')}<mo>=</mo><mrow><mi>σ</mi><mo>\u2061</mo>"
        f"<mrow>{LEFT}{below('z1')}{RIGHT}</mrow></mrow>"
    )
    difference = f"<mrow>{LEFT}<mrow><mi>y</mi><mo>−</mo>{below('a2')}</mrow>{RIGHT}</mrow>"
    assert inner(loss.mathml, "loss = sum((y − a2)²) / 4") == (
        '<mi mathvariant="normal">loss</mi><mo>=</mo><mfrac><mrow>'
        '<mi mathvariant="normal">sum</mi><mo>\u2061</mo>'
        f"<mrow>{LEFT}<msup>{difference}<mn>2</mn></msup>{RIGHT}</mrow></mrow><mn>4</mn></mfrac>"
    )


def backward(network: Network, node: Node, style: str) -> list[str]:
    """One step backwards: the gradient of each named input of a node, by its pullbacks."""
    inputs = network.notation.named_inputs(node)
    name = network.names[node]
    g = argument("g", node.shape, node.dtype)
    parts = pull_back([node], [g], inputs)
    notation = Notation(parts, names={**network.names, g: bar(name)}, temporaries=False)
    lines = []
    for operand, part in zip(inputs, parts, strict=True):
        shown = network.notation.reference(operand)
        left = bar(str(shown)).write(style)
        lines.append(f"{left} = {notation.reference(part).write(style)}")
    return lines


def test_backward_text(network: Network):
    steps = (network.loss, network.a2, network.z2, network.a1, network.z1)
    assert [line for node in steps for line in backward(network, node, "text")] == [
        "ȳ = l̅o̅s̅s̅ / 4 · 2 · (y − a2)",
        "ā2 = −l̅o̅s̅s̅ / 4 · 2 · (y − a2)",
        "z̄2 = ā2 · a2 · (1 − a2)",
        "ā1 = z̄2 W2ᵀ",
        "W̄2 = a1ᵀ z̄2",
        "b̄2 = sum(z̄2, axis=0)",
        "z̄1 = ā1 · a1 · (1 − a1)",
        "X̄ = z̄1 W1ᵀ",
        "W̄1 = Xᵀ z̄1",
        "b̄1 = sum(z̄1, axis=0)",
    ]


def test_backward_latex(network: Network):
    assert backward(network, network.a1, "latex") == [
        r"\bar{z}_1 = \bar{a}_1 \cdot a_1 \cdot (1 - a_1)"
    ]
    assert backward(network, network.z2, "latex") == [
        r"\bar{a}_1 = \bar{z}_2 \, W_2^{\mathrm{T}}",
        r"\bar{W}_2 = a_1^{\mathrm{T}} \, \bar{z}_2",
        r"\bar{b}_2 = \operatorname{sum}_{\mathrm{axis}\,0}(\bar{z}_2)",
    ]


def test_backward_mathml(network: Network):
    over = (
        '<msub><mover accent="false"><mi>z</mi><mo stretchy="false">‾</mo></mover><mn>2</mn></msub>'
    )
    transposed = f'<msup>{below("W2")}<mi mathvariant="normal">T</mi></msup>'
    (line, *_) = backward(network, network.z2, "mathml")
    assert inner(line.partition(" = ")[2], "z̄2 W2ᵀ") == f"{over}{TIMES}{transposed}"


def test_rule_of_a_node_is_over_its_own_names(network: Network):
    found = rule(network.a1, names=network.names)
    assert str(found) == "a1 = σ(z1)\nz̄1 = ā1 · a1 · (1 − a1)"


def test_a_partial_derivative_in_full():
    gradient = partial("L", "z1")
    assert str(gradient) == "∂L/∂z1"
    assert gradient.latex == r"\frac{\partial L}{\partial z_1}"
    assert inner(gradient.mathml.replace("mfrac", "mrow"), "∂L/∂z1") == (
        f"<mrow><mo>∂</mo><mi>L</mi></mrow><mrow><mo>∂</mo>{below('z1')}</mrow>"
    )


def test_elements(network: Network):
    lines = [
        str(index_formula(node, names=network.names))
        for node in (network.z1, network.a1, network.loss)
    ]
    assert lines == [
        "z1[n,k] = Σⱼ X[n,j] W1[j,k] + b1[0,k]",
        "a1[n,j] = σ(z1[n,j])",
        "loss = (Σₙⱼ (y[n,j] − a2[n,j])²) / 4",
    ]


def test_a_traced_program_has_the_names_of_its_lines():
    def program(W1, b1, W2, b2, X, y):
        z1 = X @ W1 + b1
        a1 = 1 / (1 + np.exp(-z1))
        z2 = a1 @ W2 + b2
        a2 = 1 / (1 + np.exp(-z2))
        loss = np.mean((y - a2) ** 2)
        return loss

    whole = np.array([[0], [1], [1], [0]])
    shapes = [np.ones(shape) for shape in [(2, 3), (1, 3), (3, 1), (1, 1), (4, 2)]]
    graph = trace(program, *shapes, whole)
    assert [str(line) for line in equations(graph.outputs)] == [
        "z1 = X W1 + b1",
        "a1 = 1 / (1 + exp(−z1))",
        "z2 = a1 W2 + b2",
        "a2 = 1 / (1 + exp(−z2))",
        "loss = sum((y − a2)²) / 4",
    ]
