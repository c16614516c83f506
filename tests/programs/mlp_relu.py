import numpy as np


class MLP:
    """Two-layer perceptron with ReLU units, trained on mini-batches."""

    def __init__(self, n_in: int, n_hidden: int, n_out: int, lr: float = 0.05, seed: int = 0):
        self.rng = np.random.default_rng(seed)
        self.W1 = self.rng.normal(0.0, np.sqrt(2.0 / n_in), size=(n_in, n_hidden))
        self.b1 = np.full(n_hidden, 0.02)
        self.W2 = self.rng.normal(0.0, np.sqrt(2.0 / n_hidden), size=(n_hidden, n_out))
        self.b2 = np.zeros(n_out)
        self.lr = lr

    def forward(self, X):
        self.X = X
        self.Z1 = X @ self.W1 + self.b1
        self.A1 = np.maximum(0.0, self.Z1)
        return self.A1 @ self.W2 + self.b2

    def loss(self, Y_hat, Y):
        return 0.5 * np.sum((Y_hat - Y) ** 2) / len(Y)

    def backward(self, Y_hat, Y):
        n = len(Y)
        dY = (Y_hat - Y) / n
        self.dW2 = self.A1.T @ dY
        self.db2 = dY.sum(axis=0)
        dA1 = dY @ self.W2.T
        dZ1 = dA1 * (self.Z1 > 0)
        self.dW1 = self.X.T @ dZ1
        self.db1 = dZ1.sum(axis=0)

    def step(self):
        self.W1 -= self.lr * self.dW1
        self.b1 -= self.lr * self.db1
        self.W2 -= self.lr * self.dW2
        self.b2 -= self.lr * self.db2

    def fit(self, X, Y, epochs=60, batch_size=8):
        history = []
        for epoch in range(epochs):
            order = self.rng.permutation(len(X))
            total = 0.0
            for start in range(0, len(X), batch_size):
                rows = order[start:start + batch_size]
                Y_hat = self.forward(X[rows])
                batch_loss = self.loss(Y_hat, Y[rows])
                total += batch_loss * len(rows)
                self.backward(Y_hat, Y[rows])
                self.step()
            history.append(total / len(X))
        return history


rng = np.random.default_rng(1)
X = rng.normal(size=(50, 4))
Y = np.stack([np.abs(X[:, 0]) - X[:, 1], X[:, 2] * X[:, 3] + 0.5], axis=1)
net = MLP(4, 10, 2)
history = net.fit(X, Y)
for epoch in range(0, len(history), 10):
    print(f"epoch {epoch:3d}  loss {history[epoch]:.4f}")
