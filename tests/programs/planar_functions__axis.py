import numpy as np


def sizes_of(X, Y, n_h):
    return X.shape[0], n_h, Y.shape[0]


def random_start(n_x, n_h, n_y):
    np.random.seed(2)
    W1 = np.random.randn(n_h, n_x) * 0.3
    b1 = np.random.randn(n_h, 1) * 0.1
    W2 = np.random.randn(n_y, n_h) * 0.3
    b2 = np.random.randn(n_y, 1) * 0.1
    parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    return parameters


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward_prop(X, parameters):
    W1 = parameters["W1"]
    b1 = parameters["b1"]
    W2 = parameters["W2"]
    b2 = parameters["b2"]

    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = sigmoid(Z2)

    cache = {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}
    return A2, cache


def compute_cost(A2, Y):
    m = Y.shape[1]
    logprobs = Y * np.log(A2) + (1 - Y) * np.log(1 - A2)
    cost = -np.sum(logprobs) / m
    return float(np.squeeze(cost))


def backward_prop(parameters, cache, X, Y):
    m = X.shape[1]
    W2 = parameters["W2"]
    A1 = cache["A1"]
    A2 = cache["A2"]

    dZ2 = A2 - Y
    dW2 = (1 / m) * np.dot(dZ2, A1.T)
    db2 = (1 / m) * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.multiply(np.dot(W2.T, dZ2), 1 - np.power(A1, 2))
    dW1 = (1 / m) * np.dot(dZ1, X.T)
    db1 = (1 / m) * np.sum(dZ1, axis=0, keepdims=True)

    grads = {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
    return grads


def update_parameters(parameters, grads, learning_rate=1.2):
    for key in ("W1", "b1", "W2", "b2"):
        parameters[key] = parameters[key] - learning_rate * grads["d" + key]
    return parameters


def train_model(X, Y, n_h, num_iterations=400, print_cost=True):
    n_x, n_h, n_y = sizes_of(X, Y, n_h)
    parameters = random_start(n_x, n_h, n_y)
    for i in range(num_iterations):
        A2, cache = forward_prop(X, parameters)
        cost = compute_cost(A2, Y)
        grads = backward_prop(parameters, cache, X, Y)
        parameters = update_parameters(parameters, grads)
        if print_cost and i % 100 == 0:
            print("iteration %4i   cost %f" % (i, cost))
    return parameters


np.random.seed(1)
X = np.random.randn(2, 30)
Y = ((X[0] ** 2 + 0.5 * X[1] > 0.4) * 1).reshape(1, 30)
parameters = train_model(X, Y, n_h=4)
A2, _ = forward_prop(X, parameters)
print("Accuracy: %d%%" % (100 * np.mean((A2 > 0.5) == Y)))
