"""The public names, and what importing the package does not load."""

import subprocess
import sys

import pytest

import chainrule

PUBLIC = [
    "Graph",
    "Node",
    "trace",
    "stop_gradient",
    "grad",
    "value_and_grad",
    "jvp",
    "vjp",
    "jacobian",
    "hessian",
    "hvp",
    "check_gradients",
    "Network",
    "train",
    "Population",
]


def loaded_after(program: str) -> set[str]:
    """The top-level modules that a new Python has loaded after the program."""
    finish = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, sep='\\n')"
    result = subprocess.run(
        [sys.executable, "-c", program + finish], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_public_names_are_exactly_these():
    assert chainrule.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_documented(name: str):
    assert getattr(chainrule, name).__doc__
    assert name in dir(chainrule)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'chainrule' has no attribute 'gradd'"):
        chainrule.gradd  # noqa: B018


def test_import_loads_nothing_heavy():
    heavy = {"numpy", "scipy", "polars", "pandas", "matplotlib", "sklearn", "llvmlite", "rich"}
    assert not loaded_after("import chainrule") & heavy


def test_core_loads_nothing_heavier_than_scipy():
    names = [name for name in PUBLIC if name != "Population"]  # which is native code alone
    program = f"import chainrule\nfor name in {names}: getattr(chainrule, name)"
    heavy = {"polars", "pandas", "pyarrow", "matplotlib", "sklearn", "llvmlite", "torch", "jax"}
    assert not loaded_after(program) & heavy
