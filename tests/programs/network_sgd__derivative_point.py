# A multilayer perceptron, stochastic gradient descent and
# backpropagation, one example at a time, column vectors throughout.
import random

import numpy as np


class Network:

    def __init__(self, sizes):
        self.depth = len(sizes)
        self.sizes = sizes
        self.biases = [0.5 * np.random.randn(n, 1) for n in sizes[1:]]
        self.weights = [np.random.randn(n, m) / np.sqrt(m) for m, n in zip(sizes[:-1], sizes[1:])]

    def predict(self, a):
        for w, b in zip(self.weights, self.biases):
            a = sigmoid(w @ a + b)
        return a

    def fit(self, pairs, epochs, batch_size, eta):
        for j in range(epochs):
            random.shuffle(pairs)
            batches = [pairs[k:k + batch_size]
                            for k in range(0, len(pairs), batch_size)]
            for batch in batches:
                self.learn_from(batch, eta)
            if j % 10 == 0:
                print("after epoch {0} the cost is {1:.5f}".format(j, self.total_cost(pairs)))

    def learn_from(self, batch, eta):
        grad_b = [np.zeros(b.shape) for b in self.biases]
        grad_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in batch:
            one_b, one_w = self.backprop(x, y)
            grad_b = [nb + ob for nb, ob in zip(grad_b, one_b)]
            grad_w = [nw + ow for nw, ow in zip(grad_w, one_w)]
        self.weights = [w - (eta / len(batch)) * nw for w, nw in zip(self.weights, grad_w)]
        self.biases = [b - (eta / len(batch)) * nb for b, nb in zip(self.biases, grad_b)]

    def backprop(self, x, y):
        grad_b = [np.zeros(b.shape) for b in self.biases]
        grad_w = [np.zeros(w.shape) for w in self.weights]
        # forward
        activation = x
        activations = [x]
        zs = []
        for w, b in zip(self.weights, self.biases):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigmoid(z)
            activations.append(activation)
        # backward
        delta = (activations[-1] - y) * slope(activations[-1])
        grad_b[-1] = delta
        grad_w[-1] = np.dot(delta, activations[-2].T)
        for l in range(2, self.depth):
            sp = slope(zs[-l])
            delta = np.dot(self.weights[-l + 1].T, delta) * sp
            grad_b[-l] = delta
            grad_w[-l] = np.dot(delta, activations[-l - 1].T)
        return grad_b, grad_w

    def total_cost(self, data):
        return sum(0.5 * np.linalg.norm(self.predict(x) - y) ** 2 for x, y in data) / len(data)


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def slope(z):
    return sigmoid(z) * (1 - sigmoid(z))


random.seed(6)
np.random.seed(6)
pairs = []
for _ in range(24):
    x = np.random.rand(3, 1)
    y = np.zeros((2, 1))
    y[int(x[0, 0] + x[1, 0] > 1.1 * x[2, 0] + 0.5)] = 1.0
    pairs.append((x, y))

net = Network([3, 4, 3, 2])
net.fit(pairs, 40, 6, 2.0)
