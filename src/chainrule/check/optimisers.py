"""Programs that leave the steps to an optimiser of SciPy's, and give it a loss and its gradient.

They have no update of their own. What is checked is the pair of functions that the optimiser is
called with, where it starts and at a point near there.
"""

# What a program passes has no type to know, so unknown types are allowed in this file.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.check.comparison import Compared
from chainrule.check.iteration import Iteration, Trace
from chainrule.check.multiples import is_same
from chainrule.check.programs import Program
from chainrule.check.roles import Parameter, Roles, roles_with
from chainrule.errors import ChainruleError
from chainrule.tracer import is_traced

__all__ = ["Minimised", "as_wrong", "follow_optimisers", "starts"]

_GRADIENTS = {
    "minimize": "jac",
    "fmin_bfgs": "fprime",
    "fmin_cg": "fprime",
    "fmin_l_bfgs_b": "fprime",
    "fmin_ncg": "fprime",
    "fmin_tnc": "fprime",
}
"""SciPy's optimisers, and which of their arguments is the gradient."""
_NEAR = 0.1


@dataclass(frozen=True)
class Minimised:
    """A loss and its gradient as an optimiser is given them, from which point on.

    Without a ``gradient`` the function gives both.
    """

    loss: Callable[..., Any]
    gradient: Callable[..., Any] | None
    start: NDArray[Any]
    others: tuple[Any, ...]

    @property
    def name(self) -> str:
        """What the function calls its first argument."""
        code = getattr(getattr(self.loss, "__func__", self.loss), "__code__", None)
        names = [each for each in code.co_varnames if each != "self"] if code else []
        return names[0] if names else "x"

    def traced(self, iteration: Iteration, frame: FrameType) -> tuple[Trace, Roles]:
        """One evaluation of both, as an iteration that goes once down the gradient."""
        x = iteration.argument(self.name, self.start)
        loss = self.loss(x, *self.others)
        loss, gradient = loss if self.gradient is None else (loss, self.gradient(x, *self.others))
        if not (is_traced(loss) and is_traced(gradient) and loss.size == 1):
            raise ChainruleError("the loss or its gradient is not computed from the parameters")
        flat = gradient.reshape(x.shape)
        end = x - flat
        for each in (loss, gradient, flat, end):
            if each.node.source is not None and each.node.source.assigned_line == frame.f_lineno:
                each.node.take_name("")  # it is the optimiser's result that has the name
        trace = iteration.ended(frame)
        trace.end[self.name] = end.node
        parameter = Parameter(self.name, x.node, end.node)
        function = getattr(self.loss, "__name__", "")
        name = loss.node.name or (function if function.isidentifier() else "")
        roles = roles_with(trace, [parameter], loss.reshape(()).node, name)
        return trace, roles or Roles([parameter], None, reason="all gradients are 0")


def starts(pair: Minimised) -> list[Minimised]:
    """The pair from its own start on and from a point near it, where no penalty is 0."""
    rng = np.random.default_rng(0)
    near = pair.start + _NEAR * rng.uniform(-1.0, 1.0, pair.start.shape)
    return [pair, replace(pair, start=near)]


def as_wrong(compared: Compared) -> Compared:
    """What a comparison says of a gradient that an optimiser is given, which has no other rate.

    A line search goes by the size of the gradient, so that a factor is no learning rate there.
    """
    if not compared.ascends and compared.verdict not in ("constant factor", "sign convention"):
        return compared
    size = abs(compared.factor)
    own = [each for each in compared.values if each.of and is_same(abs(each.factor), size)]
    parameters = {each.path for each in compared.parameters}
    first = next((each for each in own if each.of in parameters), own[0] if own else None)
    return replace(
        compared, verdict="wrong", wrong=[*compared.parameters], first=first, ascends=False
    )


def follow_optimisers(
    program: Program, look: Callable[[int, FrameType, Minimised | None], None]
) -> None:
    """Let SciPy's optimisers tell what they are called with, if the program may use any.

    ``look`` is given the line of the program that calls one, its frame, and the pair, or None where
    the optimiser works the gradient out itself.
    """
    if "optimize" not in program.text or "scipy" not in program.text:
        return
    optimize = import_module("scipy.optimize")  # here, as few programs use it
    for name, argument in _GRADIENTS.items():
        original = getattr(optimize, name)
        setattr(optimize, name, _following(original, argument, str(program.path), look))


def _following(
    original: Callable[..., Any],
    argument: str,
    file: str,
    look: Callable[[int, FrameType, Minimised | None], None],
) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def optimiser(*arguments: Any, **settings: Any) -> Any:
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if frame.f_code.co_filename == file:
            try:
                bound = signature.bind(*arguments, **settings)
            except TypeError:  # the optimiser itself will say so
                bound = None
            if bound is not None:
                look(frame.f_lineno, frame, _pair(bound, argument))
        return original(*arguments, **settings)

    return optimiser


def _pair(bound: inspect.BoundArguments, argument: str) -> Minimised | None:
    """The loss and its gradient; None where the optimiser works the gradient out itself."""
    bound.apply_defaults()
    given = bound.arguments
    gradient: Any = given[argument]
    both = gradient is True or (
        gradient is None and argument == "fprime" and given.get("approx_grad") == 0
    )
    loss = given["fun"] if "fun" in given else given.get("func", given.get("f"))
    if not callable(loss) or not (both or callable(gradient)):
        return None
    others = given["args"]
    others = others if isinstance(others, tuple) else (others,)
    start = np.atleast_1d(np.array(given["x0"], float)).ravel()
    return Minimised(loss, gradient if callable(gradient) else None, start, others)
