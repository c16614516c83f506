"""Whole programs as people write them: networks, cells, layers and losses, by hand in NumPy.

Each is run plainly and traced; values agree, gradients agree with differences.
"""

from __future__ import annotations

import functools
import random
from collections import deque, namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from chainrule.interpreter import evaluate
from chainrule.tracer import trace

from .checking import check_program

RNG = np.random.default_rng(11)


def r(*shape: int) -> Any:
    return RNG.normal(size=shape) * 0.7


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def stable_sigmoid(z):
    return np.where(
        z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z)))
    )


def softmax(z):
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


LABELS = np.array([0, 2, 1, 2, 0])
XS = r(5, 3)

CASES: dict[str, tuple[Any, tuple[Any, ...]]] = {}


def case(*arguments: Any) -> Any:
    def register(function: Any) -> Any:
        CASES[function.__name__] = (function, arguments)
        return function

    return register


@case(r(3, 4), r(4), r(4, 1), r(1))
def xor_network(W1, b1, W2, b2):
    y = np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])
    z1 = np.dot(XS, W1) + b1
    a1 = sigmoid(z1)
    a2 = sigmoid(np.dot(a1, W2) + b2)
    loss = np.mean((y - a2) ** 2)
    d2 = (a2 - y) * a2 * (1 - a2)
    dW2 = a1.T.dot(d2)
    d1 = d2.dot(W2.T) * a1 * (1 - a1)
    W1 -= 0.1 * np.dot(XS.T, d1)
    W2 -= 0.1 * dW2
    b2 -= 0.1 * np.sum(d2, axis=0)
    return loss, W1, W2, b2


@case({"W1": r(3, 4), "b1": r(4), "W2": r(4, 3), "b2": r(3)})
def dict_of_parameters(params):
    A = XS
    caches = []
    L = len(params) // 2
    for l in range(1, L + 1):  # noqa: E741
        Z = A @ params["W" + str(l)] + params["b" + str(l)]
        caches.append((A, Z))
        A = np.maximum(0, Z) if l < L else softmax(Z)
    loss = -np.sum(np.log(A[range(5), LABELS] + 1e-8)) / 5
    dZ = A.copy()
    dZ[np.arange(5), LABELS] -= 1
    grads = {}
    for l in reversed(range(1, L + 1)):  # noqa: E741
        A_prev, Z = caches[l - 1]
        grads["dW" + str(l)] = A_prev.T @ dZ / 5
        grads["db" + str(l)] = np.sum(dZ, axis=0)
        if l > 1:
            dZ = (dZ @ params["W" + str(l)].T) * (caches[l - 2][1] > 0)
    return loss, grads


@case([r(3, 6), r(6, 4), r(4, 2)], [r(6), r(4), r(2)], 0.01)
def lists_of_layers(weights, biases, decay):
    activations = [XS]
    for w, b in zip(weights, biases, strict=True):
        activations.append(np.tanh(np.matmul(activations[-1], w) + b))
    penalty = decay * sum(np.sum(np.square(w)) for w in weights)
    also = np.sum([np.sum(w**2) for w in weights])
    return np.mean(activations[-1] ** 2) + penalty, also


class Dense:
    def __init__(self, W, b, activation):
        self.W, self.b, self.activation = W, b, activation

    def __call__(self, x):
        self.x = x
        self.z = x @ self.W + self.b
        self.a = self.activation(self.z)
        return self.a

    def backward(self, g, lr):
        g = g * (1 - self.a**2)
        self.dW = self.x.T @ g
        self.db = g.sum(axis=0, keepdims=True)
        back = g @ self.W.T
        self.W -= lr * self.dW
        self.b -= lr * self.db[0]
        return back


@case(r(3, 4), r(4), r(4, 2), r(2))
def layer_classes_with_a_training_step(W1, b1, W2, b2):
    layers = [Dense(W1, b1, np.tanh), Dense(W2, b2, np.tanh)]
    losses = []
    for _ in range(2):
        out = functools.reduce(lambda x, layer: layer(x), layers, XS)
        losses.append(np.mean(out**2))
        g = 2 * out / out.size
        for layer in reversed(layers):
            g = layer.backward(g, lr=0.1)
    return losses, layers[0].W


