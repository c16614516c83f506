import numpy as np

def run(l2=0.05, seed=0, steps=200):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, 3)) * [1, 2, 0.5] + [0.3, 0, -0.2]
    y = (X[:, 0] + X[:, 1] ** 2 > 1.5).astype(float)[:, None]

    params = dict(
        W=rng.normal(size=(3, 5)) * 0.4, b=np.full((1, 5), 0.1),
        v=rng.normal(size=(5, 1)) * 0.4, c=np.full((1, 1), -0.1),
    )
    N = X.shape[0]

    for s in range(steps):
        W, b, v, c = params["W"], params["b"], params["v"], params["c"]
        h = np.tanh(X @ W + b)
        p = 1 / (1 + np.exp(-(h @ v + c)))
        bce = -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p)) / N
        penalty = l2 / 2 * (np.sum(W ** 2) + np.sum(v ** 2))
        total_loss = bce + penalty

        d = (p - y) / N
        grad_v = h.T @ d + l2 * v
        grad_c = d.sum(axis=0, keepdims=True)
        dh = d @ v.T * (1 - h ** 2)
        grad_W = X.T @ dh + l2 * W
        grad_b = dh.sum(axis=0, keepdims=True)

        params["W"] = W - 0.5 * grad_W
        params["b"] = b - 0.5 * grad_b
        params["v"] = v - 0.5 * grad_v
        params["c"] = c - 0.5 * grad_c
        if s % 50 == 0:
            print("step", s, "loss", round(total_loss, 4), "of that penalty", round(penalty, 4))
    return params

run()
