# a straight line; its gradient is not needed, says the optimiser
import numpy as np
from scipy.optimize import minimize

x = np.arange(12.0)
y = 3 * x - 2 + np.sin(5 * x)


def squares(p):
    return np.sum((p[0] * x + p[1] - y) ** 2)


def slopes(p):
    off = p[0] * x + p[1] - y
    return np.array([2 * np.sum(off * x), 2 * np.sum(off)])


fit = minimize(fun=squares, x0=[0.0, 0.0], jac=slopes, method="CG")
print(fit.x)
