"""Every pullback against differences: first and second order, both precisions, both modes."""

import numpy as np
import pytest

from chainrule.graph import registry

from .checking import check_primitive
from .specs import SPECS

CASES = [
    pytest.param(name, case, id=f"{name}-{case}")
    for name, spec in SPECS.items()
    if spec.method is not None
    for case in spec.cases
    if any(x.array is None for x in case.inputs)
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "case"), CASES)
def test_first_order(name, case, dtype):
    check_primitive(registry[name], case, SPECS[name], dtype)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_second_order(name, case):
    check_primitive(registry[name], case, SPECS[name], order=2)
