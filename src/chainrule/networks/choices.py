"""Settings that are chosen by name: ``"tanh"``, ``"leaky_relu(slope=0.2)"``.

A choice is written as Python would call it, with numbers and strings only, so that one text serves
the program, the command line and the saved model. Nothing in the text is ever executed.
"""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from chainrule.errors import SettingError

__all__ = [
    "ANY",
    "COUNT",
    "FRACTION",
    "INSIDE",
    "NATURAL",
    "NONNEGATIVE",
    "POSITIVE",
    "Choice",
    "Range",
    "check_setting",
    "choose",
    "format_choice",
    "nearest_first",
    "one_of",
    "parse_choice",
    "unknown",
]


@dataclass(frozen=True)
class Range:
    """The values that a setting takes: in words, and as a test on a value of the right type."""

    words: str
    accepts: Callable[[Any], bool]
    kind: type = Real

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, self.kind):
            return False
        if isinstance(value, Real) and not math.isfinite(float(value)):
            return False
        return self.accepts(value)


ANY = Range("a finite number", lambda value: True)
POSITIVE = Range("a number above 0", lambda value: value > 0)
NONNEGATIVE = Range("a number, 0 or more", lambda value: value >= 0)
FRACTION = Range("a number from 0 up to, but not including, 1", lambda value: 0 <= value < 1)
INSIDE = Range("a number between 0 and 1, both excluded", lambda value: 0 < value < 1)
COUNT = Range("a whole number, 1 or more", lambda value: value >= 1, Integral)
NATURAL = Range("a whole number, 0 or more", lambda value: value >= 0, Integral)


def one_of(*choices: str) -> Range:
    """The range of a setting that takes one of a few words."""
    words = " or ".join(repr(choice) for choice in choices)
    return Range(words, lambda value: value in choices, str)


@dataclass(frozen=True)
class Choice:
    """What a setting chose: the function, the name it goes by, and the settings given with it.

    ``own`` tells a function of the user's from one of the table.
    """

    name: str
    function: Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    own: bool = False

    @property
    def text(self) -> str:
        """The choice as it is written: ``leaky_relu(slope=0.2)``; an own function's name."""
        return self.name if self.own else format_choice(self.name, self.settings)

    def __call__(self, *arguments: Any) -> Any:
        """The function's value at ``arguments``, with the settings."""
        return self.function(*arguments, **self.settings)


def nearest_first(name: str, choices: Iterable[str]) -> list[str]:
    """The choices, those most like ``name`` first.

    >>> nearest_first("rleu", ["tanh", "relu", "elu"])[0]
    'relu'
    """
    import difflib  # here, as only what is misspelt needs it

    def unlikeness(choice: str) -> float:
        matcher = difflib.SequenceMatcher(None, name.lower(), choice.lower())
        return -matcher.ratio()

    return sorted(choices, key=unlikeness)


# What other programs call the same thing, which spelling alone would not find.
_CALLED_ELSEWHERE = {
    "mse": "squared_error",
    "l2": "squared_error",
    "sse": "squared_error_sum",
    "mae": "absolute_error",
    "l1": "absolute_error",
    "bce": "binary_cross_entropy",
    "log_loss": "binary_cross_entropy",
    "logistic_loss": "binary_cross_entropy",
    "ce": "categorical_cross_entropy",
    "nll": "categorical_cross_entropy",
    "softmax_cross_entropy": "categorical_cross_entropy",
    "svm": "hinge",
    "pinball": "quantile",
    "sgd": "gradient_descent",
    "gd": "gradient_descent",
    "nag": "nesterov",
    "bfgs": "lbfgs",
    "logistic": "sigmoid",
    "swish": "silu",
    "linear": "identity",
    "none": "identity",
    "xavier": "glorot",
    "kaiming": "he",
    "normal": "standard_normal",
    "gaussian": "standard_normal",
    "plateau": "adaptive",
    "reduce_on_plateau": "adaptive",
    "invscaling": "inverse_scaling",
}


