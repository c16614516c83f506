"""The known losses that a program may descend, where it is not the one that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.check.iteration import Trace
from chainrule.check.multiples import is_likely, is_same, multiple, tolerance_of
from chainrule.check.roles import Roles, gradients_of
from chainrule.graph import Node
from chainrule.primitives import cast, log, square, total

__all__ = ["Known", "is_of_fewer", "known_losses", "losses_of"]

_LATEST = 4
"""How many of the last values before the loss may be the outputs."""


@dataclass(frozen=True)
class Known:
    """A loss by its name, and the outputs that it is a function of; ``formula`` is what it is."""

    name: str
    loss: Node
    outputs: Node
    formula: str = ""

    def with_factor(self, factor: float) -> str:
        """The formula of a multiple of the loss."""
        sign, rest = ("−", self.formula[1:]) if self.formula[0] == "−" else ("", self.formula)
        return f"{sign}{_fraction(factor)}{rest}"


def known_losses(trace: Trace, roles: Roles) -> Iterator[Known]:
    """The squared error and the cross-entropies of outputs and targets that an iteration has."""
    later = trace.after({each.start for each in roles.parameters})
    inner = [n for n in trace.log if n in later & roles.forward and n.size > 1 and n.name]
    # Targets are what the program holds, or a batch of it.
    data = [node for node in [*trace.start.values(), *trace.log] if node not in later]
    data = [node for node in data if node.size > 1 and (node.name or node in roles.forward)]
    for a in reversed(inner[-_LATEST:]):
        for target in dict.fromkeys(data):
            if target.shape == a.shape:
                y = target if target.dtype == a.dtype else cast(target, dtype=a.dtype)
                yield from losses_of(trace, a, y)


def losses_of(
    trace: Trace, a: Node, y: Node, names: tuple[str | None, str | None] = (None, None)
) -> Iterator[Known]:
    """The known losses that outputs ``a`` and targets ``y`` of the same shape may have.

    ``names`` are those of both in the formula.
    """
    everywhere = tuple(range(a.ndim))
    out, target = names[0] or "output", names[1] or "target"
    squares = total(square(a - y), axis=everywhere, keepdims=False)
    yield Known("the squared error", squares, a, f"Σ({out} − {target})²")
    outputs, targets = trace.value(a), trace.value(y)
    if np.all((outputs > 0) & (outputs < 1)) and np.all((targets >= 0) & (targets <= 1)):
        yes, no = y * log(a), (1.0 - y) * log(1.0 - a)
        # Where every target is 1, as in the probabilities of the right classes, both are the same.
        crossed = -total(yes, axis=everywhere, keepdims=False)
        yield Known("the cross-entropy", crossed, a, f"−Σ {target}·log {out}")
        binary = -total(yes + no, axis=everywhere, keepdims=False)
        logs = f"({target}·log {out} + (1 − {target})·log(1 − {out}))"
        yield Known("the binary cross-entropy", binary, a, f"−Σ{logs}")


def _fraction(factor: float) -> str:
    """A factor before a formula: nothing for 1, and one over a whole number where it is that."""
    if is_same(factor, 1.0):
        return ""
    if is_same(factor, 0.5):
        return "½ "
    over = round(1 / factor)
    return f"1/{over} " if over > 1 and is_same(factor, 1 / over) else f"{factor:.6g} "


def is_of_fewer(trace: Trace, shown: Node, known: Known) -> bool:
    """Whether a loss is a known one of some of the samples, and not of the others."""
    gradients = [gradients_of(loss, [known.outputs])[0] for loss in (shown, known.loss)]
    part, whole = (trace.value(gradient) for gradient in gradients)
    here = part != 0
    if not np.any(here) or not np.any(whole[~here]):
        return False
    factor = multiple(part[here], whole[here], tolerance_of(known.outputs))
    return factor is not None and is_likely(factor)  # of one number any loss has a multiple
