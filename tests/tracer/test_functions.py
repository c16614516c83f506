"""Each NumPy and SciPy function that is traced, in its usual forms, against its plain run.

A program is the text of an expression over a few standard arrays; its letters say which:
``x, y`` (3, 4), ``p`` the same and positive, ``u`` (4,), ``v`` (3,), ``A`` (2, 3, 4),
``B`` (2, 4, 5), ``S`` (3, 3), ``s, t`` numbers, ``z`` 0-d, ``e`` (0, 4), ``n`` indices, ``m`` a mask.
"""

# The programs stand in rows, as many to a row as are of a kind.
# ruff: noqa: E501

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import scipy
import scipy.special
from scipy.special import log_softmax, logsumexp, softmax

from chainrule.errors import GuardError, LeakError, UnsupportedError
from chainrule.interpreter import evaluate
from chainrule.pytrees import flatten
from chainrule.tracer import record, trace

from .checking import check_gradients_of, check_program


def draw(seed: int, dtype: Any) -> dict[str, Any]:
    """The standard arrays; all numbers distinct, none near another, none near 0."""
    rng = np.random.default_rng(seed)

    def real(*shape: int) -> Any:
        count = int(np.prod(shape))
        grid = rng.permutation(np.arange(1, count + 1)) * (2.0 / (count + 1)) + 0.05
        sizes = grid + rng.uniform(0, 0.4 / (count + 1), count)
        signs = rng.choice([-1.0, 1.0], count)
        return (sizes * signs).reshape(shape).astype(dtype)

    return {
        "x": real(3, 4),
        "y": real(3, 4),
        "p": np.abs(real(3, 4)),
        "u": real(4),
        "v": real(3),
        "A": real(2, 3, 4),
        "B": real(2, 4, 5),
        "S": real(3, 3),
        "s": dtype(rng.uniform(0.5, 1.5)) if dtype is not float else rng.uniform(0.5, 1.5),
        "t": dtype(rng.uniform(1.5, 2.5)),
        "z": np.array(rng.uniform(0.5, 1.5), dtype),
        "e": np.zeros((0, 4), dtype),
        "n": rng.integers(0, 3, 4),
        "m": np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0]], bool),
    }


LETTERS = "xypuvABSstzenm"


def program(text: str) -> tuple[Any, list[str]]:
    """The function of a text, and the letters that it takes."""
    names = [
        letter for letter in LETTERS if re.search(rf"(?<![\w.]){letter}(?![\w(]| ?=[^=])", text)
    ]
    scope = {
        "np": np,
        "scipy": scipy,
        "logsumexp": logsumexp,
        "softmax": softmax,
        "log_softmax": log_softmax,
    }
    return eval(f"lambda {', '.join(names)}: {text}", scope), names


