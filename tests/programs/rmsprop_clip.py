import numpy as np


def clip_by_norm(grads, limit):
    norm = np.sqrt(sum((g ** 2).sum() for g in grads))
    if norm > limit:
        grads = [g * limit / norm for g in grads]
    return grads


def predict(theta, X):
    W, b, U, c = theta
    hidden = np.maximum(X @ W + b, 0)
    return hidden @ U + c, hidden


def huber(r, delta=1.0):
    small = np.abs(r) <= delta
    return np.where(small, 0.5 * r ** 2, delta * (np.abs(r) - 0.5 * delta)).mean()


def gradients(theta, X, y, delta=1.0):
    W, b, U, c = theta
    yhat, hidden = predict(theta, X)
    g = np.clip(yhat - y, -delta, delta) / y.size
    gU = hidden.T @ g
    gc = g.sum(axis=0)
    g = (g @ U.T) * (hidden > 0)
    gW = X.T @ g
    gb = g.sum(axis=0)
    return [gW, gb, gU, gc]


rng = np.random.default_rng(31)
X = rng.normal(size=(25, 2))
y = (X[:, :1] * 2 - np.abs(X[:, 1:])) * 1.5
y[3] += 10  # an outlier

theta = [rng.normal(size=(2, 8)), np.full(8, 0.1), rng.normal(size=(8, 1)) * 0.3, np.zeros(1)]
cache = [np.zeros_like(p) for p in theta]
for epoch in range(250):
    yhat, _ = predict(theta, X)
    loss = huber(yhat - y)
    grads = clip_by_norm(gradients(theta, X, y), 1.0)
    for p, g, s in zip(theta, grads, cache):
        s *= 0.9
        s += 0.1 * g ** 2
        p -= 0.01 * g / (np.sqrt(s) + 1e-6)
    if epoch % 50 == 0:
        print(f"[{epoch:03d}] huber = {loss:.4f}")
