"""What each value of a step is called: in formulas, and in programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from chainrule.explain.tracing import Traced
from chainrule.graph import Node, topological_order
from chainrule.notation import Formula, Notation, partial
from chainrule.notation.formulas import Name

__all__ = ["BACKWARD", "FORWARD", "UPDATE", "Labels", "label_values"]

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"


@dataclass(frozen=True)
class Labels:
    """The names of a step's values.

    ``names`` are those of a program (``d_loss_W1``) by node, ``parts`` say to which part of the
    step a value belongs, and ``aliases`` are second names of the same value: a name, the formula
    of that name, and the node. ``old`` pairs an updated value with what it takes the place of.
    """

    notation: Notation
    names: dict[Node, str]
    parts: dict[Node, str]
    aliases: dict[str, tuple[Formula, Node]]
    variables: dict[Node, str]
    gradients: dict[str, Node]
    before_loss: list[Node]
    old: dict[Node, Node] = field(default_factory=dict[Node, Node])

    @cached_property
    def by_gradient(self) -> dict[Node, str]:
        """The name of the value that a gradient is by; none for one that is a forward value too."""
        own = reversed(self.gradients.items())
        return {node: name for name, node in own if self.parts.get(node) == BACKWARD}

    @cached_property
    def back(self) -> frozenset[Node]:
        """The gradients, and the values named on the way that are computed from gradients."""
        found = set(self.by_gradient)
        for node in self.notation.order:
            if self.parts[node] != BACKWARD or node not in self.names:
                continue
            if any(operand in found for operand in self.notation.named_inputs(node)):
                found.add(node)
        return frozenset(found)

    @cached_property
    def nodes(self) -> dict[Formula, Node]:
        """The value that a formula of one name stands for."""
        return {formula: node for node, formula in self.notation.labels.items()}


def label_values(traced: Traced) -> Labels:
    """Names for all values of a step; t1, t2 and so on cut the longest formulas."""
    letter = "L" if traced.loss == "loss" else traced.loss
    formulas: dict[Node, Formula | str] = {}
    names: dict[Node, str] = {}
    aliases: dict[str, tuple[Formula, Node]] = {}
    for name, formula, node in _wanted(traced, letter):
        if node in formulas:
            aliases[name] = (formula, node)
        else:
            formulas[node], names[node] = formula, name
    groups = (traced.forward, traced.gradients, traced.updates)
    outputs = list(dict.fromkeys(node for group in groups for node in group.values()))
    notation = Notation(outputs, names=formulas)
    taken = set(names.values()) | set(aliases)
    for node, formula in notation.labels.items():
        if node not in names:
            assert isinstance(formula, Name), formula
            names[node] = _free(formula.spelling, taken)
            taken.add(names[node])
    return Labels(
        notation,
        names,
        _parts(traced),
        aliases,
        {node: name for name, node in {**traced.arguments, **traced.forward}.items()},
        traced.gradients,
        topological_order([traced.forward[traced.loss]]),
        {node: traced.arguments[name] for name, node in traced.updates.items()
         if name in traced.arguments},
    )  # fmt: skip


def _wanted(traced: Traced, letter: str) -> Iterator[tuple[str, Formula, Node]]:
    for name, node in traced.arguments.items():
        yield name, Name(name), node
    for name, node in traced.forward.items():
        yield name, Name(letter if name == traced.loss else name), node
    for name, node in traced.gradients.items():
        yield f"d_{traced.loss}_{name}", partial(letter, name), node
    for name, node in traced.updates.items():
        changed = name in traced.arguments
        yield f"{name}_new" if changed else name, Name(name, int(changed)), node


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _parts(traced: Traced) -> dict[Node, str]:
    """The first part of the step that a value is needed for."""
    parts: dict[Node, str] = {}
    for part, group in (
        (FORWARD, traced.forward), (BACKWARD, traced.gradients), (UPDATE, traced.updates)
    ):  # fmt: skip
        for node in topological_order(group.values()):
            parts.setdefault(node, part)
    return parts
