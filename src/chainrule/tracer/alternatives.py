"""What to use instead of a function that is not traced, for its error message."""

from __future__ import annotations

from chainrule.source import doing, library_call

__all__ = ["MADE_INSIDE", "alternative", "explained"]

_INSTEAD = {
    "angle": "It is of complex numbers; pass real and imaginary parts separately.",
    "apply_over_axes": "Write the loop over the axes.",
    "arccos": "Use np.pi / 2 - np.arctan(x / np.sqrt(1 - x**2)).",
    "arccosh": "Use np.log(x + np.sqrt(x**2 - 1)).",
    "arcsin": "Use np.arctan(x / np.sqrt(1 - x**2)).",
    "arcsinh": "Use np.log(x + np.sqrt(x**2 + 1)).",
    "arctan2": "Use np.arctan(y / x), with np.where for the other quadrants.",
    "arctanh": "Use 0.5 * (np.log1p(x) - np.log1p(-x)).",
    "argpartition": "Use np.argsort.",
    "array_equiv": "Use np.array_equal of arrays of one shape.",
    "around": "Use np.round.",
    "block": "Use np.concatenate, once along each axis.",
    "cbrt": "Use np.sign(x) * np.abs(x) ** (1 / 3).",
    "choose": "Use np.select, or np.stack and an index.",
    "copysign": "Use np.abs(x) * np.sign(y).",
    "corrcoef": "Centre the rows, and divide their products by their norms.",
    "cov": "Use d = x - x.mean(axis=1, keepdims=True); d @ d.T / (n - 1).",
    "cross": "Write its three components with slices.",
    "delete": "Index with the places to keep, as in x[np.arange(n) != i].",
    "digamma": "Compute it outside the traced function and pass the result as an argument.",
    "divmod": "Use np.floor(x / n) and x - n * np.floor(x / n).",
    "entr": "Use -scipy.special.xlogy(x, x).",
    "erfc": "Use 1 - scipy.special.erf(x).",
    "erfinv": "Compute it outside the traced function and pass the result as an argument.",
    "floor_divide": "Use np.floor(x / n).",
    "fmax": "Use np.maximum, or np.where with np.isnan.",
    "fmin": "Use np.minimum, or np.where with np.isnan.",
    "fmod": "Use x - n * np.trunc(x / n).",
    "frompyfunc": "Call the function on arrays.",
    "gradient": "Use differences of slices: (x[2:] - x[:-2]) / 2.",
    "heaviside": "Use np.where(x > 0, 1.0, 0.0).",
    "histogram": "Compute it outside the traced function; counts have no gradient.",
    "huber": "Use np.where(np.abs(r) <= d, 0.5 * r**2, d * (np.abs(r) - 0.5 * d)).",
    "hypot": "Use np.sqrt(x**2 + y**2).",
    "insert": "Use np.concatenate of the parts.",
    "interp": "Find the places outside the traced function, and interpolate with slices.",
    "kl_div": "Use scipy.special.xlogy(p, p / q) - p + q.",
    "lexsort": "Use np.argsort of one key.",
    "logaddexp2": "Use np.logaddexp(x * np.log(2), y * np.log(2)) / np.log(2).",
    "linspace": "Use start + (stop - start) * np.linspace(0, 1, n).",
    "matrix": "Use arrays of two axes, and write @ for products.",
    "matrix_norm": "Use np.linalg.norm(x, 'fro').",
    "matrix_power": "Write the products with @.",
    "mod": "Use x - n * np.floor(x / n).",
    "modf": "Use np.trunc(x) and x - np.trunc(x).",
    "multi_dot": "Write the products with @.",
    "nancumsum": "Use np.cumsum(np.where(np.isnan(x), 0, x)).",
    "nanmax": "Use np.max(np.where(np.isnan(x), -np.inf, x)).",
    "nanmin": "Use np.min(np.where(np.isnan(x), np.inf, x)).",
    "nanstd": "Use np.where(np.isnan(x), 0, …), and divide by the count.",
    "nanvar": "Use np.where(np.isnan(x), 0, …), and divide by the count.",
    "ndtr": "Use 0.5 * (1 + scipy.special.erf(x / np.sqrt(2))).",
    "nextafter": "It has no gradient: compute it outside the traced function.",
    "partition": "Use np.sort.",
    "percentile": "Sort with np.sort and take the elements beside the place.",
    "piecewise": "Use np.where, or np.select with its choices computed.",
    "place": "Use x[mask] = values.",
    "put": "Use x[places] = values.",
    "putmask": "Use x[mask] = values.",
    "quantile": "Sort with np.sort and take the elements beside the place.",
    "rel_entr": "Use scipy.special.xlogy(p, p / q).",
    "remainder": "Use x - n * np.floor(x / n).",
    "resize": "Use .reshape(shape).",
    "save": "Leave writing to the code outside the traced function.",
    "sinc": "Use np.sin(np.pi * x) / (np.pi * x), with np.where at 0.",
    "spacing": "It has no gradient: compute it outside the traced function.",
    "tobytes": "Leave writing to the code outside the traced function.",
    "tofile": "Leave writing to the code outside the traced function.",
    "vander": "Use x[:, None] ** np.arange(n).",
    "vector_norm": "Use np.linalg.norm.",
    "view": "Use .astype(dtype) to convert, or x[...] for a view.",
    "xlog1py": "Use x * np.log1p(y).",
}