ELEMENTWISE = """
-x; +x; abs(x); x + y; x - y; x * y; x / y; x ** 2; p ** y; 2 ** x; 2.5 ** x; p ** 0.5; x ** -1; x ** 0
x ** 1; x ** 3; p ** 1.5; p ** -0.5; x ** 2.0; x ** np.int64(3); s ** 2; s ** s; s ** x; p ** s; z ** 2; z ** u
x + 1; 1 + x; x - 2; 2 - x; x * 3; 3 * x; x / 2; 2 / x; x + 1.5; 1.5 - x; x * True; x + np.float64(2); x * np.float32(2)
x + u; u + x; x * v[:, None]; x - z; z - x; x * s; s / x; A + x; A * u; x + [1, 2, 3, 4]; [1.0, 2, 3, 4] * x; x + (1, 2, 3, 4)
x * np.arange(4); np.arange(4) * x; x @ y.T; np.arange(3.0) @ x; x @ np.arange(4); [1.0, 2, 3] @ x; u @ u; x @ u; v @ x
x + m; x * m; m * x; x * n; n * x; n + 1; n * n; n / 2; n ** 2; n - s; -n; abs(n); n * 2.5; n / n[0]; n + True; m * 1; m * 1.0; 1 - m
x > y; x >= y; x < y; x <= y; x == y; x != y; x > 0; 0 < x; x == 0; n == 1; n > s; m == 1; (x > 0) & (y > 0); (x > 0) | m; m ^ (x > 0); ~m; ~(x > 0)
(x > 0) * 1.0; (x > 0) * y; (x > 0).astype(float) * y; (x > 0).astype(int); x * (x > 0); np.where(x > 0, x, 0.01 * x)
np.negative(x); np.positive(x); np.abs(x); np.absolute(x); np.fabs(x); np.sign(x); np.exp(x); np.exp2(x); np.expm1(x); np.log(p); np.log2(p); np.log10(p)
np.log1p(p); np.sqrt(p); np.square(x); np.sin(x); np.cos(x); np.tan(x / 2); np.tanh(x); np.sinh(x); np.cosh(x); np.arctan(x); np.reciprocal(x)
np.floor(x); np.ceil(x); np.rint(x); np.round(x); x.round(); np.isnan(x); np.isfinite(x); np.isinf(x); np.trunc(x)
np.add(x, y); np.subtract(x, y); np.multiply(x, y); np.divide(x, y); np.true_divide(x, y); np.power(p, y); np.power(x, 2); np.power(p, 0.5); np.float_power(p, 2)
np.maximum(x, y); np.minimum(x, y); np.maximum(x, 0); np.maximum(0, x); np.maximum(0.0, x); np.minimum(x, 0.3); np.maximum(0.01 * x, x); np.maximum(x, u); np.maximum(s, x)
np.clip(x, -0.5, 0.5); np.clip(x, None, 0.4); np.clip(x, -0.3, None); np.clip(x, a_min=-0.5, a_max=0.5); np.clip(x, min=-0.5, max=0.5); x.clip(-0.5, 0.5); x.clip(min=0); x.clip(0); np.clip(x, -p, p); np.clip(x, 0, 1); np.clip(n, 0, 1); np.clip(n, 0.5, 1.5)
np.where(x > y, x, y); np.where(m, x, 0); np.where(m, 1, x); np.where(x > 0, 1.0, 0.0); np.where(m, x, u); np.where(n > 1, u, 0); np.where(x > 0, x, np.exp(x) - 1); np.where(x, y, p); np.where(m, x, y.astype(np.float32))
np.logaddexp(x, y); np.logaddexp(0, x); np.logaddexp(x, 0); np.logical_and(x > 0, m); np.logical_or(x, m); np.logical_not(x); np.logical_xor(x, m); np.logical_not(m)
np.equal(n, 1); np.not_equal(x, y); np.greater(x, y); np.less_equal(x, 0); np.greater_equal(x, y); np.less(x, 1)
scipy.special.expit(x); scipy.special.erf(x); scipy.special.xlogy(p, p); scipy.special.xlogy(x, p); scipy.special.xlogy(0, p); scipy.special.expit(n); scipy.special.xlogy(m, p); scipy.special.expit(s); scipy.special.erf(s)
scipy.special.logsumexp(x); logsumexp(x, axis=1); logsumexp(x, axis=-1, keepdims=True); logsumexp(x, 0); logsumexp(A, axis=(0, 2)); logsumexp(x, b=p, axis=1); logsumexp(A, axis=-1); logsumexp(u); logsumexp(n)
softmax(x); softmax(x, axis=1); softmax(x, axis=-1); softmax(u); log_softmax(x); log_softmax(x, axis=1); log_softmax(A, axis=-1); scipy.special.softmax(A, axis=(1, 2)); log_softmax(u); softmax(A, axis=0); softmax(n)
np.exp(s); np.log(s); np.tanh(z); np.maximum(s, 0); np.sqrt(s * s); -s; abs(s); s + t; s * z; s > t; np.square(s); s + 1; s * n[0]; s / 3; s - n
np.exp(n); np.sqrt(n + 1); np.tanh(m); np.sin(n); np.add(x, 1, dtype=np.float64); np.multiply(n, n, dtype=float); np.square(n); np.sign(n); np.reciprocal(n + 1.0); np.maximum(n, 1); np.maximum(n, 1.5); np.power(n, 2); np.floor(n); np.negative(n)
np.nan_to_num(x); np.heaviside(x, 0.5); np.hypot(x, y); np.arctan2(x, y); np.cbrt(p); np.arcsin(x / 3); np.arccos(x / 3); np.arcsinh(x); np.arccosh(p + 1); np.arctanh(x / 3); np.deg2rad(x); np.rad2deg(x); np.radians(x); np.degrees(x); np.copysign(p, x); np.fmax(x, y); np.fmin(x, y); np.logaddexp2(x, y); np.sinc(x)
scipy.special.log1p(p); scipy.special.expm1(x); scipy.special.log_expit(x); scipy.special.erfc(x); scipy.special.logit(p / 3); scipy.special.xlog1py(x, p); scipy.special.entr(p); scipy.special.rel_entr(p, p.T.reshape(3, 4)); scipy.special.kl_div(p, p.T.reshape(3, 4)); scipy.special.ndtr(x); scipy.special.huber(0.5, x)
x // 0.7; x % 0.7; np.mod(x, 0.7); np.floor_divide(x, 0.7); np.remainder(x, y); n // 2; n % 2; divmod(x, 0.7); -x // 2; 5 // (n + 1); np.fmod(x, 0.7)
"""

