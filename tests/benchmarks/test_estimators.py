"""The benchmark of the estimators, in little."""

import estimators
import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_case_is_measured_and_its_curves_compared(monkeypatch):
    monkeypatch.setattr(estimators, "EPOCHS", {"moons": 2})
    row = estimators.measure("moons", 200, short=True)
    assert row["difference"] < 1e-10
    assert row["ratio"] == pytest.approx(row["theirs"] / row["ours"])


def test_a_case_whose_curves_differ_is_an_error(monkeypatch):
    monkeypatch.setattr(estimators, "EPOCHS", {"moons": 2})
    rng = np.random.default_rng(0)

    def other(name, *, short):
        # Both sides see the same arrays, so what differs must be made to differ.
        return rng.standard_normal((50, 2)), rng.integers(0, 2, 50)

    monkeypatch.setattr(estimators, "data", other)
    import chainrule.estimators as ours

    class Wrong(ours.MLPClassifier):
        def fit(self, X, y):
            super().fit(X, y)
            self.loss_curve_[0] += 1e-9
            return self

    monkeypatch.setattr(ours, "MLPClassifier", Wrong)
    with pytest.raises(SystemExit, match="the loss curves differ"):
        estimators.measure("moons", 200, short=True)


def test_what_was_asked_for():
    assert estimators.asked({"data": "large", "batch": 10}) == 3
    assert estimators.asked({"data": "moons", "batch": 10}) == 10
