# All weights in one vector, a cost with its gradient, and minimize() for the rest.
import numpy as np
from scipy.optimize import minimize

rng = np.random.RandomState(8)
X = rng.randn(40, 4)
labels = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
Y = np.eye(3)[labels]
sizes = 4, 6, 3


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def cost_and_gradient(params, X, Y):
    m, cut = len(X), sizes[1] * (sizes[0] + 1)
    Theta1 = params[:cut].reshape(sizes[1], sizes[0] + 1)
    Theta2 = params[cut:].reshape(sizes[2], sizes[1] + 1)
    a1 = np.hstack([np.ones((m, 1)), X])
    z2 = a1.dot(Theta1.T)
    a2 = np.hstack([np.ones((m, 1)), sigmoid(z2)])
    h = sigmoid(a2.dot(Theta2.T))
    J = np.sum(-Y * np.log(h) - (1 - Y) * np.log(1 - h)) / m
    d3 = (h - Y) / m
    d2 = d3.dot(Theta2)[:, 1:] * sigmoid(z2) * (1 - sigmoid(z2))
    Theta1_grad = d2.T.dot(a1)
    Theta2_grad = d3.T.dot(a2)
    return J, np.concatenate([Theta1_grad.ravel(), Theta2_grad.ravel()])


start = rng.uniform(-0.5, 0.5, 6 * 5 + 3 * 7)
found = minimize(cost_and_gradient, start, args=(X, Y), method="BFGS", jac=True,
                 options={"maxiter": 15})
print(found.fun)
