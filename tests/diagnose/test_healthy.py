"""Runs that learn as they should: no fault is found in any of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chainrule import Network
from chainrule.data import builtin

from .runs import faults, trained

DATA = (("moons", 0.1), ("moons", 0.25), ("circles", 0.05), ("sine", 0.1))
METHODS = (
    ("adam", 0.02),
    ("momentum", 0.05),
    ("nesterov", 0.05),
    ("rmsprop", 0.01),
    ("gradient_descent", 0.1),
)


def runs(seed: int) -> Iterator[tuple[Network, Any, Any, dict[str, Any]]]:
    """Forty runs: four sets, two networks, five optimisers."""
    for name, noise in DATA:
        data = builtin(name, samples=80, noise=noise, seed=seed)
        loss = "squared_error" if name == "sine" else "binary_cross_entropy"
        for hidden in ((8,), (8, 8)):
            activation = "relu" if seed % 2 and len(hidden) == 2 else "tanh"
            network = Network([data.X.shape[1], *hidden, 1], activation=activation, loss=loss)
            for optimizer, rate in METHODS:
                settings = {
                    "optimizer": optimizer,
                    "rate": rate,
                    "seed": seed,
                    "epochs": 300,
                    "batch_size": None if optimizer == "gradient_descent" else 16,
                    "validation": 0.2 if seed == 4 else None,
                }
                yield network, data.X, data.y, settings


@pytest.mark.parametrize("seed", range(5))
def test_no_fault_is_found_in_forty_healthy_runs(seed):
    count = 0
    for network, X, y, settings in runs(seed):
        diagnosis = trained(network, X, y, **settings)
        assert not faults(diagnosis), (network, settings, diagnosis.to_text())
        count += 1
    assert count == 40
