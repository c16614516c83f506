"""Formulas of single elements, read back and compared with the whole array."""

import itertools
import re
from typing import Any

import numpy as np
import pytest

from chainrule import primitives as p
from chainrule.graph import Node, argument, constant, topological_order
from chainrule.notation import index_formula


def A(name: str, *shape: int) -> Node:
    return argument(name, shape, "float64")


X, W1, b1, g = A("X", 4, 2), A("W1", 2, 3), A("b1", 1, 3), A("g", 4, 3)
bias, w, v, n = A("bias", 3), A("w", 3), A("v", 3), A("n", 4, 3)
B, C = A("B", 5, 4, 3), A("C", 5, 3, 2)
WHOLE = ("slice", None, None, None)

FORMULAS: dict[str, Node] = {
    "z[n,k] = Σⱼ X[n,j] W1[j,k] + b1[0,k]": X @ W1 + b1,
    "z[n,j] = bias[j] + Σₖ X[n,k] W1[k,j]": bias + X @ W1,
    "z[j,k] = Σₙ X[n,j] g[n,k]": p.transpose(X, axes=(1, 0)) @ g,
    "z[n,k] = Σⱼ g[n,j] W1[k,j]": g @ p.transpose(W1, axes=(1, 0)),
    "z = Σₙ v[n] w[n]": v @ w,
    "z[n] = Σⱼ g[n,j] v[j]": g @ v,
    "z[j] = Σₙ v[n] C[n,j]": v @ A("C", 3, 2),
    "z[n,j,l] = Σₖ B[n,j,k] C[n,k,l]": B @ C,
    "z[j,k] = exp(g[j,k]) · n[j,k]": p.exp(g) * A("n", 4, 3),
    "z[0,j] = Σₙ g[n,j]": p.total(g, axis=(0,), keepdims=True),
    "z[j] = Σₙ g[n,j]": p.total(g, axis=(0,), keepdims=False),
    "z = (Σₙⱼ g[n,j]²) / 12": p.total(p.square(g), axis=(0, 1), keepdims=False) / 12,
    "z[n] = Πⱼ g[n,j]": p.prod(g, axis=(1,), keepdims=False),
    "z[n] = maxⱼ g[n,j]": p.largest(g, axis=(1,), keepdims=False),
    "z[n] = argmaxⱼ g[n,j]": p.argmax(g, axis=1, keepdims=False),
    "z[n,k] = Σ[j ≤ k] g[n,j]": p.cumsum(g, axis=1),
    "z[n,j] = g[j,n]": p.transpose(A("g", 3, 4), axes=(1, 0)),
    "z[n,j] = bias[j]": p.broadcast_to(bias, shape=(4, 3)),
    "z[n,0,j] = g[n,j]": p.reshape(g, shape=(4, 1, 3)),
    "z[n,j] = [1, 2, 3][j] · g[n,j]": constant([1.0, 2.0, 3.0]) * g,
    "z[n,j] = g[n,j] if g[n,j] > 0 else 0": p.where(g > 0, g, 0),
    "z[n] = g[3 − n,2]": p.getitem(
        g, template=(("slice", None, None, -1), ("integer", -1)), shape=(4,)
    ),
    "z[n,0,j] = g[2 · n + 1,j]": p.getitem(
        g, template=(("slice", 1, 4, 2), ("newaxis",)), shape=(2, 1, 3)
    ),
    "z[n,l] = Σⱼₖ a[n,j] b[j,k] c[k,l]": p.einsum(
        A("a", 4, 3), A("b", 3, 2), A("c", 2, 5), subscripts="ij,jk,kl->il"
    ),
    "z[n,j] = v[n] w[j]": p.einsum(v, w, subscripts="i,j->ij"),
    "z[n,j] = exp(g[n,j]) / (Σₖ exp(g[n,k]))": p.softmax(g, axis=(1,)),
    "z[n,j] = g[n,j] − log(Σₖ exp(g[n,k]))": p.log_softmax(g, axis=(1,)),
    "z[n,j] = exp(g[n,j]) / (Σₖₗ exp(g[k,l]))": p.softmax(g, axis=(0, 1)),
    "z[n,j] = reshape(g, (2, 6))[n,j]": p.reshape(g, shape=(2, 6)),
    "z[n,j] = (g with [0] = v)[n,j]": p.setitem(g, v, template=(("integer", 0),)),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_formula(text: str):
    node = FORMULAS[text]
    assert str(index_formula(node, names={node: "z"})) == text


def test_latex_and_letters_of_ones_own():
    node = X @ W1 + b1
    assert index_formula(node, names={node: "z1"}).latex == (
        r"z_1[n,k] = \sum_j X[n,j] \, W_1[j,k] + b_1[0,k]"
    )
    updated = W1 - 0.1 * A("G", 2, 3)
    line = index_formula(updated, "jk", names={updated: "W1"})
    assert str(line) == "W1′[j,k] = W1[j,k] − 0.1 · G[j,k]"
    product = X @ W1
    assert str(index_formula(product, "ab", names={product: "z"})) == ("z[a,b] = Σₙ X[a,n] W1[n,b]")
    total = p.total(g, axis=(0,), keepdims=False)
    assert "<munder><mo" in index_formula(total).mathml


def test_more_axes_than_letters():
    x = A("x", *(2,) * 15)
    line = str(index_formula(-x, names={-x: "z"}))
    assert line.endswith("= −x[n,j,k,l,m,p,i,r,s,t,u,v,h,n1,j1]")


def python_from(formula: str) -> str:
    """An element's formula as Python over arrays; Σ runs over what its letters can reach."""
    formula = formula.replace("−", "-").replace(" · ", " * ").replace("²", "**2")
    formula = re.sub(r"\] (?=\w)(?!if|else)", "] * ", formula)
    return formula


SUBSCRIPTS = dict(zip("ₙⱼₖₗₘ", "njklm", strict=True))


def evaluate(right: str, arrays: dict[str, Any], sizes: dict[str, int], at: dict[str, int]) -> Any:
    """The value of a formula with one sum at most, by loops."""
    functions = {"exp": np.exp, "log": np.log}
    body = r"(?:\w+\[[^\]]*\]²? ?)+|exp\(\w+\[[^\]]*\]\)"
    found = re.search(rf"Σ([ₙⱼₖₗₘ]+) ({body})", right)
    if not found:
        return eval(python_from(right), functions, {**arrays, **at})
    letters = [SUBSCRIPTS[letter] for letter in found[1]]
    total = 0.0
    for values in itertools.product(*(range(sizes[letter]) for letter in letters)):
        running = dict(zip(letters, values, strict=True))
        total += eval(python_from(found[2].strip()), functions, {**arrays, **at, **running})
    rest = right[: found.start()] + "total " + right[found.end() :]
    return eval(python_from(rest), {**functions, "total": total}, {**arrays, **at})


ARITHMETIC = [
    text for text in FORMULAS if not re.search(r"Π|max|≤|softmax|reshape|with|\[1, 2", text)
]


@pytest.mark.parametrize("text", ARITHMETIC)
def test_formula_has_the_value_of_the_whole(text: str):
    node = FORMULAS[text]
    random = np.random.default_rng(7)
    values: dict[Node, Any] = {}
    for known in topological_order([node]):
        if known.primitive.name == "argument":
            values[known] = random.normal(size=known.shape)
        elif known.primitive.name == "constant":
            values[known] = known.value
        else:
            operands = [values[operand] for operand in known.inputs]
            values[known] = known.primitive.value(*operands, **known.attributes)
    arrays = {leaf.name or "": values[leaf] for leaf in values if leaf.name}
    left, _, right = text.partition(" = ")
    letters = re.findall(r"\w+", left)[1:]
    sizes: dict[str, int] = {}
    for name, index in re.findall(r"(\w+)\[([\w,]*)\]", right):
        sizes.update(zip(index.split(","), arrays[name].shape, strict=True))
    for place in np.ndindex(node.shape):
        at = {letter: i for letter, i in zip(letters, place, strict=True) if letter.isalpha()}
        np.testing.assert_allclose(evaluate(right, arrays, sizes, at), values[node][place])
