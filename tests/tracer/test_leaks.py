"""Where a traced value would leave its trace: an error that says where, or a guard, or a cut."""

from __future__ import annotations

import array as arrays
import copy
import functools
import itertools
import math
import operator
import pickle
import statistics
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.sparse
import scipy.special
import scipy.stats
from numpy import array as other_array
from numpy import zeros as other_zeros

from chainrule import grad, stop_gradient
from chainrule.errors import GuardError, LeakError, TraceError, UnsupportedError
from chainrule.interpreter import evaluate
from chainrule.tracer import trace

X = np.array([0.5, 1.5, 2.5])
PLAIN = np.arange(3.0)


def assigned(x):
    buffer = other_zeros(3)
    buffer[0] = x[0]


def assigned_slice(x):
    buffer = other_zeros(3)
    buffer[:] = x


def augmented(x):
    buffer = other_zeros(3)
    buffer += x


def augmented_element(x):
    buffer = other_zeros(3)
    buffer[0] += x[0]


def assigned_to_python_array(x):
    buffer = arrays.array("d", [0.0])
    buffer[0] = x[0]


KEEP = "use NumPy's functions"
MADE = "Make the array inside the traced function with np.zeros(shape)"
JOIN = "np.stack([a, b]) joins values"
WRITE = "Write what it does with NumPy's functions, which are traced"

# What takes the value, as the message calls it, and what the message says to do.
LEAKS: list[tuple[Any, str, str]] = [
    (lambda x: float(x[0]), "float() takes", KEEP),
    (lambda x: x[0].item(), "x[0].item() takes", KEEP),
    (lambda x: x.item(1), "x.item() takes", KEEP),
    (lambda x: x.tolist(), "x.tolist() takes a traced value (x) out", KEEP),
    (lambda x: complex(x[0]), "complex() takes", KEEP),
    (lambda x: math.exp(x[0]), "math.exp() takes", "Use np.exp, which is traced"),
    (lambda x: math.fsum(x), "math.fsum() takes", "which is traced"),
    (lambda x: math.isclose(x[0], 1.0), "math.isclose() takes", "which is traced"),
    (statistics.fmean, "statistics's fmean (through float())", WRITE),
    (lambda x: np.float64(x[0]), "np.float64() takes", "Use .astype(np.float64)"),
    (lambda x: np.fromiter(x, float), "np.fromiter() takes", JOIN),
    (lambda x: np.vectorize(lambda z: 2 * z)(x), "numpy's vectorize.__call__", JOIN),
    (lambda x: list(np.ndenumerate(x)), "numpy's ndenumerate", JOIN),
    (lambda x: np.exp([x[0], x[1]]), "np.exp() takes", JOIN),
    (lambda x: np.where([True], [x[0]], 0.0), "np.where() takes", JOIN),
    (lambda x: np.linalg.norm([x[0], 1.0]), "numpy's norm", JOIN),
    (lambda x: np.tile([x[0], 1.0], 2), "numpy's tile", JOIN),
    (lambda x: PLAIN * [x[0], x[1], x[2]], "another conversion takes", KEEP),
    (lambda x: other_array([x[0]]), "other_array() takes", KEEP),
    (assigned, "Assigning into a plain array takes", MADE),
    (assigned_slice, "Assigning into a plain array takes", MADE),
    (augmented_element, "Assigning into a plain array takes", MADE),
    (assigned_to_python_array, "Assigning into a plain array takes", MADE),
    (lambda x: PLAIN.dot(x), "PLAIN.dot() takes", "Write np.dot(a, b) or a @ b"),
    (lambda x: PLAIN.copy().fill(x[0]), "PLAIN.copy().fill() takes", KEEP),
    (lambda x: PLAIN.copy().put([0], x[0]), "PLAIN.copy().put() takes", KEEP),
    (lambda x: PLAIN.searchsorted(x), "PLAIN.searchsorted() takes", KEEP),
    (lambda x: PLAIN.sum(initial=x[0]), "through float()", JOIN),
    (lambda x: np.arange(0, x[0], 0.1), "np.arange() takes", "Use x * np.arange(n)"),
    (lambda x: np.random.normal(x), "np.random.normal() takes", "Draw standard numbers"),
    (lambda x: np.lib.stride_tricks.as_strided(x, (2,), (8,)), "numpy's as_strided", JOIN),
    (lambda x: np.polynomial.polynomial.polyval(2.0, x), "numpy's polyval", JOIN),
    (lambda x: np.ma.array(x), "numpy's array", JOIN),
    (lambda x: np.ma.array(PLAIN, mask=[1, 0, 0]) * x, "numpy's MaskedArray", JOIN),
    (lambda x: scipy.sparse.csr_matrix(np.eye(3)) @ x, "scipy's", WRITE),
    (scipy.linalg.norm, "scipy's norm", WRITE),
    (lambda x: scipy.signal.convolve(x, PLAIN), "scipy's convolve", WRITE),
    (scipy.stats.norm.pdf, "scipy's rv_continuous.pdf", WRITE),
]


