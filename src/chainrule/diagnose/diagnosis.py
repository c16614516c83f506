"""`diagnose`: why a network does not learn, from exact derivatives and from experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.diagnose.layers import layer_verdicts
from chainrule.diagnose.material import data_verdicts
from chainrule.diagnose.measures import Measures
from chainrule.diagnose.rest import Standing
from chainrule.diagnose.running import descending, overfitting, solved, step_too_large
from chainrule.diagnose.subject import Subject
from chainrule.diagnose.subjects import subject_of_folder
from chainrule.diagnose.verdict import Verdict
from chainrule.diagnose.wording import number
from chainrule.errors import SettingError
from chainrule.networks import Network

if TYPE_CHECKING:
    from chainrule.diagnose.experiments import Advice

__all__ = ["Diagnosis", "diagnose", "verdicts_of"]

_EXPLAINED_BY_DATA = ("contradictory", "constant-inputs", "constant-targets")
_FOLLOWING_STEPS = ("dead", "saturated", "vanishing")
"""What steps that are too large do to the units; the steps are what is to be changed."""
_HELD_UP = ("dead", "saturated", "vanishing", "exploding", "step-too-large")
"""With one of these the landscape around tells no more of why the run does not learn."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found out about a run.

    ``verdicts``  what is the matter, faults first
    ``advice``    changes that were tried, those that helped first
    ``measures``  the numbers behind the verdicts, computed when they are asked for
    """

    subject: Subject = field(repr=False)
    verdicts: list[Verdict]
    advice: list[Advice]
    measures: Measures = field(repr=False)
    standing: Standing = field(repr=False)

    @property
    def faults(self) -> list[Verdict]:
        """The verdicts that say that something is wrong."""
        return [each for each in self.verdicts if each.fault]

    def to_text(self, *, whole: bool = False) -> str:
        """What was found, in words; ``whole`` tells of advice that did not help, too."""
        from chainrule.diagnose.text import lines_of

        return "\n".join(line for line, _ in lines_of(self, whole=whole))

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, which may hold numbers that are not finite."""
        return {
            "what": self.subject.name,
            "network": list(self.subject.network.sizes),
            "parameters": self.subject.network.count,
            "loss": self.subject.loss,
            "goal": self.subject.goal,
            "verdicts": [each.to_json() for each in self.verdicts],
            "advice": [each.to_json() for each in self.advice],
            "measures": self.measures.to_json(),
        }


def diagnose(
    what: str | Path | Network | Subject,
    parameters: Mapping[str, Any] | None = None,
    X: Any = None,
    y: Any = None,
    *,
    data: str | None = None,
    time: float = 2.0,
    brief: bool = False,
    **facts: Any,
) -> Diagnosis:
    """Why a network does not learn: verdicts, each with its evidence.

    what        the folder of a saved model; or a `Network`, with its ``parameters``, ``X`` of shape
                (n, features) and ``y`` of shape (n, outputs); or a `Subject`
    data        other data than a saved model's recipe names
    time        how many seconds to train on for, an eighth of them at most, and to try advice for
    brief       leave out the search for a way down from a saddle
    facts       what is known of the run, by the names of `Subject`: ``losses``, ``rate``,
                ``optimizer``, ``epochs``, ``batch_size``, …

    >>> network = Network([2, 2, 1], activation="sigmoid", output="sigmoid")
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.array([[0.0], [1.0], [1.0], [0.0]])
    >>> start = {name: np.zeros(shape) for name, shape in network.parameter_shapes.items()}
    >>> [verdict.name for verdict in diagnose(network, start, X, y).verdicts][0]
    'symmetric'

    Raises SettingError where parameters or data are missing, ModelFileError for a folder that holds
    no model, and DataError for data that does not fit.
    """
    if isinstance(what, Network):
        subject = _subject(what, parameters, X, y, facts)
    elif isinstance(what, Subject):
        subject = replace(what, **facts) if facts else what
    else:
        subject = subject_of_folder(what, data)
        subject = replace(subject, **facts) if facts else subject
    began = monotonic()
    standing = Standing(subject, time / 8, brief=brief)
    measures = Measures(subject, standing)
    with np.errstate(all="ignore"):
        verdicts = list(verdicts_of(subject, standing, measures))
    verdicts.sort(key=lambda each: not each.fault)
    left = time - (monotonic() - began)
    advice: list[Advice] = []
    if left > 0:
        from chainrule.diagnose.experiments import tried_advice  # which needs native code

        advice = tried_advice(subject, verdicts, standing, left)
    return Diagnosis(subject, verdicts, advice, measures, standing)


def _subject(network: Network, parameters: Any, X: Any, y: Any, facts: dict[str, Any]) -> Subject:
    if parameters is None or X is None or y is None:
        raise SettingError(
            "A Network is diagnosed with its parameters on data: "
            "diagnose(network, parameters, X, y)."
        )
    inputs, targets = np.asarray(X), np.asarray(y)
    network.check_data(inputs, targets)
    return Subject(network, parameters, inputs, targets, **facts)


def verdicts_of(subject: Subject, standing: Standing, measures: Measures) -> Iterator[Verdict]:
    """What the numbers say, from the data up to where the run stands."""
    overfitted = overfitting(subject)
    if overfitted is not None:
        yield overfitted
    done = solved(subject)
    if done is not None:
        yield done
        return
    found = list(_hindrances(subject, standing, measures))
    yield from found
    if any(each.name in _EXPLAINED_BY_DATA for each in found):
        return
    if not any(each.name in _HELD_UP for each in found):
        rest = _where_it_stands(subject, standing, found)
        if rest is not None:
            found.append(rest)
            yield rest
    if not found:
        yield from _by_training_on(subject, standing, known=overfitted is not None)


def _by_training_on(subject: Subject, standing: Standing, *, known: bool) -> Iterator[Verdict]:
    """What training on shows, where nothing else shows anything."""
    later = standing.continuation
    if later is not None and later.reached:
        text = (
            f"Trained on as it was, it reached the loss {number(subject.goal)} after "
            f"{later.epochs:,} epochs more; the run had {subject.epochs:,}."
        )
        yield Verdict("descending", False, "measured", (text,), {"epochs_more": later.epochs})
    elif not known:
        text = (
            f"The loss is {number(subject.loss)}, the goal {number(subject.goal)}; nothing was "
            "found that keeps the run from it, nor a law by which it falls."
        )
        more = (
            ""
            if later is None
            else f"Trained on for {later.epochs:,} epochs: {number(later.loss)}."
        )
        yield Verdict("not-known", False, "likely", (text, *([more] if more else [])))


def _hindrances(subject: Subject, standing: Standing, measures: Measures) -> Iterator[Verdict]:
    """Faults in the data, the steps and the layers."""
    yield from data_verdicts(subject)
    swings = step_too_large(subject, lambda: standing.spectrum)
    if swings is not None:
        yield swings
    for verdict in layer_verdicts(subject, measures.layers):
        if swings is None or verdict.name not in _FOLLOWING_STEPS:
            yield verdict


def _where_it_stands(subject: Subject, standing: Standing, found: list[Verdict]) -> Verdict | None:
    if not np.isfinite(subject.v).all():
        return None
    if standing.limit is None:
        on_its_way = descending(subject)
        if on_its_way is not None:
            return on_its_way
    rest = standing.verdict()
    if rest is None or (found and rest.name in ("plateau", "minimum")):
        return None
    return rest