@case(r(4, 4), r(3, 4), r(4))
def recurrent_cell_in_an_array(Wh, Wx, b):
    T = len(XS)
    h = np.zeros((T + 1, 4))
    for t in range(T):
        h[t + 1] = np.tanh(h[t] @ Wh + XS[t] @ Wx + b)
    return h, np.sum(h[-1] ** 2)


@case(r(7, 4), r(7, 4), r(7, 4), r(7, 4))
def lstm_with_lists(Wf, Wi, Wc, Wo):
    h, c = np.zeros(4), np.zeros(4)
    hs = []
    states = deque(maxlen=3)
    for x in XS:
        hx = np.hstack((h, x))
        f, i = sigmoid(hx @ Wf), sigmoid(hx @ Wi)
        c_bar, o = np.tanh(hx @ Wc), sigmoid(hx @ Wo)
        c = f * c + i * c_bar
        h = o * np.tanh(c)
        hs.append(h)
        states.append(c)
    return np.array(hs), np.stack(list(states)), np.concatenate(hs).reshape(5, 4)


@case(r(3, 16), r(4, 16), r(16))
def lstm_with_gates_in_one_matrix(Wx, Wh, b):
    h = np.zeros((2, 4))
    c = np.zeros((2, 4))
    for x in (XS[:2], XS[2:4]):
        gates = x @ Wx + h @ Wh + b
        i, f, g, o = np.split(gates, 4, axis=1)
        c = expit(f) * c + expit(i) * np.tanh(g)
        h = expit(o) * np.tanh(c)
    return h, c


@case(r(3, 4), r(4, 4), r(3, 4), r(4, 4))
def gru(Wz, Uz, Wh, Uh):
    h = np.zeros((5, 4))
    z = sigmoid(XS @ Wz + h @ Uz)
    h_new = np.tanh(XS @ Wh + (z * h) @ Uh)
    h = (1 - z) * h + z * h_new
    return h


@case(r(5, 3), r(3), r(3))
def batch_norm(x, gamma, beta):
    N, _ = x.shape
    mu = 1.0 / N * np.sum(x, axis=0)
    xmu = x - mu
    var = np.mean(xmu**2, axis=0)
    sqrtvar = np.sqrt(var + 1e-5)
    ivar = 1.0 / sqrtvar
    out = gamma * xmu * ivar + beta
    dgamma = np.sum(out * xmu * ivar, axis=0)
    running = 0.9 * np.zeros(3) + 0.1 * x.mean(axis=0)
    return out, dgamma, running, (x - x.mean(0)) / np.sqrt(x.var(0, ddof=1) + 1e-5)


@case(r(5, 6), r(6), r(6))
def layer_norm(x, gain, bias):
    mean = x.mean(-1, keepdims=True)
    std = x.std(-1, keepdims=True)
    return gain * (x - mean) / (std + 1e-6) + bias