REDUCTIONS = """
np.sum(x); np.sum(x, axis=0); np.sum(x, axis=1, keepdims=True); np.sum(x, axis=-1); np.sum(A, axis=(0, 2)); np.sum(A, (0, -1), keepdims=True); np.sum(x, 0); np.sum(x, axis=None); np.sum(x, axis=()); x.sum(); x.sum(0); x.sum(axis=1, keepdims=True); x.T.sum(axis=0); np.sum(x.T, axis=1)
np.sum(s); np.sum(z); np.sum(z, keepdims=True); np.sum(u, keepdims=True); np.sum(n); np.sum(m); np.sum(m, axis=0); np.sum(x > 0); np.sum(x, dtype=np.float32); np.sum(x, dtype=np.float64); np.sum(n, dtype=float); np.sum(x, initial=1.0); np.sum(x, where=m); np.sum(x, axis=1, where=m); np.sum(e); np.sum(e, axis=0); np.sum(e, axis=1); np.sum([x, y], axis=0); np.sum((x * y)); np.sum([s, t])
np.mean(x); np.mean(x, axis=0); np.mean(x, axis=1, keepdims=True); np.mean(A, axis=(0, 2)); x.mean(); x.mean(0); x.mean(axis=-1, keepdims=True); np.mean(n); np.mean(m); np.mean(x > 0); np.mean(s); np.mean(z); np.mean(n == n); np.mean(x, dtype=np.float64); np.mean(n, axis=0); np.mean([s, t]); np.mean(x ** 2); np.mean(x, where=m); np.mean(x, axis=())
np.average(x); np.average(x, axis=0); np.average(x, axis=0, weights=[1, 2, 3]); np.average(x, weights=p); np.average(u, weights=u * u); np.average(x, axis=1, keepdims=True); np.average(x, axis=0, weights=v * v)
np.var(x); np.var(x, axis=0); np.var(x, axis=1, keepdims=True); np.var(x, ddof=1); x.var(); x.var(axis=0); np.var(A, axis=(0, 1), keepdims=True); np.var(x, axis=0, ddof=1, keepdims=True); np.var(n); np.var(x, axis=-1, mean=np.mean(x, axis=-1, keepdims=True)); np.var(x, correction=1)
np.std(x); np.std(x, axis=0); np.std(x, axis=1, keepdims=True); x.std(axis=0, ddof=1); x.std(); np.std(n); np.std(x, 0)
np.max(x); np.max(x, axis=0); np.max(x, axis=1, keepdims=True); np.amax(x, axis=-1); x.max(); x.max(axis=1, keepdims=True); np.max(A, axis=(1, 2)); np.max(n); np.max(x, initial=0.5); np.max(x, where=m, initial=-1.0); np.max(s); np.max(m, axis=0)
np.min(x); np.min(x, axis=0); np.min(x, axis=1, keepdims=True); np.amin(x); x.min(axis=0); np.min(n); np.min(x, initial=0.1); np.min(x, where=m, initial=1.0)
np.prod(x); np.prod(x, axis=0); np.prod(x, axis=1, keepdims=True); x.prod(); np.prod(n); np.prod(A, axis=(0, 2)); np.prod(x, where=m); np.prod(m); np.prod(u, initial=2.0); np.prod(e, axis=0)
np.cumsum(x); np.cumsum(x, axis=0); np.cumsum(x, axis=-1); x.cumsum(); x.cumsum(axis=1); np.cumsum(n); np.cumsum(m, axis=0); np.cumsum(u); np.cumsum(x, dtype=np.float64)
np.cumprod(x, axis=1); np.cumprod(u); u.cumprod()
np.argmax(x); np.argmax(x, axis=0); np.argmax(x, axis=1); x.argmax(axis=-1); x.argmax(); np.argmin(x, axis=1); x.argmin(); np.argmax(x, axis=1, keepdims=True); np.argmax(x, keepdims=True); np.argmax(n); x.argmin(0); np.argmax(s)
np.ptp(x); np.ptp(x, axis=0); np.all(x > -9); np.any(x > 0, axis=1); (x > 0).all(); (x > 0).any(axis=0); np.count_nonzero(x > 0); np.count_nonzero(x > 0, axis=1); np.all(m, axis=1, keepdims=True); np.any(n); np.all(x); x.any(); np.sum(np.argmax(x, axis=1) == np.argmax(y, axis=1))
np.linalg.norm(x); np.linalg.norm(u); np.linalg.norm(x, axis=0); np.linalg.norm(x, axis=1, keepdims=True); np.linalg.norm(x, 'fro'); np.linalg.norm(u, 2); np.linalg.norm(u, 1); np.linalg.norm(u, np.inf); np.linalg.norm(u, ord=-np.inf); np.linalg.norm(x, ord=1, axis=1); np.linalg.norm(A, axis=(1, 2)); np.linalg.norm(A); np.linalg.norm(x, keepdims=True); np.linalg.norm(x - y); np.linalg.norm(x, ord=2, axis=-1); np.linalg.norm(u, 3); np.linalg.norm(x, ord=np.inf, axis=0); np.linalg.norm(u, 0.5); np.linalg.norm(u, 0); np.linalg.norm(n); np.linalg.norm(A, 'fro', axis=(0, 1)); np.linalg.norm(x, axis=(0, 1), keepdims=True); np.linalg.vector_norm(x); np.linalg.matrix_norm(x)
np.nansum(x); np.nanmean(x); np.median(x); np.median(x, axis=0); np.nanmax(x)
np.add.reduce(x); np.add.reduce(x, axis=1); np.multiply.reduce(x, axis=1); np.maximum.reduce(x); np.minimum.reduce(x, axis=-1, keepdims=True); np.add.accumulate(x); np.add.accumulate(x, axis=1); np.logical_and.reduce(m); np.logical_or.reduce(m, axis=1); np.add.reduce(x, axis=None); np.add.reduce(x, axis=(0, 1)); np.logaddexp.reduce(x, axis=1); np.add.reduce(n); np.maximum.accumulate(x, axis=1); np.multiply.accumulate(x, axis=1); np.add.reduceat(u, [0, 2])
np.multiply.outer(u, v); np.add.outer(u, v); np.subtract.outer(x, u); np.multiply.outer(s, u); np.multiply.outer(u, [1, 2]); np.maximum.outer(u, v); np.power.outer(p, n); np.equal.outer(n, n)
sum(x); max(u); min(u); sum([s, t, z]); sum(u * u); max(s, t); sorted(u); sum(x, 0.5); sum(row @ u for row in x); list(map(np.sum, x)); abs(min(v)); max([s, t, s * t]); round(9 * s); round(s, 1); all(m[0]); any(m[1]); list(reversed(u)); max(0, s); max(x[0, 0], 0)
np.diff(x); np.diff(x, axis=0); np.diff(u, n=2); np.ediff1d(u); np.gradient(u); np.trapezoid(u); np.trapezoid(x, axis=1); np.convolve(u, v); np.correlate(u, v); np.polyval([1.0, 2, 3], u); np.polyval(v, u); np.cross(v, v + 1); np.cov(x); np.corrcoef(x); np.interp(s, [0.0, 1, 2], [1.0, 3, 2])
np.round(x, 2); x.round(1); np.round(x * 100, -1); np.round(n); np.around(x); np.round(x, decimals=3)
np.divide(x, y, out=np.zeros_like(x), where=m); np.divide(x, 0 * y, out=np.ones_like(x), where=y > 9); np.log(x, out=np.zeros_like(x), where=x > 0); np.sqrt(x, out=np.zeros((3, 4), x.dtype), where=x > 0); np.add(x, y, out=x); np.exp(x, out=np.zeros_like(x)); np.exp(x, np.zeros_like(x)); np.add(x, 1, where=True); np.maximum(x, 0, out=x); np.dot(x, y.T, out=np.zeros((3, 3), x.dtype)); np.clip(x, 0, 1, out=x); np.sum(x, axis=0, out=np.zeros(4, x.dtype)); np.matmul(x, u, out=np.zeros(3, x.dtype)); np.mean(x, axis=0, out=np.zeros(4, x.dtype)); np.multiply(x, y, x); np.take(x, [0], axis=0, out=np.zeros((1, 4), x.dtype)); np.concatenate([x, y], out=np.zeros((6, 4), x.dtype)); np.cumsum(u, out=np.zeros(4, x.dtype)); np.argmax(x, axis=1, out=np.zeros(3, int)); np.max(x, axis=1, out=np.zeros(3, x.dtype)); np.std(x, axis=1, out=np.zeros(3, x.dtype))
np.correlate(v, u); np.correlate(u, v, 'full'); np.correlate(u, v, 'same'); np.correlate(v, u, 'full'); np.correlate(v, u, mode='same'); np.convolve(v, u); np.convolve(u, v, 'same'); np.convolve(u, v, mode='valid'); np.convolve(v, u, 'valid'); np.convolve(u, [1, 0, -1]); np.convolve(u[:2], u); np.correlate(u[:2], u, 'same'); np.convolve(u[:2], u, 'same'); np.lib.stride_tricks.sliding_window_view(u, 2); np.lib.stride_tricks.sliding_window_view(A, (2, 2), axis=(1, 2)); np.lib.stride_tricks.sliding_window_view(x, (2, 3)) * 2; np.tensordot(np.lib.stride_tricks.sliding_window_view(x, (2, 2)), S[:2, :2], axes=2)
np.diff(x, prepend=0.0); np.diff(u, append=[1.0, 2.0]); np.diff(x, prepend=y, axis=0); np.diff(m); np.trapezoid(u, np.arange(4.0)); np.trapezoid(x, u); np.trapezoid(u, dx=0.5); np.trapezoid(x, y, axis=0); np.sort(n); np.argsort(n); np.argsort(n, kind='stable'); x[:, np.argsort(u * 0)]; np.argsort(-n)[::-1]; np.bincount(n); np.unique(n, return_counts=True); np.searchsorted([0, 1, 2], n); np.digitize(n, [1, 2]); np.isin(n, [1]); np.flatnonzero(m); np.flatnonzero(n == 1); np.vectorize(abs)(n)
np.isclose(x, y); np.allclose(x, x); np.array_equal(x, x); np.array_equal(n, n); np.array_equiv(x, x)
"""

