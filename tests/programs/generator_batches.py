import numpy as np

def one_hot(y, k):
    return np.eye(k)[y]

def batches(X, y, size, rng):
    idx = np.arange(len(X))
    rng.shuffle(idx)
    for lo in range(0, len(X), size):
        part = idx[lo:lo + size]
        yield X[part], y[part]

def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def step(W, b, V, c, xb, tb, lr):
    """one step of SGD; returns the loss before it"""
    n = xb.shape[0]
    pre = xb @ W + b
    h = np.where(pre > 0, pre, 0.1 * pre)        # leaky relu
    p = softmax(h @ V + c)
    loss = -np.sum(tb * np.log(p)) / n

    delta = (p - tb) / n
    gV = h.T @ delta
    gc = delta.sum(axis=0)
    back = delta @ V.T
    back = back * np.where(pre > 0, 1.0, 0.1)
    gW = xb.T @ back
    gb = back.sum(axis=0)

    V -= lr * gV
    c -= lr * gc
    W -= lr * gW
    b -= lr * gb
    return loss

rng = np.random.default_rng(77)
centres = np.array([[0., 0., 1.], [2., -1., 0.], [-1., 2., 0.5]])
labels = rng.integers(0, 3, 48)
X = centres[labels] + 0.8 * rng.normal(size=(48, 3))
T = one_hot(labels, 3)

W, b = rng.normal(size=(3, 6)) * 0.5, rng.normal(size=6) * 0.1
V, c = rng.normal(size=(6, 3)) * 0.5, rng.normal(size=3) * 0.1

for epoch in range(40):
    losses = [step(W, b, V, c, xb, tb, 0.2) for xb, tb in batches(X, T, 12, rng)]
    if epoch % 10 == 9:
        print("epoch", epoch + 1, "mean loss", np.round(np.mean(losses), 4))
