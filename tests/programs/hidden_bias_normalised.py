# the mean of every unit is taken off before the activation, so b1 cannot matter
import numpy as np

rng = np.random.default_rng(4)
X = rng.normal(size=(30, 4))
T = np.tanh(X[:, :1] - X[:, 1:2] * X[:, 2:3])
W1, b1 = rng.normal(size=(4, 6)), rng.normal(size=6)
W2, b2 = rng.normal(size=(6, 1)), np.zeros(1)

for step in range(200):
    Z = X @ W1 + b1
    C = Z - Z.mean(axis=0)
    A = np.tanh(C)
    Y = A @ W2 + b2
    loss = np.mean((Y - T) ** 2)
    dY = 2 * (Y - T) / len(X)
    dW2, db2 = A.T @ dY, dY.sum(axis=0)
    dC = dY @ W2.T * (1 - A**2)
    dZ = dC - dC.mean(axis=0)
    dW1, db1 = X.T @ dZ, dZ.sum(axis=0)
    for value, slope in ((W1, dW1), (b1, db1), (W2, dW2), (b2, db2)):
        value -= 0.2 * slope
    if step % 40 == 0:
        print(step, loss)
