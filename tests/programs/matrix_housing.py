#!/usr/bin/env python
# Linear regression in matrix form: h = X*theta, theta := theta - alpha/m * X'*(h-y)
import numpy as np

area  = [50, 62, 75, 80, 96, 110, 124]
rooms = [1, 2, 2, 3, 3, 4, 5]
price = [112, 139, 150, 178, 205, 240, 262]

data = np.matrix([area, rooms]).T.astype(float)
mu, sd = data.mean(axis=0), data.std(axis=0)
X = np.hstack([np.ones((7, 1)), (data - mu) / sd])
y = np.matrix(price).T / 100.0
m = X.shape[0]

theta = np.matrix(np.zeros((3, 1)))
alpha = 0.1

def cost(X, y, theta):
    inner = np.power((X * theta) - y, 2)
    return np.sum(inner) / (2 * len(X))

for k in range(200):
    J = cost(X, y, theta)
    if k % 40 == 0:
        print("k = %3d  J = %.6f" % (k, J))
    h = X * theta
    grad = X.T * (h - y) / m
    theta = theta - alpha * grad

print("theta:", theta.T)
