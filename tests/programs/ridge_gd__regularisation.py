# Ridge regression by gradient descent, to compare with the closed form.
import numpy as np

rng = np.random.default_rng(101)
n, d = 30, 5
A = rng.normal(size=(n, d))
w_true = np.array([1.5, -2.0, 0.0, 0.7, 3.0])
b = A @ w_true + 0.3 * rng.normal(size=n)
lam = 0.5

def objective(w):
    r = A @ w - b
    return r @ r / (2 * n)

def gradient(w):
    return A.T @ (A @ w - b) / n + lam * w

w = rng.normal(size=d)
eta = 0.2
for k in range(150):
    value = objective(w)
    g = gradient(w)
    w = w - eta * g
    if k % 30 == 0:
        print(k, value, np.linalg.norm(g))

exact = np.linalg.solve(A.T @ A / n + lam * np.eye(d), A.T @ b / n)
print("distance to the closed form:", np.abs(w - exact).max())