_SOLVERS = {"inv", "pinv", "solve", "lstsq", "det", "slogdet", "eig", "eigh", "eigvals", "eigvalsh"}
_SOLVERS |= {"svd", "svdvals", "qr", "cholesky", "cond", "matrix_rank", "tensorinv", "tensorsolve"}


def alternative(name: str) -> str:
    """What to use instead of a NumPy or SciPy function that is not traced."""
    if name in _SOLVERS:
        return (
            "Decompositions and inverses have no gradient here: compute them outside the traced "
            "function and pass the result as an argument."
        )
    return _INSTEAD.get(
        name,
        "Write it with NumPy's arithmetic, or compute it outside the traced function and pass the "
        "result as an argument.",
    )


MADE_INSIDE = (
    "Make the array inside the traced function with np.zeros(shape), np.zeros_like(x) or "
    "np.copy(x), under NumPy's own name (from numpy import zeros hides it)."
)
_MATH = {"exp", "log", "log2", "log10", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "tanh"}
_MATH |= {"sinh", "cosh", "floor", "ceil", "trunc", "pow", "fabs", "hypot", "atan", "isnan"}


def explained(how: str) -> tuple[str, str]:
    """By what a traced value leaves its trace, in the program's own words, and what to do."""
    library = library_call()
    if library is not None:
        instead = "Write what it does with NumPy's functions, which are traced."
        if library.startswith("numpy's"):
            instead = "Give it one array: np.stack([a, b]) joins values. Or write what it does out."
        return f"{library} (through {how})", instead
    instruction, called = doing()
    if instruction == "STORE_SUBSCR":
        return "Assigning into a plain array", MADE_INSIDE
    name = called.rpartition(".")[2]
    if not called or name in ("print", "format"):
        return how, "Keep it as an array, and use NumPy's functions."
    if name == "dot":
        instead = "Write np.dot(a, b) or a @ b: the method of a plain array sees no traced value."
    elif called.startswith("math.") or called in _MATH:
        instead = f"Use np.{name if name in _MATH else '…'}, which is traced."
    elif name in ("array", "asarray"):
        instead = "Use np.array under NumPy's own name, or np.stack."
    elif name == "arange":
        instead = "Use x * np.arange(n), whose count is a plain number."
    elif called.startswith(("np.random.", "numpy.random.", "rng.")):
        instead = "Draw standard numbers, and scale and shift them: mean + spread * noise."
    elif called.startswith(("np.", "numpy.")) and name not in ("float64", "float32"):
        instead = "Give it one array: np.stack([a, b]) joins values."
    elif name in ("float64", "float32"):
        instead = f"Use .astype(np.{name})."
    else:
        instead = "Keep it as an array, and use NumPy's functions."
    return f"{called}()", instead
