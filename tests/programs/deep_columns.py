import numpy as np

np.random.seed(1)


def init_deep(dims):
    parameters = {}
    L = len(dims)
    for l in range(1, L):
        parameters['W' + str(l)] = np.random.randn(dims[l], dims[l-1]) / np.sqrt(dims[l-1])
        parameters['b' + str(l)] = np.ones((dims[l], 1)) * 0.1
    return parameters


def sigmoid(Z):
    A = 1/(1+np.exp(-Z))
    return A, Z


def relu(Z):
    A = np.maximum(0, Z)
    return A, Z


def relu_backward(dA, z_cache):
    Z = z_cache
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ


def sigmoid_backward(dA, z_cache):
    Z = z_cache
    s = 1/(1+np.exp(-Z))
    dZ = dA * s * (1-s)
    return dZ


def layer_forward(A_prev, W, b, activation):
    Z = np.dot(W, A_prev) + b
    if activation == "sigmoid":
        A, z_cache = sigmoid(Z)
    elif activation == "relu":
        A, z_cache = relu(Z)
    cache = ((A_prev, W, b), z_cache)
    return A, cache


def forward_all(X, parameters):
    caches = []
    A = X
    L = len(parameters) // 2
    for l in range(1, L):
        A, cache = layer_forward(A, parameters['W' + str(l)], parameters['b' + str(l)], "relu")
        caches.append(cache)
    AL, cache = layer_forward(A, parameters['W' + str(L)], parameters['b' + str(L)], "sigmoid")
    caches.append(cache)
    return AL, caches


def compute_cost(AL, Y):
    m = Y.shape[1]
    cost = -1/m * np.sum(np.multiply(Y, np.log(AL)) + np.multiply(1-Y, np.log(1-AL)))
    return np.squeeze(cost)


def linear_backward(dZ, linear_cache):
    A_prev, W, b = linear_cache
    m = A_prev.shape[1]
    dW = 1/m * np.dot(dZ, A_prev.T)
    db = 1/m * np.sum(dZ, axis=1, keepdims=True)
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def layer_backward(dA, cache, activation):
    linear_cache, z_cache = cache
    if activation == "relu":
        dZ = relu_backward(dA, z_cache)
    elif activation == "sigmoid":
        dZ = sigmoid_backward(dA, z_cache)
    return linear_backward(dZ, linear_cache)


def backward_all(AL, Y, caches):
    grads = {}
    L = len(caches)
    dAL = -(np.divide(Y, AL) - np.divide(1-Y, 1-AL))
    grads["dA" + str(L-1)], grads["dW" + str(L)], grads["db" + str(L)] = \
        layer_backward(dAL, caches[L-1], "sigmoid")
    for l in reversed(range(L-1)):
        dA_prev, dW, db = layer_backward(grads["dA" + str(l+1)], caches[l], "relu")
        grads["dA" + str(l)] = dA_prev
        grads["dW" + str(l+1)] = dW
        grads["db" + str(l+1)] = db
    return grads


def update_parameters(parameters, grads, learning_rate):
    L = len(parameters) // 2
    for l in range(1, L+1):
        parameters["W" + str(l)] = parameters["W" + str(l)] - learning_rate*grads["dW" + str(l)]
        parameters["b" + str(l)] = parameters["b" + str(l)] - learning_rate*grads["db" + str(l)]
    return parameters


X = np.random.randn(4, 25)
Y = (X[0:1] * X[1:2] - X[2:3] > 0).astype(int)
parameters = init_deep([4, 6, 5, 1])
costs = []
for i in range(0, 300):
    AL, caches = forward_all(X, parameters)
    cost = compute_cost(AL, Y)
    grads = backward_all(AL, Y, caches)
    parameters = update_parameters(parameters, grads, 0.1)
    if i % 50 == 0:
        costs.append(cost)
        print("{:4d} iterations, cost {:.5f}".format(i, cost))