@case(r(2, 5, 8), r(8, 24), r(8, 8))
def attention(x, Wqkv, Wo):
    B, T, C = x.shape
    H = 2
    q, k, v = np.split(x @ Wqkv, 3, axis=-1)
    q, k, v = (z.reshape(B, T, H, C // H).transpose(0, 2, 1, 3) for z in (q, k, v))
    scores = np.einsum("bhtd,bhsd->bhts", q, k) / np.sqrt(C // H)
    mask = np.triu(np.ones((T, T)), k=1).astype(bool)
    scores = np.where(mask, -1e9, scores)
    att = softmax(scores)
    y = (att @ v).transpose(0, 2, 1, 3).reshape(B, T, C)
    return y @ Wo, np.einsum("bhts,bhsd->bhtd", att, v)


@case(r(2, 6, 5), r(3, 3, 3), r(3))
def convolution_by_loops(images, kernels, bias):
    N, H, W = images.shape
    F, k, _ = kernels.shape
    out = np.zeros((N, F, H - k + 1, W - k + 1))
    for n in range(N):
        for f in range(F):
            for i in range(H - k + 1):
                for j in range(W - k + 1):
                    out[n, f, i, j] = np.sum(images[n, i : i + k, j : j + k] * kernels[f]) + bias[f]
    return out


@case(r(2, 3, 6, 6), r(4, 3, 3, 3))
def convolution_by_columns(x, w):
    N, C, H, _ = x.shape
    F, _, k, _ = w.shape
    pad, stride = 1, 2
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="constant")
    size = (H + 2 * pad - k) // stride + 1
    cols = np.zeros((N, C, k, k, size, size))
    for i in range(k):
        for j in range(k):
            cols[:, :, i, j] = xp[
                :, :, i : i + stride * size : stride, j : j + stride * size : stride
            ]
    cols = cols.transpose(0, 4, 5, 1, 2, 3).reshape(N * size * size, -1)
    out = (cols @ w.reshape(F, -1).T).reshape(N, size, size, F).transpose(0, 3, 1, 2)
    windows = np.lib.stride_tricks.sliding_window_view(xp, (k, k), axis=(2, 3))[:, :, ::2, ::2]
    return out, np.einsum("nchwij,fcij->nfhw", windows, w)


@case(r(2, 3, 4, 4))
def pooling(x):
    pooled = x.reshape(2, 3, 2, 2, 2, 2).max(axis=(3, 5))
    N, C, H, W = x.shape
    loops = np.empty((N, C, H // 2, W // 2))
    for i in range(H // 2):
        for j in range(W // 2):
            loops[:, :, i, j] = np.max(x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2], axis=(2, 3))
    return pooled, loops, x.mean(axis=(2, 3))


@case(r(6, 4), r(4, 3))
def embedding_and_dropout(table, W):
    ids = np.array([[0, 2, 2], [5, 1, 0]])
    rng = np.random.RandomState(0)
    vectors = table[ids]
    keep = 0.8
    mask = (rng.rand(*vectors.shape) < keep) / keep
    vectors *= mask
    pooled = vectors.mean(axis=1)
    pooled *= rng.binomial(1, 0.5, size=pooled.shape)
    return pooled @ W


@case(r(5, 3))
def losses(z):
    one_hot = np.eye(3)[LABELS]
    probs = softmax(z)
    y = (LABELS > 0) * 1.0
    p = np.clip(sigmoid(z[:, 0]), 1e-7, 1 - 1e-7)
    margins = np.maximum(0, z - z[np.arange(5), LABELS][:, np.newaxis] + 1)
    margins[np.arange(5), LABELS] = 0
    error = z[:, 1] - 0.3
    return {
        "ce": -np.mean(np.log(probs[np.arange(len(LABELS)), LABELS])),
        "ce with one_hot": -np.sum(one_hot * np.log(probs)) / len(z),
        "from logits": np.mean(logsumexp(z, axis=1) - z[np.arange(5), LABELS]),
        "bce": -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)),
        "stable bce": np.mean(
            np.maximum(z[:, 0], 0) - z[:, 0] * y + np.log1p(np.exp(-abs(z[:, 0])))
        ),
        "svm": margins.sum() / 5,
        "mae": np.abs(error).mean(),
        "huber": np.where(np.abs(error) < 1, 0.5 * error**2, np.abs(error) - 0.5).sum(),
        "kl": np.sum(probs * (np.log(probs) - np.log(1 / 3))),
        "taken": -np.log(np.take_along_axis(probs, LABELS[:, None], axis=1)).mean(),
    }


@case(r(4), r(4), r(4))
def activations(x, a, b):
    return [
        stable_sigmoid(x),
        np.where(x > 0, x, 0.01 * x),
        np.maximum(0.1 * x, x),
        np.where(x > 0, x, a * (np.exp(x) - 1)),
        x * sigmoid(b * x),
        0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        np.log(1 + np.exp(x)),
        np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
        x * (x > 0),
        (x > 0) * x + (x <= 0) * (np.exp(x) - 1),
        np.clip(x, -0.5, 0.5),
        np.sign(x) * np.sqrt(np.abs(x)),
        np.exp(x) / np.sum(np.exp(x)),
        x / (1 + abs(x)),
        2 / (1 + np.exp(-2 * x)) - 1,
    ]


@dataclass
class Parameters:
    W: Any
    b: Any
    names: list[str] = field(default_factory=list)
    size: int = 3


Pair = namedtuple("Pair", "left right")


@case(Parameters(r(3, 2), r(2), ["a"]), Pair(r(2), [r(2, 1), (r(1), None)]), 3)
def nested_parameters(parameters, pair, count):
    h = np.tanh(XS @ parameters.W + parameters.b) * pair.left
    for _ in range(count):
        h = h * 0.9
    out = h @ pair.right[0] + pair.right[1][0]
    return Pair(np.mean(out**2), {"out": out})


@case(r(3, 4), r(4))
def optimisers(W, b):
    state = {"m": np.zeros_like(W), "v": np.zeros_like(W), "t": 0}
    for _ in range(3):
        g = 2 * W + np.outer(np.ones(3), b)
        state["t"] += 1
        state["m"] = 0.9 * state["m"] + 0.1 * g
        state["v"] = 0.999 * state["v"] + 0.001 * g**2
        m_hat = state["m"] / (1 - 0.9 ** state["t"])
        v_hat = state["v"] / (1 - 0.999 ** state["t"])
        W -= 0.01 * m_hat / (np.sqrt(v_hat) + 1e-8)
    velocity = np.zeros(4)
    velocity *= 0.9
    velocity -= 0.1 * b
    b += velocity
    norm = np.sqrt(sum(np.sum(g**2) for g in (W, b)))
    scale = np.minimum(1.0, 1.0 / (norm + 1e-6))
    return W * scale, b * scale, np.linalg.norm(b)


@case(0.5, -0.3, 0.8)
def scalars_only(w, b, x):
    total = 0
    for i in range(3):
        z = w * x + b
        a = 1 / (1 + np.exp(-z))
        total += (a - i) ** 2
        w = w - 0.1 * (a - i) * a * (1 - a) * x
    return total / 3, w, abs(w), -b, w**2, 2**w


@case(r(4), r(2, 4))
def comprehensions_generators_and_maps(x, W):
    squares = [v * v for v in x]
    doubled = list(map(lambda v: 2 * v, x))  # noqa: C417
    pairs = {i: a * b for i, (a, b) in enumerate(zip(squares, doubled, strict=True))}
    total = sum(v for v in pairs.values())
    rows = [np.dot(row, x) for row in W]
    return np.array(rows), total, np.array([[a, b] for a, b in zip(rows, rows, strict=True)])


@case(r(5, 3), r(3))
def ridge_and_mixture(X, w):
    residual = X @ w - np.linspace(0, 1, 5)
    ridge = residual @ residual + 0.1 * w @ w
    centres = np.array([-1.0, 0.0, 1.0])
    distances = (X[:, :, None] - centres) ** 2
    soft = np.exp(-distances) / np.exp(-distances).sum(axis=2, keepdims=True)
    return ridge, soft, np.sqrt(((X[:, None] - X[None]) ** 2).sum(-1) + 1e-3)


@case(r(6, 3))
def shuffled_minibatches(X):
    order = list(range(6))
    random.Random(0).shuffle(order)
    np.random.default_rng(0).shuffle(order)
    total = 0.0
    for start in range(0, 6, 2):
        batch = X[order[start : start + 2]]
        total += np.mean(batch**2) * len(batch)
    return total / len(X), X[np.random.default_rng(1).permutation(6)]


@case(r(3, 2), np.array([2, 0, 1]), np.array([True, False, True]))
def whole_numbers_and_masks_as_arguments(W, labels, mask):
    one_hot = np.eye(3)[labels]
    also = np.zeros((3, 3))
    also[np.arange(3), labels] = 1
    picked = W[labels]
    weight = mask.astype(float)
    return one_hot @ W, also @ W, picked * mask[:, None], np.sum(weight * W[:, 0]) / weight.sum()


@pytest.mark.parametrize("name", CASES)
def test_program(name: str) -> None:
    function, arguments = CASES[name]
    # In these, NumPy sums arrays that lie otherwise in memory than the graph's, or SciPy's expit
    # rounds otherwise.
    nearly = ("attention", "convolution_by_columns", "losses", "lstm_with_gates_in_one_matrix")
    check_program(function, arguments, exact=name not in nearly)


def test_labels_and_masks_of_another_batch() -> None:
    function, (W, labels, mask) = CASES["whole_numbers_and_masks_as_arguments"]
    graph = trace(function, W, labels, mask)
    other = np.array([1, 1, 0]), np.array([False, True, True])
    for ours, theirs in zip(evaluate(graph, W, *other), function(W, *other), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["dict_of_parameters", "lstm_with_lists", "batch_norm"])
def test_single_precision_stays_single(name: str) -> None:
    function, arguments = CASES[name]

    def single(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: single(value) for key, value in tree.items()}
        return tree.astype(np.float32)

    check_program(function, [single(each) for each in arguments], exact=False)
