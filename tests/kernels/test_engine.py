"""The native engine in a training run, and what it leaves to the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Network, trace, train
from chainrule.errors import GuardError
from chainrule.interpreter import Program
from chainrule.kernels.engine import NativeEngine, NotCompiledWarning, is_small
from chainrule.kernels.machine import processor, reason_not_native
from chainrule.kernels.population import reason_not_in_lanes

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "adam"])
@pytest.mark.parametrize("sizes", [[3, 4, 2], [20, 33, 5]])
def test_training_agrees_with_the_interpreter(sizes: list[int], optimizer: str) -> None:
    network = Network(sizes, activation="tanh", loss="categorical_cross_entropy")
    X = RNG.normal(size=(50, sizes[0]))
    y = np.eye(sizes[-1])[RNG.integers(0, sizes[-1], 50)]
    settings: dict[str, Any] = {"optimizer": optimizer, "epochs": 30, "batch_size": 16, "seed": 1}
    native = train(network, X, y, engine=NativeEngine(), **settings)
    reference = train(network, X, y, **settings)
    for name, array in reference.parameters.items():
        np.testing.assert_allclose(native.parameters[name], array, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(native.history["loss"], reference.history["loss"], rtol=1e-10)


def test_the_choice_is_by_size() -> None:
    small = trace(lambda x: np.sum(x * x), np.ones(8))
    assert is_small(small)
    assert not is_small(trace(lambda x: np.sum(x * x), np.ones(5000)))


def test_what_cannot_be_compiled_is_interpreted_and_said_once() -> None:
    def ordered(x: Any) -> Any:
        return np.sum(np.sort(x)[:2])

    graph = trace(ordered, np.arange(4.0))
    engine = NativeEngine()
    with pytest.warns(NotCompiledWarning, match="runs with NumPy and not as native code, because"):
        run = engine(graph)
    assert run(np.arange(4.0))[0] == 1
    engine(graph)  # a second warning would fail the test


def test_a_branch_is_noticed() -> None:
    def steered(x: Any) -> Any:
        return np.sum(x) if x[0] > 0 else np.sum(2 * x)

    run = NativeEngine()(trace(steered, np.ones(4)))
    assert run(np.full(4, 3.0))[0] == 12
    with pytest.raises(GuardError, match=r"a value that steers it was True .* it is False"):
        run(np.full(4, -3.0))


def test_without_fused_multiply_adds_everything_is_interpreted_and_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = ",".join(each for each in processor()[1].split(",") if each != "+fma")
    monkeypatch.setattr("chainrule.kernels.machine.processor", lambda: ("x86-64", features))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    graph, engine = trace(lambda x: np.sum(x * x), np.arange(4.0)), NativeEngine()
    with pytest.warns(NotCompiledWarning, match="a processor without fused multiply-add"):
        run = engine(graph)
    assert isinstance(run, Program)
    assert isinstance(engine(graph), Program)  # a second warning would fail the test
    assert reason_not_in_lanes(graph) == "a processor without fused multiply-add instructions"
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert reason_not_native() is None
