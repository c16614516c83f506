"""A learning-rate schedule as a line of NumPy."""

from __future__ import annotations

from chainrule.errors import SettingError
from chainrule.training.schedules import Schedule

__all__ = ["rate_code"]


def rate_code(schedule: Schedule) -> tuple[str, str]:
    """The rate as an expression of ``epoch`` and ``update``, and when it is to be computed.

    The second is "once", "epoch" or "step".

    Raises SettingError for a schedule that looks at the losses, and for the user's own.
    """
    s = schedule.settings
    t = "update" if s.get("unit") == "step" else "epoch"
    when = "step" if t == "update" else "epoch"
    name = "own" if schedule.own else schedule.name
    if name == "constant":
        return repr(s["base"]), "once"
    if name == "step":
        return f"{s['base']!r} * {s['factor']!r} ** ({t} // {s['every']})", when
    if name == "exponential":
        return f"{s['base']!r} * {s['factor']!r} ** {t}", when
    if name == "cosine":
        low, span = s["minimum"], s["base"] - s["minimum"]
        wave = f"1 + np.cos(np.pi * min({t} / {s['total']}, 1.0))"
        return f"{low!r} + 0.5 * {span!r} * ({wave})", when
    if name == "inverse_scaling":
        if s["samples"] is not None:
            t, when = f"epoch * {s['samples']}", "epoch"
        return f"{s['base']!r} / ({t} + 1) ** {s['power']!r}", when
    if name == "warmup" and schedule.then is not None:
        rate, also = rate_code(schedule.then)
        rising = f"min(1.0, ({t} + 1) / {s['length']})"
        return f"{rising} * ({rate})", "step" if "step" in (when, also) else when
    raise SettingError(
        f"schedule={schedule.text!r} has no form in NumPy here, so the run cannot be written as a "
        "program. Use a constant, step, exponential, cosine, warmup or inverse_scaling schedule."
    )
