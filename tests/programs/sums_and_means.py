import numpy as np

def init(seed):
    np.random.seed(seed)
    return {"V": np.random.randn(5, 2) * 0.6, "a": np.random.randn(5, 1) * 0.2,
            "U": np.random.randn(1, 5) * 0.6, "d": np.random.randn(1, 1) * 0.2}

def predict(w, x):
    z = w["V"] @ x + w["a"]
    s = 1 / (1 + np.exp(-z))
    return w["U"] @ s + w["d"], s

def cost(yhat, y):
    return np.mean((yhat - y) ** 2)

def grads(w, x, y, yhat, s):
    # gradient of 1/2 * sum of squares
    e = yhat - y
    gU = e @ s.T
    gd = e.sum(axis=1, keepdims=True)
    es = (w["U"].T @ e) * s * (1 - s)
    gV = es @ x.T
    ga = es.sum(axis=1, keepdims=True)
    return {"V": gV, "a": ga, "U": gU, "d": gd}

# one column per sample
x = np.random.RandomState(3).uniform(-2, 2, (2, 16))
y = (np.sin(x[0]) * x[1])[None, :] + 0.3
w = init(9)
for k in range(400):
    yhat, s = predict(w, x)
    c = cost(yhat, y)
    g = grads(w, x, y, yhat, s)
    for name in w:
        w[name] = w[name] - 0.02 * g[name]
    if k % 100 == 0:
        print(f"k={k} cost={c:.4f}")
