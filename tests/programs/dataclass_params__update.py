from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Params:
    W: np.ndarray
    b: np.ndarray
    U: np.ndarray
    c: np.ndarray

    @classmethod
    def random(cls, n_in, n_hid, n_out, seed=0):
        rng = np.random.default_rng(seed)
        return cls(
            W=rng.normal(scale=0.5, size=(n_in, n_hid)),
            b=rng.normal(scale=0.1, size=(n_hid,)),
            U=rng.normal(scale=0.5, size=(n_hid, n_out)),
            c=rng.normal(scale=0.1, size=(n_out,)),
        )


@dataclass(frozen=True)
class Forward:
    hidden: np.ndarray
    output: np.ndarray
    loss: float


def forward(p: Params, x, y) -> Forward:
    hidden = np.tanh(x @ p.W + p.b)
    output = hidden @ p.U + p.c
    return Forward(hidden, output, 0.5 * ((output - y) ** 2).sum() / len(x))


def backward(p: Params, f: Forward, x, y) -> Params:
    delta = (f.output - y) / len(x)
    back = (delta @ p.U.T) * (1 - f.hidden**2)
    return Params(W=x.T @ back, b=back.sum(0), U=f.hidden.T @ delta, c=delta.sum(0))


def descend(p: Params, g: Params, rate: float) -> Params:
    return Params(
        W=p.W - rate * g.W,
        b=p.b - rate * g.b,
        U=p.U,
        c=p.c - rate * g.c,
    )


def main():
    rng = np.random.default_rng(13)
    x = rng.uniform(-1, 1, (20, 2))
    y = np.column_stack([x[:, 0] ** 2 - x[:, 1], np.cos(2 * x[:, 1])])
    p = Params.random(2, 5, 2)
    for epoch in range(301):
        f = forward(p, x, y)
        p = descend(p, backward(p, f, x, y), 0.3)
        if epoch % 100 == 0:
            print(epoch, f.loss)


main()
