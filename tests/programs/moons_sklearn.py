import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.preprocessing import StandardScaler

X, y = make_moons(n_samples=60, noise=0.15, random_state=0)
X = StandardScaler().fit_transform(X)
y = y.reshape(-1, 1)

np.random.seed(0)
params = {
    'W1': np.random.randn(2, 6), 'b1': np.zeros((1, 6)),
    'W2': np.random.randn(6, 1), 'b2': np.zeros((1, 1)),
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(X):
    Z1 = X @ params['W1'] + params['b1']
    A1 = sigmoid(Z1)
    Z2 = A1 @ params['W2'] + params['b2']
    return A1, sigmoid(Z2)


def backward(X, y, A1, A2):
    m = len(X)
    dZ2 = A2 - y
    dW2 = A1.T @ dZ2 / m
    db2 = dZ2.mean(axis=0, keepdims=True)
    dZ1 = dZ2 @ params['W2'].T * A1 * (1 - A1)
    dW1 = X.T @ dZ1 / m
    db1 = dZ1.mean(axis=0, keepdims=True)
    return dict(W1=dW1, b1=db1, W2=dW2, b2=db2)


losses = []
for epoch in range(300):
    A1, A2 = forward(X)
    loss = -(y * np.log(A2) + (1 - y) * np.log(1 - A2)).mean()
    losses.append(loss)
    grads = backward(X, y, A1, A2)
    for name in params:
        params[name] = params[name] - 1.0 * grads[name]

print('first loss', losses[0], 'last loss', losses[-1])
plt.plot(losses)
plt.xlabel('epoch')
plt.ylabel('loss')
plt.show()
