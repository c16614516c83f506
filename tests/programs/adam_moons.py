import numpy as np

# two half moons
rng = np.random.default_rng(0)
n = 40
ang = rng.uniform(0, np.pi, n)
upper = np.c_[np.cos(ang), np.sin(ang)]
lower = np.c_[1 - np.cos(ang), 0.5 - np.sin(ang)]
X = np.vstack([upper, lower]) + 0.1 * rng.normal(size=(2 * n, 2))
y = np.r_[np.zeros(n), np.ones(n)].reshape(-1, 1)

P = {
    "W1": rng.normal(size=(2, 8)) * 0.7, "b1": np.zeros(8),
    "W2": rng.normal(size=(8, 1)) * 0.7, "b2": np.zeros(1),
}
M = {k: np.zeros_like(v) for k, v in P.items()}
V = {k: np.zeros_like(v) for k, v in P.items()}
beta1, beta2, eps, lr = 0.9, 0.999, 1e-8, 0.02

for t in range(1, 201):
    H = np.tanh(X @ P["W1"] + P["b1"])
    out = 1 / (1 + np.exp(-(H @ P["W2"] + P["b2"])))
    loss = -np.mean(y * np.log(out) + (1 - y) * np.log(1 - out))

    G = {}
    d = (out - y) / len(y)
    G["W2"] = H.T @ d
    G["b2"] = d.sum(axis=0)
    dH = (d @ P["W2"].T) * (1 - H ** 2)
    G["W1"] = X.T @ dH
    G["b1"] = dH.sum(axis=0)

    for k in P:
        M[k] = beta1 * M[k] + (1 - beta1) * G[k]
        V[k] = beta2 * V[k] + (1 - beta2) * G[k] ** 2
        m_hat = M[k] / (1 - beta1 ** t)
        v_hat = V[k] / (1 - beta2 ** t)
        P[k] = P[k] - lr * m_hat / (np.sqrt(v_hat) + eps)

    if t % 50 == 0:
        print(f"iteration {t}: {loss:.4f}")