def unknown(option: str, value: object, choices: Iterable[str]) -> SettingError:
    """The error for a name that is not in a table.

    >>> str(unknown("loss", "MSE", ["huber", "squared_error"]))
    "loss='MSE' is not known. Did you mean 'squared_error'? The choices are: squared_error, huber."
    """
    near = nearest_first(str(value), choices)
    meant = _CALLED_ELSEWHERE.get(str(value).strip().lower().replace("-", "_"))
    if meant in near:
        near = [meant, *(name for name in near if name != meant)]
    return SettingError(
        f"{option}={value!r} is not known. Did you mean {near[0]!r}? "
        f"The choices are: {', '.join(near)}."
    )


def parse_choice(option: str, text: str) -> tuple[str, dict[str, Any]]:
    """The name and the settings in a text such as ``"huber(delta=2)"``; nothing is executed.

    >>> parse_choice("loss", "huber(delta=2)")
    ('huber', {'delta': 2})

    Raises SettingError where the text is neither a name nor a name with plain values.
    """
    error = SettingError(
        f"{option}={text!r} cannot be read. Write a name, or a name with its settings as numbers "
        f"or quoted words: 'name' or 'name(setting=0.5)'."
    )
    try:
        expression = ast.parse(text.strip().replace("-", "_") if "(" not in text else text.strip())
        (statement,) = expression.body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise error from None
    if not isinstance(statement, ast.Expr):
        raise error
    if isinstance(statement.value, ast.Name):
        return statement.value.id, {}
    call = statement.value
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)) or call.args:
        raise error
    settings: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise error
        try:
            settings[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise error from None
    return call.func.id, settings


def format_choice(name: str, settings: Mapping[str, Any]) -> str:
    """The text that `parse_choice` reads back.

    >>> format_choice("huber", {"delta": 2.0})
    'huber(delta=2.0)'
    """
    if not settings:
        return name
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in settings.items())})"


def check_setting(option: str, value: object, accepted: Range) -> None:
    """Raises SettingError where ``value`` is not in the range."""
    if value not in accepted:
        raise SettingError(f"{option}={value!r} is out of range: it takes {accepted.words}.")


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def choose(
    option: str,
    value: object,
    table: Mapping[str, Callable[..., Any]],
    ranges: Mapping[str, Range],
    **settings: Any,
) -> Choice:
    """What ``value`` chooses from the table: by name, by a name with settings, or as a function.

    A function of the table is found under its name, any other callable is the user's own. The
    keyword-only arguments of a table's function are the settings it takes.

    Raises SettingError for an unknown name or setting, or a value out of range.
    """
    if isinstance(value, Choice):
        return value
    if isinstance(value, str):
        name, written = parse_choice(option, value)
        settings = {**settings, **written}
        if name not in table:
            raise unknown(option, value if not written else name, table)
    elif callable(value):
        names = [name for name, function in table.items() if function is value]
        if not names:
            if settings:
                raise SettingError(
                    f"{option} is a function of your own, which takes no settings here; got "
                    f"{', '.join(settings)}. Bind them with functools.partial."
                )
            return Choice(_own_name(value), value, {}, own=True)
        name = names[0]
    else:
        raise SettingError(
            f"{option}={value!r} is of type {type(value).__name__}; it takes a name or a function. "
            f"The names are: {', '.join(sorted(table))}."
        )
    _check_settings(option, name, settings, table[name], ranges)
    return Choice(name, table[name], settings)


def _own_name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _check_settings(
    option: str,
    name: str,
    settings: Mapping[str, Any],
    function: Callable[..., Any],
    ranges: Mapping[str, Range],
) -> None:
    known = _defaults(function)
    for key, value in settings.items():
        if key not in known:
            takes = ", ".join(nearest_first(key, known)) or "none"
            raise SettingError(
                f"{option} {name!r} has no setting {key!r}. The settings it takes: {takes}."
            )
        if value is None and known[key] is None:
            continue
        check_setting(f"{option} {name!r}: {key}", value, ranges[key])
    missing = [
        key
        for key, default in known.items()
        if default is inspect.Parameter.empty and key not in settings
    ]
    if missing:
        raise SettingError(
            f"{option} {name!r} needs {' and '.join(missing)}. "
            f"Write it as '{name}({', '.join(f'{key}=…' for key in missing)})'."
        )