PRODUCTS = """
np.dot(x, y.T); x.dot(y.T); np.dot(x, u); np.dot(v, x); np.dot(u, u); np.dot(x, 2.0); np.dot(2, x); np.dot(s, x); np.dot(s, t); np.dot(A, u); np.dot(A, B[0]); np.dot(A, B); np.dot(v, A); np.dot(x.T, y); np.dot(n, u); np.dot(x, np.ones((4, 2))); u.dot(u); u.dot(x.T); np.dot(e, y.T); np.dot(x, x.T); x @ x.T; x.T @ x
np.matmul(x, y.T); x @ y.T; x.T @ y; A @ B; np.matmul(A, B); x @ B; A @ u; u @ B; np.matmul(u, u); A[0] @ B; A @ B[0]; np.matmul(x, n); x @ n; n @ n; n @ u; e @ y.T; x[:, :0] @ y[:, :0].T; x[:, ::2] @ y[:, ::2].T; np.matvec(x, u); np.vecmat(v, x); np.vecdot(x, y)
np.inner(u, u); np.inner(x, y); np.inner(x, u); np.inner(A, x); np.inner(s, x); np.inner(v, x.T); np.inner(u, x)
np.outer(u, v); np.outer(x, u); np.outer(n, u); np.outer(s, u); np.outer(u, [1.0, 2]); np.vdot(u, u); np.vdot(x, y)
np.tensordot(x, y, axes=2); np.tensordot(A, B, axes=([0, 2], [0, 1])); np.tensordot(A, x, axes=((1, 2), (0, 1))); np.tensordot(x, y, axes=0); np.tensordot(A, u, axes=1); np.tensordot(A, B, axes=(2, 1)); np.tensordot(A, B, axes=(-1, -2)); np.tensordot(x, x, axes=((0,), (0,))); np.tensordot(x, u, 1)
np.einsum('ij,jk->ik', x, y.T); np.einsum('ij->j', x); np.einsum('ij->', x); np.einsum('ij', x); np.einsum('ij,ij->i', x, y); np.einsum('ij,j->i', x, u); np.einsum('bij,bjk->bik', A, B); np.einsum('...ij,...jk->...ik', A, B); np.einsum('...ij,jk->...ik', A, B[0]); np.einsum('ii->i', S); np.einsum('ii', S); np.einsum('ij,kj', x, y); np.einsum('i,j->ij', u, v); np.einsum('ij->ji', x); np.einsum('bij,bjk', A, B); np.einsum('i,i->', u, u); np.einsum('i,ij,j->', v, x, u); np.einsum('i,ij,j->', v, x, u, optimize=True); np.einsum('...i->...', A); np.einsum(' ij , jk -> ik ', x, y.T); np.einsum('iij->j', np.zeros((2, 2, 4)) + u); np.einsum('ij,j', x, n); np.einsum('ij,jk->ik', x, y.T, optimize=True); np.einsum('ij,ij', x, y); np.einsum(x, [0, 1], y, [0, 1], [0]); np.einsum('ij,jk,kl->il', x, y.T, S); np.einsum('ij,->ij', x, s)
np.kron(u, v); np.trace(S); S.trace(); np.trace(x); np.diagonal(S); np.diag(S); np.diag(u); S.diagonal(); np.diagonal(A, axis1=1, axis2=2); np.diag(x); np.trace(A, axis1=1, axis2=2); np.diagonal(x, 1); np.diag(u, 1); np.diag(S, -1); np.trace(x, offset=1); np.diag(np.arange(3.0)) @ S; np.eye(4)[n] * u; np.eye(3)[n]; np.tril(S); np.triu(S); np.triu(x, 1); np.tril(x, k=-1); np.diagflat(u); np.vander(u, 3); np.linalg.multi_dot([x, y.T, x]); np.linalg.matrix_power(S, 2); np.linalg.inv(S); np.linalg.det(S); np.linalg.solve(S, v)
"""

