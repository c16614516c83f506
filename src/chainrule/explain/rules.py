"""Which rules of calculus lead from a value to its gradient, by calling the very pullbacks."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.explain.labels import Labels
from chainrule.graph import Node
from chainrule.notation import Equation, Formula, rule
from chainrule.notation.formulas import Bar, Equality

__all__ = ["Applied", "rules_of", "why_backward", "words_for"]

_WORDS = {
    "add": "sum",
    "subtract": "difference",
    "multiply": "product",
    "divide": "quotient",
    "negative": "negation",
    "square": "square",
    "power": "power",
    "matmul": "matrix product",
    "sum": "sum over elements",
    "broadcast_to": "repetition (broadcasting)",
    "transpose": "transposition",
    "expit": "sigmoid",
    "tanh": "hyperbolic tangent",
    "maximum": "maximum",
    "minimum": "minimum",
    "where": "choice",
    "exp": "exponential",
    "log": "logarithm",
    "logaddexp": "log of a sum of exponentials",
    "log_softmax": "log-softmax",
    "softmax": "softmax",
    "logsumexp": "log-sum-exp",
    "getitem": "selection of elements",
    "absolute": "absolute value",
    "cast": "change of dtype",
}


def words_for(node: Node) -> str:
    """What an operation is called."""
    name = node.primitive.name
    return _WORDS.get(name, name.replace("_", " "))


@dataclass(frozen=True)
class Applied:
    """One rule as it is applied: the operation, what it computes, and the gradient it passes on.

    A gradient wears a bar here: z̄1 is ∂L/∂z1.
    """

    name: str
    operation: Equation
    gradient: Formula

    def __str__(self) -> str:
        return f"{self.name}: {self.operation} gives {self.gradient}"


def rules_of(labels: Labels, variable: Node) -> list[Applied]:
    """The rules between a value and the named values that use it, from those back to it."""
    path = _between(labels, variable)
    names: dict[Node, str | Formula] = {}
    for node in path:
        for each in (node, *node.inputs):
            if each in labels.notation.labels:
                names[each] = labels.notation.labels[each]
    letters = iter(_letters({str(name) for name in names.values()}))
    for node in path:
        for each in (*node.inputs, node):
            if each not in names and not each.is_constant:
                names[each] = next(letters)
    found: list[Applied] = []
    for node in reversed(path):
        applied = rule(node, names={k: v for k, v in names.items() if k in (node, *node.inputs)})
        wanted = {variable, *path}
        shown = [each for each in node.inputs if not each.is_constant]
        for operand, (formula, gradient) in zip(shown, applied.gradients, strict=True):
            if operand in wanted and gradient is not None:
                passed = Equality(parts=(Bar(parts=(formula,)), gradient))
                found.append(Applied(words_for(node), applied.output, passed))
    return found


def _letters(taken: set[str]) -> list[str]:
    """Names for values on the way that have none."""
    every = ["u", "v", "w", "s", "q", *(f"u{i}" for i in range(1, 200))]
    return [letter for letter in every if letter not in taken]


def _between(labels: Labels, variable: Node) -> list[Node]:
    """The operations from a value to the named values that use it, in order."""
    named = set(labels.variables)
    reached = {variable}
    found: list[Node] = []
    for node in labels.before_loss:
        if node is variable:
            continue
        if any(operand in reached for operand in node.inputs):
            found.append(node)
            if node not in named:
                reached.add(node)
    leading: set[Node] = set()
    for node in reversed(found):
        if node in named or any(node in user.inputs for user in found if user in leading):
            leading.add(node)
    return [node for node in found if node in leading]


def why_backward(labels: Labels, variable: Node, name: str) -> str:
    """One sentence on how the loss depends on a value."""
    path = _between(labels, variable)
    users = [labels.variables[node] for node in path if node in labels.variables]
    users = list(dict.fromkeys(users))
    operations = list(dict.fromkeys(words_for(node) for node in reversed(path)))
    if not users:
        return ""
    through = _listed(users)
    text = f"{name} acts on the loss through {through}; chain rule over the {_listed(operations)}"
    if len(users) > 1:
        text += ", and what arrives from each of them is added"
    return text + "."


def _listed(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
