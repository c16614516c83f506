"""SciPy is imported only by programs that use it, and is reached when they import it meanwhile."""

import subprocess
import sys

START = """
import sys
import numpy as np
import chainrule
from chainrule.networks import Network
loaded = lambda: "scipy" in sys.modules or "scipy.special" in sys.modules
"""


def last_line(program: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", START + program], capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()[-1]


def test_a_trace_without_scipy_imports_none():
    program = """
chainrule.grad(lambda x: np.sum(np.logaddexp(np.tanh(x), 0)))(np.ones(3))
network = Network([2, 3, 1], activation="sigmoid", loss="squared_error")
network.predict(network.initialize(1), np.ones((4, 2)))
rows = np.arange(8.0).reshape(4, 2)
chainrule.train(network, rows, rows[:, :1] / 8, epochs=3)
for loss, output in (("binary_cross_entropy", 1), ("categorical_cross_entropy", 3)):
    network = Network([2, 3, output], activation="silu", loss=loss)
    chainrule.train(network, rows, np.array([0, 1, 1, 0]), epochs=3)
print(loaded())
"""
    assert last_line(program) == "False"


def test_its_functions_are_traced_where_the_program_imports_it():
    program = """
def f(x):
    from scipy.special import expit, logsumexp
    import scipy.special
    return logsumexp(x) + np.sum(scipy.special.softmax(x) * x) + np.sum(expit(x))

assert not loaded()
graph = chainrule.trace(f, np.ones(3))
import scipy.special
names = {node.primitive.name for node in graph}
print({"logsumexp", "softmax", "expit"} <= names, scipy.special.softmax.__code__.co_name)
print(type(scipy.special.__spec__.loader.exec_module).__name__, len(sys.meta_path))
before = list(sys.meta_path)
chainrule.trace(f, np.ones(3))
names = {node.primitive.name for node in graph}
print({"logsumexp", "softmax", "expit"} <= names, scipy.special.softmax.__code__.co_name,
      type(scipy.special.__spec__.loader.exec_module).__name__, sys.meta_path == before)
"""
    assert last_line(program) == "True softmax method True"


def test_its_functions_keep_their_own_code_where_it_is_imported_after_a_trace():
    program = """
chainrule.trace(np.sum, np.ones(3))
from scipy.special import log_softmax
assert log_softmax.__code__.co_name == "log_softmax"
graph = chainrule.trace(lambda x: log_softmax(x)[0], np.ones(3))
print(*[node.primitive.name for node in graph], log_softmax.__code__.co_name)
"""
    assert last_line(program) == "argument log_softmax getitem log_softmax"
