"""Where a number came from: the terms and the paths add up to it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.errors import SettingError
from chainrule.explain import Derivation
from chainrule.explain import paths as searching
from chainrule.explain.moments import training_of

from .conftest import derived, recipe


def test_paths_add_up_to_the_gradient(training):
    derivation = derived(training, epoch=1)
    for name, shape in training.network.parameter_shapes.items():
        place = [size - 1 for size in shape]
        why = derivation.why(f"{name}{place}")
        assert why.paths is not None
        size = math.fsum(abs(path.product) for path in why.paths.paths)
        unit = 1e-14 if derivation["loss"].value.dtype == np.float64 else 1e-5
        assert abs(why.paths.total - why.paths.value) <= unit * max(size, 1e-30)
        sizes = [abs(path.product) for path in why.paths.paths]
        assert sizes == sorted(sizes, reverse=True)


def test_a_path_is_the_product_of_data_derivatives_and_weights(tmp_path):
    derivation = derived(training_of(recipe("xor", tmp_path)), epoch=7)
    value = {each.name: each.value for each in (*derivation.given, *derivation.steps)}
    why = derivation.why("W1[0,1]")
    assert why.paths is not None
    assert len(why.paths.paths) == 2  # X[n,0] is 0 in the other two samples
    assert why.paths.skipped == 0
    for path in why.paths.paths:
        n = path.cells[1][1][0]
        a1, a2 = value["a1"][n, 1], value["a2"][n, 0]
        by_hand = (
            value["X"][n, 0]
            * (a1 * (1 - a1))
            * value["W2"][1, 0]
            * (a2 * (1 - a2))
            * (2 * (a2 - value["y"][n, 0]))
        )
        assert path.product == pytest.approx(by_hand, rel=1e-14)
        assert [factor.text for factor in path.factors] == [
            f"X[{n},0]", f"a1[{n},1] · (1 − a1[{n},1])", "W2[1,0]", f"a2[{n},0] · (1 − a2[{n},0])",
        ]  # fmt: skip


def test_the_update_is_followed_to_what_it_is_computed_from(tmp_path):
    derivation = derived(training_of(recipe("adam with l2", tmp_path)), epoch=3)
    why = derivation.why("W1[0,1]")
    names = [derivation.cell_name((each.node, each.place)) for each in why.elements]
    assert names[0] == "W1_new[0,1]"
    assert {"mean_W1_new[0,1]", "square_W1_new[0,1]", "step_new"} <= set(names)
    assert names[-1] == "d_loss_W1[0,1]"


def test_a_penalty_has_a_path_of_its_own(tmp_path):
    derivation = derived(training_of(recipe("adam with l2", tmp_path)), epoch=3)
    why = derivation.why("W2[1,0]")
    assert why.paths is not None
    (alone,) = [path for path in why.paths.paths if len(path.cells) == 1]
    assert alone.product == pytest.approx(0.01 * float(derivation["W2"].value[1, 0]), rel=1e-14)
    assert "→ penalty" in "\n".join(line for line, _ in why.lines(whole=True))


def test_too_many_paths_are_taken_together(tmp_path, monkeypatch):
    derivation = derived(training_of(recipe("deep tanh", tmp_path)))
    whole = derivation.why("W1[0,0]").paths
    monkeypatch.setattr(searching, "_MOST_PATHS", 100)
    folded = derivation.why("W1[0,0]").paths
    assert whole is not None
    assert folded is not None
    assert any(path.folded for path in folded.paths)
    assert len(folded.paths) <= 100 < len(whole.paths)
    assert folded.total == pytest.approx(whole.total, rel=1e-12)


def test_the_rounding_is_stated():
    paths = searching.Paths(1.0, (searching.Path((), (), 0.5), searching.Path((), (), 0.5)), 0)
    assert paths.rounding == "The sum of the paths is the gradient to the last bit."
    apart = searching.Paths(1.0 + 2**-52, paths.paths, 0)
    assert "differ by 2.2e-16 (1 unit in the last place)" in apart.rounding


def test_a_value_of_the_forward_pass(tmp_path):
    derivation = derived(training_of(recipe("xor", tmp_path)), epoch=7)
    lines = [line for line, _ in derivation.why("a1[2,1]").lines()]
    assert "    = σ(z1[2,1])" in lines
    assert any("a1[2,1] → z2[2,0] → a2[2,0] → loss" in line for line in lines)
    given = [line for line, _ in derivation.why("X[2,0]").lines()]
    assert given[-1] == "X[2,0] = 1.0 is given."


def test_names_that_are_not_there(tmp_path):
    derivation = derived(training_of(recipe("xor", tmp_path)))
    with pytest.raises(SettingError, match=r"no value 'W3' .* nearest names are W1, W2"):
        derivation.why("W3[0,0]")
    with pytest.raises(SettingError, match=r"shape \(2, 2\): ask for W1\[0,0\] to W1\[1,1\]"):
        derivation.why("W1[2,0]")
    with pytest.raises(SettingError, match="ask for loss alone"):
        derivation.why("loss[0]")
    with pytest.raises(SettingError, match="does not name a number"):
        derivation.why("W1[0")


def test_a_functions_own_values():
    def loss(w, x):
        half = w * x
        return np.sum(half * half) + np.sum(half)

    derivation = Derivation.of(loss, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    why = derivation.why("w[1]")
    assert why.paths is not None
    assert why.paths.value == why.paths.total == (2 * 8 + 1) * 4
