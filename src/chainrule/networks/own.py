"""What a network asks of the user's own activations and losses."""

from __future__ import annotations

import inspect
from typing import Any

from chainrule.errors import SettingError
from chainrule.networks.choices import Choice
from chainrule.networks.losses import Loss, refuse_weight

__all__ = ["check_activated", "check_takes_weight", "check_total"]


def check_activated(layer: Choice, number: int, z: Any, a: Any) -> None:
    """Raises SettingError where an own activation does not keep the shape."""
    if layer.own and getattr(a, "shape", None) != z.shape:
        raise SettingError(
            f"The activation {layer.name} of layer {number} gave shape {getattr(a, 'shape', ())} "
            f"for an input of shape {z.shape}; it must keep the shape."
        )


def check_takes_weight(loss: Loss) -> None:
    """Raises SettingError where an own loss cannot be given sample weights."""
    if not loss.own:
        return
    try:
        inspect.signature(loss.function).bind(None, None, None)
    except (TypeError, ValueError):
        raise refuse_weight(loss) from None


def check_total(loss: Loss, total: Any) -> None:
    """Raises SettingError where an own loss gives anything but one number."""
    if loss.own and getattr(total, "shape", ()) != ():
        raise SettingError(
            f"The loss {loss.name} gave shape {total.shape}; it must give one number. Take np.mean "
            "or np.sum of it."
        )