@pytest.mark.parametrize(("program", "what", "instead"), LEAKS)
def test_leak(program: Any, what: str, instead: str) -> None:
    def traced(x):
        return program(x)

    with pytest.raises(LeakError) as caught:
        trace(traced, X)
    message = str(caught.value)
    assert what in message
    assert "out of the trace, which would cut its gradient (" in message
    assert "test_leaks.py, line " in message
    assert instead in message
    assert "chainrule.stop_gradient makes it one" in message


BOTH_MATRICES = "Use arrays of two axes, and write @ for products"

REFUSED: list[tuple[Any, str, str]] = [
    (augmented, "np.add(…, out=…) into a plain array", MADE),
    (lambda x: pickle.dumps(x), "Pickling a traced value", "outside the traced function"),
    (lambda x: x * 1j, "of dtype complex128", "pass real and imaginary parts separately"),
    (lambda x: x.astype(complex), "of dtype complex128", "pass real and imaginary parts"),
    (lambda x: x.astype(object), "of dtype object", "Use numbers: float64 or float32"),
    (lambda x: x.astype(np.float16), "of dtype float16", "Use .astype('float32') or 'float64'"),
    (lambda x: x * np.longdouble(2), "of dtype float128", "Use .astype('float32')"),
    (lambda x: x + "a", "of dtype <U1", "Use numbers"),
    (lambda x: x + None, "of dtype object", "Use numbers"),
    (lambda x: np.matrix(x), "numpy's matrix.__new__", BOTH_MATRICES),
    (lambda x: np.matrix(PLAIN) * x[:, None], "numpy's asmatrix", BOTH_MATRICES),
    (lambda x: x * np.matrix(PLAIN), "that is a np.matrix", "write @ for products"),
    (lambda x: x * np.ma.array(PLAIN), "that is a masked array", "Fill it"),
    (lambda x: x @ scipy.sparse.csr_matrix(np.diag(PLAIN)), "of dtype object", "Use numbers"),
    (lambda x: np.frompyfunc(abs, 1, 1)(x), "abs (vectorized)", "NumPy's arithmetic"),
    (lambda x: np.interp(0.5, PLAIN, x), "numpy.interp", "interpolate with slices"),
    (lambda x: np.linspace(0, x[0], 3), "numpy.linspace", "start + (stop - start)"),
    (lambda x: np.fft.fft(x), "numpy.fft.fft", "compute it outside the traced function"),
    (lambda x: np.linalg.inv(x), "numpy.linalg.inv", "Decompositions and inverses"),
    (lambda x: np.percentile(x, 10), "numpy.percentile", "Sort with np.sort"),
    (lambda x: scipy.special.gamma(x), "scipy.special.gamma", "NumPy's arithmetic"),
    (lambda x: scipy.special.ndtr(x), "scipy.special.ndtr", "scipy.special.erf"),
    (lambda x: np.arcsin(x), "np.arcsin", "Use np.arctan(x / np.sqrt(1 - x**2))"),
    (lambda x: np.hypot(x, x), "np.hypot", "Use np.sqrt(x**2 + y**2)"),
    (lambda x: x // 2, "//, % and divmod", "np.floor(x / n)"),
    (lambda x: divmod(x, 2), "//, % and divmod", "np.floor(x / n)"),
    (lambda x: np.mod(x, 2), "np.remainder", "x - n * np.floor(x / n)"),
    (lambda x: x.tobytes(), "numpy.ndarray.tobytes", "Leave writing to the code outside"),
    (lambda x: x.resize(2), "numpy.ndarray.resize", "Use .reshape(shape)"),
    (lambda x: x.imag, "numpy.ndarray.imag", "NumPy's arithmetic"),
    (lambda x: x.partition(1), "numpy.ndarray.partition", "Use np.sort"),
    (lambda x: setattr(x, "shape", (3, 1)), "Assigning to .shape", "Use .reshape(shape)"),
    (lambda x: np.add(x, x, where=x > 1), "np.add(…, where=…) without out=", "np.where(condition"),
    (lambda x: np.add(x, x, order="F"), "np.add(…, order=…)", "Leave it out"),
    (lambda x: np.add.reduceat(x, [0, 1]), "np.add.reduceat", "Sum slices"),
    (lambda x: np.remainder.reduce(x), "np.remainder.reduce", "Use np.sum, np.prod"),
    (lambda x: np.remainder.accumulate(x), "np.remainder.accumulate", "Use np.cumsum"),
    (lambda x: np.multiply.at(x, [0], 2.0), "np.multiply.at", "x[index] = value"),
    (lambda x: np.linalg.norm(x[:, None], 2), "ord=2", "Euclidean norm"),
    (lambda x: np.average(x, returned=True), "returned=True", "sum of weights beside it"),
    (lambda x: np.var(x, where=x > 1), "np.var(…, where=…)", "np.where"),
    (lambda x: np.pad(x, 1, constant_values=(1, 2)), "several constant_values", "Pad once"),
    (lambda x: np.pad(x, 1, "linear_ramp"), "mode='linear_ramp'", "np.concatenate"),
    (lambda x: np.repeat(x, x.astype(int)), "np.repeat with a traced count", "plain numbers"),
    (lambda x: np.roll(x, x.astype(int)), "np.roll with a traced shift", "a plain number"),
    (lambda x: np.take(x, x.astype(int), mode="clip"), "mode='clip'", "Use np.clip"),
    (lambda x: np.clip(x, 0, 1, dtype=float), "np.clip(…, dtype=…)", "np.where"),
    (lambda x: np.unique(x), "np.unique of real numbers", "outside the traced function"),
    (lambda x: np.median(x[None], keepdims=True), "np.median", "Reshape to one axis"),
    (lambda x: scipy.special.logsumexp(x, return_sign=True), "return_sign", "without signs"),
    (lambda x: np.c_["r", x], "np.c_ with a text", "Use np.concatenate"),
    (lambda x: np.median([x[0], x[1]], axis=(0,)), "np.median", "Reshape to one axis"),
]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(("program", "what", "instead"), REFUSED)
def test_refusal(program: Any, what: str, instead: str) -> None:
    def traced(x):
        return program(x)

    with pytest.raises(UnsupportedError) as caught:
        trace(traced, X)
    message = str(caught.value)
    assert what in message
    assert " cannot be traced (" in message
    assert "test_leaks.py, line " in message
    assert instead in message


def test_pandas_is_refused_by_name() -> None:
    pandas = pytest.importorskip("pandas")
    series, frame = pandas.Series(PLAIN), pandas.DataFrame(np.eye(3))
    with pytest.raises(UnsupportedError, match=r"that is a pandas Series .*\.to_numpy\(\)"):
        trace(lambda x: x * series, X)
    with pytest.raises(UnsupportedError, match=r"that is a pandas DataFrame .*\.to_numpy\(\)"):
        trace(lambda x: x @ frame, X)
    with pytest.raises(LeakError, match=r"pandas's DataFrame.__matmul__ \(through"):
        trace(lambda x: frame @ x, X)
    with pytest.raises(UnsupportedError, match=r"The argument frame that is a pandas DataFrame"):
        trace(lambda frame: frame, frame)
    with pytest.raises(TraceError, match=r"returns a Series \(output 1\). Return arrays or"):
        trace(lambda x: series.apply(lambda z: z * x[0]), X)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            PLAIN.view(np.matrix),
            "The argument x that is a np.matrix, where * is the matrix product,",
        ),
        (np.ma.array(PLAIN), "The argument x that is a masked array"),
        (PLAIN * 1j, "The argument x of dtype complex128"),
        (1j, "The argument x of dtype complex128"),
        (PLAIN.astype(np.float16), "The argument x of dtype float16"),
        (np.longdouble(1), "The argument x of dtype float128"),
        (np.array(["a"]), "The argument x of dtype <U1"),
        (np.array([None]), "The argument x of dtype object"),
    ],
)
def test_argument_that_is_refused(argument: Any, message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        trace(lambda x: x, argument)
    assert message in str(caught.value)


def test_texts_are_free() -> None:
    def program(x):
        loss = np.sum(x**2)
        lines = [
            f"{loss:.3f} {x[0]} {x}",
            f"{loss!r}",
            "%.3f %s %d" % (loss, x[1], x[2]),  # noqa: UP031
            "%g" % loss,  # noqa: UP031
            "{:.2f}".format(loss),  # noqa: UP032
            str(loss),
            repr(x),
            "%i" % x[0],  # noqa: UP031
        ]
        return loss, lines and loss

    graph = trace(program, X)
    assert graph.guards == ()
    assert graph.cuts == ()


def test_what_goes_into_a_text_is_the_number() -> None:
    texts = []

    def program(x):
        texts.append(f"{x[0]:.2f}|{x[0]}|{x}|{'%.1f %d' % (x[1], x[2])}")  # noqa: UP031
        return x

    trace(program, X)
    assert texts == ["0.50|0.5|[0.5 1.5 2.5]|1.5 2"]


# Guards.

STEERED: list[tuple[Any, Any]] = [
    (lambda x: x if x[0] > 0 else -x, -X),
    (lambda x: x * int(x[1]), X + 1),
    (lambda x: sum((x for _ in range(int(x[2]))), 0.0), X + 1),
    (lambda x: x * math.floor(x[0]), X - 1),
    (lambda x: x * math.ceil(x[0]), X + 1),
    (lambda x: x * math.trunc(x[0]), X + 1),
    (lambda x: x * round(x[1] + 0.1), X + 1),
    (lambda x: x[: int(x[1])], X + 1),
    (lambda x: [1.0, 2.0, 3.0][int(x[0])] * x, X + 1),
    (lambda x: [1.0, 2.0, 3.0][np.argmax(x)] * x, -X),
    (lambda x: (x[0] and x[1]) * x, X * [0, 1, 1]),
    (lambda x: x * (not x[0]), X * 0),
    (lambda x: max(x), -X),
    (lambda x: min(x[0], x[1]), -X),
    (lambda x: np.array(sorted(x)), -X),
    (lambda x: max(range(3), key=lambda i: x[i]) * x, -X),
    (lambda x: np.sort(x), -X),
    (lambda x: x[np.argsort(-x)], -X),
    (lambda x: x[np.where(x > 1)], -X),
    (lambda x: x[np.nonzero(x > 1)], -X),
    (lambda x: x if np.allclose(x, X) else 2 * x, X + 1),
    (lambda x: x if (x > 0).all() else 2 * x, -X),
    (lambda x: x if np.any(np.isnan(x)) else 2 * x, X * np.nan),
    (lambda x: functools.reduce(lambda a, b: a if a > b else b, x), -X),
    (lambda x: x[x > 1], X + 1),
    (lambda x: np.median(x), -X),
    (lambda x: np.zeros(int(x[2])) + x[0], X + 1),
    (lambda x: np.arange(3)[np.argmax(x)] * x, -X),
]
BY_EQUALITY: list[tuple[Any, Any]] = [
    (lambda x: x * (0.5 in x), X + 1),
    (lambda x: x if np.array_equal(x, X) else 2 * x, X + 1),
]


@pytest.mark.parametrize(
    ("program", "others", "by_equality"),
    [*((*each, False) for each in STEERED), *((*each, True) for each in BY_EQUALITY)],
)
def test_guard(program: Any, others: Any, by_equality: bool) -> None:
    graph = trace(program, X)
    assert np.array_equal(evaluate(graph, X), program(X))
    if not by_equality:
        close = X * (1 + 1e-7)  # near enough to steer alike
        assert np.array_equal(evaluate(graph, close), program(close))
    with pytest.raises(GuardError, match="Trace it again for"):
        evaluate(graph, others)


def test_a_guard_says_what_it_was_and_is_and_where() -> None:
    def program(x):
        if x[0] > 0:
            return x
        return -x

    graph = trace(program, X)
    with pytest.raises(GuardError) as caught:
        evaluate(graph, -X)
    message = str(caught.value)
    assert "a value that steers it was True" in message
    assert "`if x[0] > 0:`" in message
    assert "with these arguments it is False" in message
    assert "np.where" in message
    [guard] = graph.guards
    assert guard.expected is True


def test_while_loop_takes_the_number_of_turns_it_took() -> None:
    def newton(a):
        x = a
        while abs(x * x - a) > 1e-12:
            x = 0.5 * (x + a / x)
        return x

    graph = trace(newton, 2.0)
    assert float(evaluate(graph, 2.0)) == newton(2.0)
    assert float(grad(newton)(2.0)) == pytest.approx(0.5 / math.sqrt(2))
    with pytest.raises(GuardError):
        evaluate(graph, 2e6)


def test_order_with_ties_is_guarded() -> None:
    graph = trace(lambda x: x[np.argsort(x, stable=True)], np.array([1.0, 1.0, 2.0]))
    assert np.array_equal(evaluate(graph, np.array([3.0, 3.0, 4.0])), [3, 3, 4])
    for other in ([1.0, 2.0, 3.0], [2.0, 1.0, 3.0], [1.0, np.nan, 2.0]):
        with pytest.raises(GuardError):
            evaluate(graph, np.array(other))


def test_a_gradient_passes_beside_a_guard() -> None:
    gradient = grad(lambda x: np.sum(x[np.argsort(x)] * np.arange(3.0)) if x[0] > 0 else 0.0)
    assert np.array_equal(gradient(np.array([3.0, 1.0, 2.0])), [2, 0, 1])


def test_whole_numbers_that_depend_on_no_real_argument_are_guarded() -> None:
    graph = trace(lambda x, n: x * float(n[0]) + PLAIN[n], X, np.array([0, 1, 2]))
    assert len(graph.guards) == 2
    with pytest.raises(GuardError):
        evaluate(graph, X, np.array([1, 1, 2]))


def test_constants_leave_freely() -> None:
    def program(x):
        buffer = np.zeros(3)
        buffer[1] = 2.0
        count = float(buffer.sum()) + float(np.sum(x.shape)) + buffer.tolist()[1]
        order = np.argsort(buffer)
        unusual = np.arctan2(buffer, np.ones(3)).sum() + np.percentile(buffer, 50)
        return x[order] * count + unusual

    graph = trace(program, X)
    assert graph.guards == ()
    assert np.array_equal(evaluate(graph, X + 1), program(X + 1))


# Cuts.


def test_cuts_are_listed_and_guarded() -> None:
    def program(x):
        scale = float(x[0])
        logged = [x.tolist(), np.asarray(np.float64(x[1]))]
        return np.sum(scale * x) + 0 * logged[1]

    graph = trace(program, X, allow_cuts=True)
    assert [cut.how for cut in graph.cuts] == ["float()", "x.tolist()", "np.float64()"]
    assert ["scale = float(x[0])" in cut.source.describe() for cut in graph.cuts] == [
        True,
        False,
        False,
    ]
    assert float(evaluate(graph, X)) == program(X)
    with pytest.raises(GuardError):  # the constant would be stale
        evaluate(graph, X + 1)


def test_stop_gradient_lets_a_value_out() -> None:
    def program(x):
        scale = float(stop_gradient(x[0]))
        return np.sum(scale * x)

    assert np.array_equal(grad(program)(X), [0.5, 0.5, 0.5])
    graph = trace(program, X)
    assert graph.cuts == ()
    with pytest.raises(GuardError):
        evaluate(graph, X + 1)


def test_stop_gradient_of_plain_values_is_the_value() -> None:
    assert stop_gradient(X) is X
    assert float(grad(lambda x: stop_gradient(x) ** 2 * x)(3.0)) == 9.0


def test_stop_gradient_keeps_values_apart_from_later_writes() -> None:
    def program(x):
        kept = stop_gradient(x)
        x *= 2
        return np.sum(kept * x)

    assert np.array_equal(grad(program)(X), 2 * X)


# Values that outlive their trace.

STORE: list[Any] = []


def test_a_value_used_after_its_trace_is_refused() -> None:
    STORE.clear()
    trace(lambda x: STORE.append(x * 2) or np.sum(x), X)
    [old] = STORE
    for use in (
        lambda: float(old[0]),
        lambda: bool(old[0]),
        lambda: np.asarray(old),
        lambda: trace(lambda y: y * old, X),
        lambda: grad(lambda y: np.sum(y * old))(X),
        lambda: trace(lambda y: y if old[0] > 0 else -y, X),
    ):
        with pytest.raises(TraceError) as caught:
            use()
        message = str(caught.value)
        assert "used after its trace has ended, or in another thread" in message
        assert "Return it from the traced function" in message
    assert str(old) == "[1. 3. 5.]"


def test_what_a_trace_leaves_in_an_object_is_found() -> None:
    class Layer:
        def __call__(self, x):
            self.cache = np.tanh(x)
            return np.sum(self.cache)

    layer = Layer()
    trace(layer, X)
    with pytest.raises(TraceError, match="used after its trace has ended"):
        grad(lambda x: np.sum(layer.cache * x))(X)


# Python's own functions work through operators.

PYTHON: list[Any] = [
    lambda x: sum(x),
    lambda x: math.prod(x),
    lambda x: functools.reduce(operator.mul, x),
    lambda x: np.array(list(itertools.accumulate(x))),
    lambda x: np.array([operator.add(a, b) for a, b in itertools.pairwise(x)]),
    lambda x: copy.deepcopy({"x": x})["x"] * copy.copy(x),
    lambda x: abs(x) + pow(x, 2) + divmod(7, 2)[0],
    lambda x: np.array([x[i] for i in reversed(range(len(x)))]),
    lambda x: np.apply_along_axis(lambda row: np.sum(row**2), 0, x[None]),
    lambda x: np.apply_along_axis(lambda row: row[::-1] * 2, 1, x[None]),
    lambda x: np.array([v for i in np.ndindex(3) for v in (x[i],)]),
    lambda x: operator.itemgetter(0)(x) * operator.matmul(x, x),
]


@pytest.mark.parametrize("program", PYTHON)
def test_python_functions(program: Any) -> None:
    graph = trace(program, X)
    assert np.array_equal(evaluate(graph, X + 1), program(X + 1))
    assert graph.guards == ()


def test_isinstance_answers_as_for_the_plain_value() -> None:
    seen = []

    def program(x, z, s):
        total = np.sum(x)
        seen.append([isinstance(v, np.ndarray) for v in (x, z, total, s)])
        seen.append([isinstance(v, float) for v in (x, z, total, s)])
        seen.append([isinstance(v, np.floating) for v in (x, z, total, s)])
        return x

    trace(program, X, np.array(1.0), 2.0)
    program(X, np.array(1.0), 2.0)
    assert seen[:3] == seen[3:]


def test_python_numbers_keep_single_precision_but_numpy_scalars_do_not() -> None:
    single = X.astype(np.float32)
    for program in (
        lambda x, s: x * s,
        lambda x, s: x * (s * 2 + 1) ** 2,
        lambda x, s: x + abs(-s) / 3,
        lambda x, s: x * np.exp(s),
        lambda x, s: np.where(x > 1, x, s),
        lambda x, s: np.maximum(x, s),
        lambda x, s: x * np.array(s),
        lambda x, s: x * np.sum(s),
        lambda x, s: np.array([s, 1.0]) * x[:2],
    ):
        graph = trace(program, single, 1.5)
        expected = program(single, 1.5)
        assert graph.outputs[0].dtype == expected.dtype
        assert np.array_equal(evaluate(graph, single, 1.5), expected)


def test_method_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match=r"'numpy.ndarray' object has no attribute 'toolist'"):
        trace(lambda x: x.toolist(), X)