ARRANGEMENT = """
x.reshape(4, 3); x.reshape((2, 6)); x.reshape(-1); x.reshape(-1, 2); x.reshape(2, -1); np.reshape(x, (4, 3)); np.reshape(x, -1); np.reshape(x, shape=(6, 2)); x.reshape(12, 1); x.T.reshape(3, 4); x.T.reshape(-1); np.reshape(x, (4, 3), order='F'); x.reshape((4, 3), order='F'); x.reshape(x.shape); z.reshape(1); z.reshape(1, 1); u[:1].reshape(()); x.T.reshape(2, 6, order='F'); np.reshape(x, (4, 3), 'C'); s + x.reshape(len(x), -1); e.reshape(0, 2, 2); x.T.reshape((3, 4), order='A')
x.ravel(); np.ravel(x); x.T.ravel(); x.flatten(); x.T.flatten(); x.ravel('F'); x.flatten('F'); x.ravel(order='K'); np.ravel(x.T, order='K'); x.T.flatten(order='K'); np.ravel(x, order='A'); z.ravel(); z.flatten(); A.transpose(0, 2, 1).ravel(order='K')
x.T; u.T; A.T; A.mT; x.transpose(); A.transpose(0, 2, 1); A.transpose((2, 0, 1)); np.transpose(A, (1, 0, 2)); np.transpose(x); np.transpose(A, axes=[2, 1, 0]); A.transpose(-1, 0, 1); np.swapaxes(A, 0, 2); A.swapaxes(1, -1); np.moveaxis(A, 0, -1); np.moveaxis(A, [0, 1], [1, 2]); np.moveaxis(A, -1, 0); np.rollaxis(A, 2); np.permute_dims(A, (2, 0, 1)); np.matrix_transpose(A)
np.squeeze(x[None]); x[:, None].squeeze(); np.squeeze(x[None], axis=0); x[:, None, :, None].squeeze(axis=(1, 3)); np.squeeze(x); x[:1].squeeze(0); np.squeeze(x[:1, :1]); x[..., None].squeeze(-1)
np.expand_dims(x, 0); np.expand_dims(x, -1); np.expand_dims(x, axis=1); np.expand_dims(x, (0, 3)); np.expand_dims(s, 0); np.expand_dims(z, 0); np.expand_dims(u, (0, -1))
np.atleast_1d(s); np.atleast_2d(u); np.atleast_2d(x); np.atleast_1d(x); np.atleast_2d(s); np.atleast_3d(x); np.atleast_1d(s, u)
np.broadcast_to(u, (3, 4)); np.broadcast_to(v[:, None], x.shape); np.broadcast_to(s, (2, 3)); np.broadcast_to(x, (2, 3, 4)); np.broadcast_to(u, shape=(4,)); np.broadcast_to(z, 3); np.broadcast_arrays(x, u); np.broadcast_arrays(u, v[:, None])[1]
np.concatenate([x, y]); np.concatenate((x, y), axis=1); np.concatenate([x, y], axis=-1); np.concatenate([x, y], axis=None); np.concatenate([u, v]); np.concatenate([u, [1.0, 2]]); np.concatenate((x, np.ones((3, 1))), axis=1); np.concatenate([np.ones((3, 1)), x], axis=1); np.concatenate([u, n]); np.concatenate([x, e]); np.concatenate([x, y], dtype=np.float32); np.concatenate((n, n)); np.concatenate(x); np.concatenate(A, axis=1); np.concat([x, y])
np.stack([u, u * 2]); np.stack([x, y], axis=1); np.stack([x, y], axis=-1); np.stack((s, t)); np.stack([x, np.ones((3, 4))]); np.stack(x); np.stack([row * 2 for row in x]); np.stack([u, n])
np.vstack([x, y]); np.vstack([u, x]); np.vstack((u, u)); np.hstack([x, y]); np.hstack([u, v]); np.hstack((x, v[:, None])); np.hstack([s, u]); np.column_stack([u, u * 2]); np.column_stack((x, v)); np.dstack([x, y]); np.dstack([u, u]); np.vstack([s, t]); np.hstack([np.ones((3, 1)), x]); np.c_[x, v]; np.c_[np.ones(3), v]; np.r_[u, v]; np.r_[u, 1.0]; np.append(u, 1.0); np.append(x, y, axis=0); np.append(x, y); np.append(u, v); np.insert(u, 0, 1.0); np.insert(x, 0, 1, axis=1); np.delete(u, 0); np.delete(x, 1, axis=1); np.block([[x, x], [y, y]]); np.vstack([np.zeros(4), x]); np.row_stack if False else x
np.split(x, 2, axis=1); np.split(u, 2); np.split(x, [1, 3], axis=1); np.split(x, 3); np.array_split(x, 2); np.array_split(u, 3); np.hsplit(x, 2); np.vsplit(x, 3); np.split(x, [1]); np.split(np.concatenate([x, y], axis=1), 4, axis=-1); np.split(u, np.array([1, 2])); np.array_split(x, [1, 2], axis=1); np.dsplit(A, 2); np.unstack(x); np.unstack(x, axis=1)
np.tile(u, 2); np.tile(u, (3, 1)); np.tile(x, (2, 3)); np.tile(x, 2); np.tile(v[:, None], (1, 4)); np.tile(s, 3); np.tile(x, (2, 1, 1)); np.tile(A, (2, 2)); np.tile(u, [2, 2])
np.repeat(u, 2); np.repeat(x, 2, axis=0); np.repeat(x, [1, 2, 1], axis=0); x.repeat(3, axis=1); np.repeat(s, 3); u.repeat(2); np.repeat(x, 2, axis=-1); np.repeat(u, repeats=2); np.repeat(u, [0, 1, 2, 0])
np.pad(x, 1); np.pad(x, ((0, 0), (1, 2))); np.pad(u, (1, 2)); np.pad(x, 1, mode='constant', constant_values=2.0); np.pad(x, ((1, 1), (0, 0)), 'edge'); np.pad(u, 2, mode='reflect'); np.pad(u, 2, mode='wrap'); np.pad(x, ((1, 0), (0, 1)), 'constant'); np.pad(A, ((0, 0), (1, 1), (1, 1))); np.pad(u, (2, 0)); np.pad(x, (1, 2)); np.pad(x, 1, 'symmetric'); np.pad(x, [(0, 0), (1, 1)]); np.pad(n, 1); np.pad(u, 1, constant_values=(1, 2)); np.pad(x, ((0, 0), (2, 0)), constant_values=s)
np.flip(x); np.flip(x, 0); np.flip(x, axis=-1); np.flip(A, (0, 2)); np.fliplr(x); np.flipud(x); np.flip(u); x[::-1]; np.rot90(x); np.rot90(x, 2)
np.roll(x, 1); np.roll(x, 1, axis=0); np.roll(x, -1, axis=1); np.roll(x, (1, 2), axis=(0, 1)); np.roll(u, 2); np.roll(u, -5)
np.zeros_like(x); np.ones_like(x); np.full_like(x, 2.5); np.full_like(x, s); np.zeros_like(x, dtype=int); np.empty_like(x) * 0 + x; np.zeros_like(n); np.zeros_like(x, shape=(2,)); np.ones_like(s); np.ones_like(n, dtype=float); np.zeros(3, like=x) + v; np.zeros((3, 4), like=x); np.ones(4, like=x); np.full((2, 2), s); np.full((2,), 1.0, like=x); np.eye(3, like=x) @ x; np.eye(len(x)) @ x; np.identity(3) @ x; np.zeros_like(x, np.float32); np.full_like(n, 7)
np.copy(x); x.copy(); x.astype(np.float64); x.astype(float); x.astype('float32'); x.astype(np.float32).astype(np.float64); n.astype(float); x.astype(int); m.astype(float); x.astype(x.dtype, copy=False); np.astype(x, np.float32); (x > 0).astype(np.float64) * x; m.astype(np.float32) * x; n.astype(np.int32); x.astype(bool); x.astype(np.float64, copy=False); np.float64(s); np.float32(s) * 1
np.array(x); np.asarray(x); np.array([x, y]); np.array([s, t]); np.array([[s, t], [t, s]]); np.asarray([s, 1.0]); np.array(x, dtype=np.float32); np.ascontiguousarray(x.T); np.asarray(x, dtype=float); np.array([s, 2 * t, 3]); np.asanyarray(x)
x.shape; x.ndim + s; x.size * s; len(x) * s; np.shape(x); np.ndim(x); np.size(x); np.size(x, 0); x.shape[0] * s; x / x.shape[0]; x.itemsize * s; x.nbytes * s
np.meshgrid(u, v); np.meshgrid(u, v, indexing='ij'); np.ix_(n, n); x[np.ix_([0, 1], [1, 2])]; np.broadcast_shapes(x.shape, u.shape); np.result_type(x, 1.0) == x.dtype
np.select([x > 0.5, x < -0.5], [x, -x], default=0.0); np.piecewise(x, [x > 0], [1.0, 2.0]); np.choose(n, [u, u * 2, u * 3]); np.compress([True, False, True], x, axis=0); np.extract(m, x); np.unique(n); np.searchsorted([0.0, 1.0], s); np.argsort(u); np.sort(u); np.nonzero(m); np.argwhere(m); np.where(m)
"""

