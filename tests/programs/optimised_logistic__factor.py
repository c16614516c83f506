# Logistic regression with a penalty; SciPy takes the steps.
import numpy as np
import scipy.optimize as opt

rng = np.random.default_rng(40)
X = np.c_[np.ones(50), rng.normal(size=(50, 3))]
y = (X @ np.array([0.4, 1.5, -1.0, 0.2]) + rng.normal(size=50) > 0).astype(int)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cost(theta, X, y, lam):
    h = sigmoid(X @ theta)
    J = -np.mean(y * np.log(h) + (1 - y) * np.log(1 - h))
    J += lam / (2 * len(y)) * np.sum(theta[1:] ** 2)
    return J


def gradient(theta, X, y, lam):
    h = sigmoid(X @ theta)
    grad = X.T @ (h - y)
    grad[1:] += lam / len(y) * theta[1:]
    return grad


theta, *_ = opt.fmin_tnc(func=cost, x0=np.zeros(4), fprime=gradient, args=(X, y, 1.0))
print(theta)
