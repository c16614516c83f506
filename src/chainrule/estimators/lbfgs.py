"""Training with SciPy's L-BFGS-B on all samples at once."""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import issparse
from sklearn.utils.fixes import _get_additional_lbfgs_options_dict
from sklearn.utils.optimize import _check_optimize_result

from chainrule.estimators.formulation import Batch, Parameters
from chainrule.estimators.steps import between_products, ready_gradient
from chainrule.pytrees import flatten
from chainrule.training.threads import one_thread_unless_large

__all__ = ["loss_and_gradient", "minimise"]

Array = NDArray[Any]


def minimise(model: Any, X: Any, y: Array, weight: Array | None) -> None:
    """Minimise the loss from the model's weights, and keep what was found on it."""
    leaves = flatten(Parameters(tuple(model.coefs_), tuple(model.intercepts_)))[0]
    products = 2 * X.shape[0] * max(W.size for W in model.coefs_)
    with np.errstate(all="ignore"), one_thread_unless_large(products):
        result: Any = cast(Any, minimize)(
            loss_and_gradient(model, X, y, weight),
            np.concatenate([leaf.ravel() for leaf in leaves]),
            method="L-BFGS-B",
            jac=True,
            options={
                "maxfun": model.max_fun,
                "maxiter": model.max_iter,
                "gtol": model.tol,
                **_get_additional_lbfgs_options_dict("iprint", 1 if model.verbose >= 1 else -1),
            },
        )
    model.n_iter_ = _check_optimize_result("lbfgs", result, model.max_iter)
    model.loss_ = result.fun
    parameters = unpacked(model, result.x)
    model.coefs_, model.intercepts_ = list(parameters.coefs), list(parameters.intercepts)


def unpacked(model: Any, packed: Array) -> Parameters:
    """Weights and biases from one vector."""
    shapes = [W.shape for W in model.coefs_] + [b.shape for b in model.intercepts_]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = np.split(packed, ends)
    arrays = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    layers = len(model.coefs_)
    return Parameters(tuple(arrays[:layers]), tuple(arrays[layers:]))


def loss_and_gradient(
    model: Any, X: Any, y: Array, weight: Array | None
) -> Callable[[Array], tuple[float, Array]]:
    """A function from weights in one vector to the loss reported and the gradient.

    Everything is in double precision: a line search needs differences of losses.
    """
    if weight is not None and not weight.sum():
        raise ZeroDivisionError("Weights sum to zero, can't be normalized: give some of them more.")
    kind = np.dtype(np.float64)
    sparse = issparse(X)
    rows: Any = cast(Any, X).tocsr().astype(kind) if sparse else np.ascontiguousarray(X, kind)
    batch = Batch(
        rows,
        np.ascontiguousarray(y, kind),
        None if weight is None else np.ascontiguousarray(weight, kind),
    )
    evaluate = (_of_sparse if sparse else _of_dense)(model, batch)

    def packed_evaluate(packed: Array) -> tuple[float, Array]:
        loss, gradients = evaluate(unpacked(model, np.asarray(packed, kind)))
        return loss, np.concatenate([gradient.ravel() for gradient in gradients])

    return packed_evaluate


def _start(model: Any) -> Parameters:
    """The weights in double precision."""
    coefs, intercepts = ([np.asarray(a, float) for a in side] for side in model._parameters())
    return Parameters(tuple(coefs), tuple(intercepts))


def _of_dense(model: Any, batch: Batch) -> Callable[[Parameters], tuple[float, list[Array]]]:
    penalties = model._penalties(batch.y.dtype)
    run = ready_gradient(model._formulation(), _start(model), penalties, batch)
    others = flatten((penalties, batch))[0]

    def evaluate(parameters: Parameters) -> tuple[float, list[Array]]:
        *gradients, loss = run(*flatten(parameters)[0], *others)
        return float(loss), gradients

    return evaluate


def _of_sparse(model: Any, batch: Batch) -> Callable[[Parameters], tuple[float, list[Array]]]:
    """The same where the products with the inputs pass over their zeros."""
    formulation, penalties = model._formulation(), model._penalties(batch.y.dtype)
    run = between_products(formulation, _start(model), batch)
    across, others = batch.X.T, flatten(batch)[0][1:]
    l1, l2 = float(model.l1), float(model.alpha)

    def evaluate(parameters: Parameters) -> tuple[float, list[Array]]:
        weights, biases = parameters
        results = run(*weights[1:], *biases, batch.X @ weights[0], *others)
        by_product, *gradients, count, loss = results
        gradients = [across @ by_product, *gradients]
        for W, gradient in zip(weights, gradients, strict=False):
            gradient += l2 / count * W
            if l1:
                gradient += l1 / count * np.sign(W)
        return float(loss + formulation.penalty(parameters, penalties, count)), gradients

    return evaluate
