#!/usr/bin/env python
"""The run that chainrule grew from, as the plain NumPy script that it was in a notebook.

It trains the 2-2-1 network on XOR and prints what `chainrule train xor` prints, in the main: the
loss ten times, and the four outputs; and last the weights, by which other programs are compared.

    python benchmarks/notebook.py
"""

import numpy as np

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.array([[0], [1], [1], [0]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_derivative(x):
    return sigmoid(x) * (1 - sigmoid(x))


def notebook(epochs, report=None):
    """The notebook's loop, line by line; ``report`` is told the loss of each epoch."""
    np.random.seed(42)
    W1, b1 = np.random.randn(2, 2), np.zeros((1, 2))
    W2, b2 = np.random.randn(2, 1), np.zeros((1, 1))
    for epoch in range(epochs):
        z1 = X @ W1 + b1
        a1 = sigmoid(z1)
        z2 = a1 @ W2 + b2
        a2 = sigmoid(z2)
        loss = np.mean((Y - a2) ** 2)
        d_loss_a2 = 2 * (a2 - Y)
        d_a2_z2 = sigmoid_derivative(z2)
        d_z2_W2 = a1
        d_loss_z2 = d_loss_a2 * d_a2_z2
        d_loss_W2 = d_z2_W2.T @ d_loss_z2
        d_loss_b2 = np.sum(d_loss_z2, axis=0, keepdims=True)
        d_loss_a1 = d_loss_z2 @ W2.T
        d_a1_z1 = sigmoid_derivative(z1)
        d_loss_z1 = d_loss_a1 * d_a1_z1
        d_loss_W1 = X.T @ d_loss_z1
        d_loss_b1 = np.sum(d_loss_z1, axis=0, keepdims=True)
        W2 -= 0.1 * d_loss_W2
        b2 -= 0.1 * d_loss_b2
        W1 -= 0.1 * d_loss_W1
        b1 -= 0.1 * d_loss_b1
        if report is not None:
            report(epoch, loss)
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}


def print_loss(epoch, loss):
    if epoch % 1000 == 0:
        print(f"Epoch {epoch:>5,}   loss {loss:.4f}")


def main():
    weights = notebook(10_000, print_loss)
    hidden = sigmoid(X @ weights["W1"] + weights["b1"])
    outputs = sigmoid(hidden @ weights["W2"] + weights["b2"])
    print(f"mean squared error {np.mean((Y - outputs) ** 2):.4f}")
    for (a, b), y, output in zip(X, Y[:, 0], outputs[:, 0], strict=True):
        print(f"{a:>2}  {b:>2}  {y}  {output:>10.3g}")
    print("weights", *np.concatenate([weights[name].ravel() for name in ("W1", "b1", "W2", "b2")]))


if __name__ == "__main__":
    main()
