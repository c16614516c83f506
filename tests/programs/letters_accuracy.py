"""Three clumps of points, sorted by a small network. Only the accuracy is printed."""
import numpy as np

rng = np.random.default_rng(5)
centres = np.array([[0.0, 2.0], [-2.0, -1.0], [2.0, -1.0]])
labels = np.arange(90) % 3
points = (centres[labels] + rng.normal(size=(90, 2))).T


def start():
    return rng.normal(size=(7, 2)), np.zeros((7, 1)), rng.normal(size=(3, 7)), np.zeros((3, 1))


def one_hot(labels):
    table = np.zeros((labels.max() + 1, labels.size))
    table[labels, np.arange(labels.size)] = 1
    return table


def forward(W1, b1, W2, b2, X):
    Z1 = W1.dot(X) + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2.dot(A1) + b2
    E = np.exp(Z2 - Z2.max(axis=0))
    return Z1, A1, E / E.sum(axis=0)


def backward(Z1, A1, A2, W2, X, labels):
    m = labels.size
    dZ2 = A2 - one_hot(labels)
    dW2 = dZ2.dot(A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
    dW1 = dZ1.dot(X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


W1, b1, W2, b2 = start()
for i in range(300):
    Z1, A1, A2 = forward(W1, b1, W2, b2, points)
    dW1, db1, dW2, db2 = backward(Z1, A1, A2, W2, points, labels)
    W1, b1 = W1 - 0.3 * dW1, b1 - 0.3 * db1
    W2, b2 = W2 - 0.3 * dW2, b2 - 0.3 * db2
    if i % 100 == 0:
        print(i, np.mean(A2.argmax(axis=0) == labels))