INDEXING = """
x[0]; x[-1]; x[1, 2]; x[1][2]; x[:, 0]; x[..., 0]; x[1:]; x[::2]; x[::-1]; x[:, ::-1]; x[1:3, ::2]; x[None]; x[:, None]; x[..., None]; x[np.newaxis, :, 0]; x[...]; x[()]; s[()] if False else s; z[()]; z[...]; z[None]; A[0, ..., 1]; A[:, 1, :]; A[..., -1, :]; x[5:]; x[:0]; x[np.int64(1)]; x[np.int32(1), 1:]; A[1, :, None, ::2]; x[-2:, -2:]; x[slice(1, None)]; x[(0, 1)]; x[(slice(None), 1)]
x[[0, 2]]; x[[0, 2], [1, 3]]; x[np.array([2, 0])]; x[:, [0, 2]]; x[[[0], [1]], [[0, 1]]]; x[n]; x[n, n]; x[n][:, n]; x[np.arange(3), np.argmax(x, axis=1)]; x[range(3), [0, 1, 2]]; A[:, [0, 1], [1, 2]]; A[[0, 1], :, [1, 2]]; A[0, [0, 1]]; A[[0, 1], 0]; x[[0, 0, 0]]; x[list(range(2))]; x[[]]; x[np.array([], int)]; x[None, [0, 1]]; A[0, :, [1, 2]]; x[:, n]; x[[-1, 0]]; u[n]; v[n]; u[n > 0] if False else u; x[np.array(1)]; x[np.array(1), [0, 1]]; A[[[0, 1], [1, 0]]]; x[(0, 2), ]; x[[True, False, True]]; x[np.array([True, False, True])]; x[:, np.array([True, False, True, False])]; x[n == n]if False else x
x[m]; x[m] * 2; x[m].sum(); np.sum(x[x > -9]); x[~m]; A[:, m]; A[np.array([True, False])]; x[m].mean(); (x * m)[m]; x[np.array([True, False, True]), 0]; x[np.where(m)]; x[np.nonzero(m)]; x[m.nonzero()]; x[m, None]
np.take(x, [0, 2]); np.take(x, [0, 2], axis=1); x.take([1], axis=0); np.take(u, n); np.take(x, 1, axis=0); np.take(u, 2); x.take(n, axis=0); np.take(x, [[0, 1], [2, 3]]); np.take(x, n, axis=-1); np.take(x, [5, 6], mode='wrap'); np.take(x, [5, 60], axis=1, mode='clip'); np.take(u, [-1])
np.take_along_axis(x, np.argmax(x, axis=1)[:, None], axis=1); np.take_along_axis(x, np.argsort(np.ones((3, 4)), axis=1), axis=1); np.take_along_axis(x, n[None], axis=0); np.take_along_axis(x, np.array([1, 2]), axis=None); np.take_along_axis(A, np.zeros((2, 1, 4), int), axis=1); np.take_along_axis(x, n[None] * 0 + 1, 0)
-np.log(p[np.arange(3), n[:3]]).mean(); np.eye(4)[n[:3]]; np.sum(np.eye(4)[n[:3]] * x); x[np.arange(len(x)), n[:3]]; [row for row in x][1]; [a * b for a, b in zip(u, n)]; list(x)[0]; x.item if False else x; [x[i, i] for i in range(3)]; [i * row for i, row in enumerate(x)]; x.flat[3] if False else x; u[-1] * u[0]; [*u]; dict(a=x, b=[y, s]); (x, (y, s)); {'loss': np.sum(x), 'z': [x @ u]}; (s, 1, 2.0, x > 0)
x.flat[3]; x.flat[2:4]; x.T.flat[1]; list(x.flat)[2]; len(x.flat) * s; x[0, ...]; u[0, ...]; u[1, ...] * 2; x[1, 2, ...]; np.diagonal(S)[1:]; x[np.triu_indices(3)]; S[np.diag_indices(3)]; np.fill_diagonal if False else x; x[np.unravel_index([0, 5], (3, 4))]; x.flat[3]; x[n[0]]; x[n[0]:]; u[int(n[0])]; x[:, n[0]]; x[n[0], n[1]]; [x[i] for i in n]; x[len(u) - 3]
"""

