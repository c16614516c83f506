import numpy as np


class Layer:
    def __init__(self):
        self.x = None
        self.output = None

    def forward(self, x):
        raise NotImplementedError

    def backward(self, grad_out, learning_rate):
        raise NotImplementedError


class Dense(Layer):
    def __init__(self, n_in, n_out):
        self.weights = np.random.randn(n_out, n_in)
        self.bias = np.random.randn(n_out, 1)

    def forward(self, x):
        self.x = x
        return np.dot(self.weights, self.x) + self.bias

    def backward(self, grad_out, learning_rate):
        grad_w = np.dot(grad_out, self.x.T)
        grad_in = np.dot(self.weights.T, grad_out)
        self.weights -= learning_rate * grad_w
        self.bias -= learning_rate * grad_out
        return grad_in


class Activation(Layer):
    def __init__(self, activation, slope):
        self.activation = activation
        self.slope = slope

    def forward(self, x):
        self.x = x
        return self.activation(self.x)

    def backward(self, grad_out, learning_rate):
        return np.multiply(grad_out, self.slope(self.x))


class Tanh(Activation):
    def __init__(self):
        def tanh(x):
            return np.tanh(x)

        def tanh_prime(x):
            return np.tanh(x) * (1 - np.tanh(x))

        super().__init__(tanh, tanh_prime)


def mse(y_true, y_pred):
    return np.mean(np.power(y_true - y_pred, 2))


def mse_prime(y_true, y_pred):
    return 2 * (y_pred - y_true) / np.size(y_true)


np.random.seed(12)
X = np.reshape([[0, 0], [0, 1], [1, 0], [1, 1]], (4, 2, 1))
Y = np.reshape([[0, 1], [1, 0], [1, 0], [0, 0]], (4, 2, 1))

network = [
    Dense(2, 3),
    Tanh(),
    Dense(3, 2),
    Tanh(),
]

samples = list(zip(X, Y))

epochs = 300
learning_rate = 0.1

for e in range(epochs):
    error = 0
    for x, y in samples:
        output = x
        for layer in network:
            output = layer.forward(output)

        error += mse(y, output)

        grad = mse_prime(y, output)
        for layer in reversed(network):
            grad = layer.backward(grad, learning_rate)

    error /= len(X)
    if (e + 1) % 50 == 0:
        print('epoch %d of %d: error %f' % (e + 1, epochs, error))
