"""
A very small neural network, written down without any function or class,
so that each line can be compared with the formulas of the lecture.

    z1 = X W1 + b1      a1 = tanh(z1)
    z2 = a1 W2 + b2     (no activation: we do regression)
    E  = 1/2 * sum over everything of (z2 - T)^2
"""
import numpy as np

rng = np.random.default_rng(3)

# ---------------------------------------------------------------- data
X = rng.uniform(-1.0, 1.0, size=(12, 3))
T = np.column_stack([
    np.sin(2.0 * X[:, 0]) + 0.3 * X[:, 1],
    X[:, 2] - X[:, 0] * X[:, 1],
])

# ---------------------------------------------------------- parameters
W1 = 0.5 * rng.standard_normal((3, 4))
b1 = 0.1 * rng.standard_normal(4)
W2 = 0.5 * rng.standard_normal((4, 2))
b2 = 0.1 * rng.standard_normal(2)

learning_rate = 0.03
number_of_steps = 500

# ------------------------------------------------------------ training
for step in range(number_of_steps):
    # forward pass
    z1 = X @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    E = 0.5 * np.sum((z2 - T) ** 2)

    # backward pass
    dE_dz2 = z2 - T
    dE_dW2 = a1.T @ dE_dz2
    dE_db2 = dE_dz2.sum(axis=0)
    dE_da1 = dE_dz2 @ W2.T
    dE_dz1 = dE_da1 * (1.0 - a1 ** 2)
    dE_dW1 = X.T @ dE_dz1
    dE_db1 = dE_dz1.mean(axis=0)

    # gradient descent
    W1 = W1 - learning_rate * dE_dW1
    b1 = b1 - learning_rate * dE_db1
    W2 = W2 - learning_rate * dE_dW2
    b2 = b2 - learning_rate * dE_db2

    if step % 100 == 0:
        print(f"step {step:4d}   E = {E:.6f}")

print(f"after training: E = {E:.6f}")
