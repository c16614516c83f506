"""The notebook's training of XOR as a script of its own."""

import numpy as np

np.random.seed(42)
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = np.array([[0], [1], [1], [0]])
W1, b1 = np.random.randn(2, 2), np.zeros((1, 2))
W2, b2 = np.random.randn(2, 1), np.zeros((1, 1))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_derivative(x):
    return sigmoid(x) * (1 - sigmoid(x))


for epoch in range(10_000):
    z1 = X @ W1 + b1
    a1 = sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = sigmoid(z2)
    loss = np.mean((y - a2) ** 2)
    d_loss_a2 = 2 * (a2 - y)
    d_loss_z2 = d_loss_a2 * sigmoid_derivative(z2)
    d_loss_W2 = a1.T @ d_loss_z2
    d_loss_b2 = np.sum(d_loss_z2, axis=0, keepdims=True)
    d_loss_a1 = d_loss_z2 @ W2.T
    d_loss_z1 = d_loss_a1 * sigmoid_derivative(z1)
    d_loss_W1 = X.T @ d_loss_z1
    d_loss_b1 = np.sum(d_loss_z1, axis=0, keepdims=True)
    W2 -= 0.1 * d_loss_W2
    b2 -= 0.1 * d_loss_b2
    W1 -= 0.1 * d_loss_W1
    b1 -= 0.1 * d_loss_b1
    if epoch % 1000 == 0:
        print(f"Epoch {epoch}, loss {loss:.4f}")

print("weights", *np.concatenate([each.ravel() for each in (W1, b1, W2, b2)]))