TEXTS = [
    text.strip()
    for block in (ELEMENTWISE, REDUCTIONS, PRODUCTS, ARRANGEMENT, INDEXING)
    for line in block.strip().splitlines()
    for text in line.split(";")
]


# The same numbers but for the order of a sum, or for one rounding in the last place of a power.
NEARLY = [
    "x ** 3",
    "p ** 1.5",
    "np.where(m, x, y.astype(np.float32))",
    "logsumexp(x, axis=1)",
    "logsumexp(x, axis=-1, keepdims=True)",
    "logsumexp(x, 0)",
    "logsumexp(x, b=p, axis=1)",
    "logsumexp(A, axis=-1)",
    "np.sum(x, where=m)",
    "np.sum(x, axis=1, where=m)",
    "np.linalg.norm(x, 'fro')",
    "np.linalg.norm(u, 2)",
    "np.dot(A, u)",
    "np.dot(A, B[0])",
    "np.dot(A, B)",
    "np.dot(v, A)",
    "np.einsum('i,ij,j->', v, x, u, optimize=True)",
    "np.einsum('ij,jk->ik', x, y.T, optimize=True)",
    "x.astype(np.float32).astype(np.float64)",
    "np.inner(A, x)",
    "np.convolve(u, v)",
    "np.mean(x, where=m)",
    "np.correlate(v, u)",
    "np.correlate(u, v, 'full')",
    "np.correlate(u, v, 'same')",
    "np.correlate(v, u, 'full')",
    "np.correlate(v, u, mode='same')",
    "np.convolve(v, u)",
    "np.convolve(u, v, 'same')",
    "np.correlate(u[:2], u, 'same')",
    "np.correlate(u, v)",
    "scipy.special.expit(x)",
    "scipy.special.expit(n)",
    "scipy.special.expit(s)",
    "scipy.special.log1p(p)",
    "scipy.special.expm1(x)",
    "scipy.special.logit(p / 3)",
]
# Differences of what is rounded to single precision say nothing.
ROUNDED = [
    "np.where(m, x, y.astype(np.float32))",
    "x.astype(np.float32).astype(np.float64)",
    "np.round(x, 2)",
    "x.round(1)",
    "np.round(x * 100, -1)",
    "np.round(x, decimals=3)",
]

