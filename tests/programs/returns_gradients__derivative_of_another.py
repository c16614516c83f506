import numpy as np

def activation(z):
    return np.log(1 + np.exp(z))          # softplus

def activation_prime(z):
    return (z > 0) * 1.0

def compute_loss(X, y, W1, b1, W2, b2):
    a = activation(X @ W1 + b1)
    pred = a @ W2 + b2
    return np.sum((pred - y) ** 2) / (2 * X.shape[0])

def compute_gradients(X, y, W1, b1, W2, b2):
    N = X.shape[0]
    z = X @ W1 + b1
    a = activation(z)
    pred = a @ W2 + b2

    dpred = (pred - y) / N
    dW2 = a.T @ dpred
    db2 = np.sum(dpred, axis=0)
    dz = (dpred @ W2.T) * activation_prime(z)
    dW1 = X.T @ dz
    db1 = np.sum(dz, axis=0)
    return dW1, db1, dW2, db2

def gradient_descent(X, y, hidden=4, lr=0.1, iterations=250):
    np.random.seed(17)
    W1 = np.random.normal(size=(X.shape[1], hidden))
    b1 = np.random.normal(size=hidden)
    W2 = np.random.normal(size=(hidden, 1))
    b2 = np.random.normal(size=1)
    for i in range(iterations):
        loss = compute_loss(X, y, W1, b1, W2, b2)
        dW1, db1, dW2, db2 = compute_gradients(X, y, W1, b1, W2, b2)
        W1 = W1 - lr * dW1
        b1 = b1 - lr * db1
        W2 = W2 - lr * dW2
        b2 = b2 - lr * db2
        if i % 50 == 0:
            print(f"Iteration {i}: loss = {loss}")
    return W1, b1, W2, b2

if __name__ == '__main__':
    np.random.seed(18)
    X = np.random.uniform(-1, 1, (18, 2))
    y = np.exp(-X[:, :1] ** 2) + 0.5 * X[:, 1:]
    gradient_descent(X, y)
