import numpy as np

# multinomial logistic regression, labels as one-hot rows
X = np.array([
    [5.1, 3.5, 1.4, 0.2], [4.9, 3.0, 1.4, 0.2], [5.4, 3.9, 1.7, 0.4], [4.6, 3.4, 1.4, 0.3],
    [7.0, 3.2, 4.7, 1.4], [6.4, 3.2, 4.5, 1.5], [5.5, 2.3, 4.0, 1.3], [6.5, 2.8, 4.6, 1.5],
    [6.3, 3.3, 6.0, 2.5], [5.8, 2.7, 5.1, 1.9], [7.1, 3.0, 5.9, 2.1], [6.5, 3.0, 5.8, 2.2],
])
X = (X - X.mean(axis=0)) / X.std(axis=0)
y = np.array([0]*4 + [1]*4 + [2]*4)
Y = np.zeros((12, 3))
Y[np.arange(12), y] = 1

def softmax(Z):
    Z = Z - Z.max(axis=1).reshape(-1, 1)
    return np.exp(Z) / np.exp(Z).sum(axis=1).reshape(-1, 1)

def loss_and_grads(W, b, X, Y):
    P = softmax(X @ W + b)
    loss = -(Y * np.log(P)).sum(axis=1).mean()
    G = (P - Y) / X.shape[0]
    return loss, X.T @ G, G.sum(axis=0)

rs = np.random.RandomState(2)
W = 0.01 * rs.randn(4, 3)
b = np.zeros(3)
for i in range(100):
    loss, dW, db = loss_and_grads(W, b, X, Y)
    W -= 0.5 * dW
    b -= 0.5 * db
    if i % 20 == 0:
        print(f'{i=} {loss=:.4f}')
print((softmax(X @ W + b).argmax(axis=1) == y).mean())