# Python's own comparisons choose: the graph is of the branches that were taken.
STEERED = [
    "np.argsort(u)",
    "np.sort(u)",
    "np.median(x)",
    "np.median(x, axis=0)",
    "round(9 * s)",
    "max(u)",
    "min(u)",
    "sorted(u)",
    "abs(min(v))",
    "max(x[0, 0], 0)",
]

# What is not traced: each is refused with the place and what to use.
REFUSED = [
    "A.transpose(0, 2, 1).ravel(order='K')",
    "np.heaviside(x, 0.5)",
    "np.hypot(x, y)",
    "np.arctan2(x, y)",
    "np.cbrt(p)",
    "np.arcsin(x / 3)",
    "np.arccos(x / 3)",
    "np.arcsinh(x)",
    "np.arccosh(p + 1)",
    "np.arctanh(x / 3)",
    "np.copysign(p, x)",
    "np.fmax(x, y)",
    "np.fmin(x, y)",
    "np.logaddexp2(x, y)",
    "np.sinc(x)",
    "scipy.special.erfc(x)",
    "scipy.special.xlog1py(x, p)",
    "scipy.special.entr(p)",
    "scipy.special.rel_entr(p, p.T.reshape(3, 4))",
    "scipy.special.kl_div(p, p.T.reshape(3, 4))",
    "scipy.special.ndtr(x)",
    "scipy.special.huber(0.5, x)",
    "x // 0.7",
    "x % 0.7",
    "np.mod(x, 0.7)",
    "np.floor_divide(x, 0.7)",
    "np.remainder(x, y)",
    "n // 2",
    "n % 2",
    "divmod(x, 0.7)",
    "-x // 2",
    "5 // (n + 1)",
    "np.fmod(x, 0.7)",
    "np.linalg.vector_norm(x)",
    "np.linalg.matrix_norm(x)",
    "np.nanmax(x)",
    "np.add.reduceat(u, [0, 2])",
    "np.gradient(u)",
    "np.cross(v, v + 1)",
    "np.cov(x)",
    "np.corrcoef(x)",
    "np.interp(s, [0.0, 1, 2], [1.0, 3, 2])",
    "np.array_equiv(x, x)",
    "np.vander(u, 3)",
    "np.linalg.multi_dot([x, y.T, x])",
    "np.linalg.matrix_power(S, 2)",
    "np.linalg.inv(S)",
    "np.linalg.det(S)",
    "np.linalg.solve(S, v)",
    "np.insert(u, 0, 1.0)",
    "np.insert(x, 0, 1, axis=1)",
    "np.delete(u, 0)",
    "np.delete(x, 1, axis=1)",
    "np.block([[x, x], [y, y]])",
    "np.pad(u, 1, constant_values=(1, 2))",
    "np.float64(s)",
    "np.float32(s) * 1",
    "np.piecewise(x, [x > 0], [1.0, 2.0])",
    "np.choose(n, [u, u * 2, u * 3])",
    "np.searchsorted([0.0, 1.0], s)",
]

ASIDE = {*NEARLY, *STEERED, *REFUSED}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("text", [text for text in TEXTS if text not in ASIDE])
def test_function(text: str, dtype: Any) -> None:
    function, names = program(text)
    first, second = draw(1, dtype), draw(2, dtype)
    second["n"], second["m"] = first["n"], first["m"]  # they may decide shapes
    arguments, others = ([values[name] for name in names] for values in (first, second))
    check_program(function, arguments, others, gradients=text not in ROUNDED)


def within_rounding(ours: Any, theirs: Any, dtype: Any) -> None:
    assert (np.shape(ours), np.asarray(ours).dtype) == (np.shape(theirs), np.asarray(theirs).dtype)
    # Sums of at most 40 terms in another order: a few units in the last place of the largest.
    scale = np.max(np.abs(np.asarray(theirs, dtype=float)), initial=1.0)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=20 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("text", NEARLY)
def test_function_in_another_order(text: str, dtype: Any) -> None:
    function, names = program(text)
    first, second = draw(1, dtype), draw(2, dtype)
    second["n"], second["m"] = first["n"], first["m"]
    graph = trace(function, *(first[name] for name in names))
    if text not in ROUNDED:
        arguments = [first[name] for name in names]
        check_gradients_of(function, arguments, record(function, tuple(arguments)))
    for values in (first, second):
        arguments = [values[name] for name in names]
        ours, theirs = evaluate(graph, *arguments), function(*arguments)
        for a, b in zip(flatten(ours)[0], flatten(theirs)[0], strict=True):
            within_rounding(a, b, dtype)


@pytest.mark.parametrize("text", STEERED)
def test_function_that_takes_branches(text: str) -> None:
    function, names = program(text)
    first, second = draw(1, np.float64), draw(2, np.float64)
    graph = trace(function, *(first[name] for name in names))
    expected = flatten(function(*(first[name] for name in names)))[0]
    found = flatten(evaluate(graph, *(first[name] for name in names)))[0]
    for a, b in zip(found, expected, strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(GuardError, match=r"Trace it again for them, or write the choice with np"):
        evaluate(graph, *(second[name] for name in names))


@pytest.mark.parametrize("text", REFUSED)
def test_function_that_is_refused(text: str) -> None:
    function, names = program(text)
    values = draw(1, np.float64)
    with pytest.raises((UnsupportedError, LeakError)) as caught:
        trace(function, *(values[name] for name in names))
    message = str(caught.value)
    # What was refused, where, and what to use in its place: at least two sentences.
    assert "line 1" in message
    assert message.count(". ") >= 1
    assert message.endswith((".", "].", ")."))
