# the loss of other points than those that are learned from is shown
import numpy as np

rng = np.random.default_rng(30)
x, x_test = rng.uniform(-2, 2, (50, 2)), rng.uniform(-2, 2, (20, 2))
target, target_test = x[:, 0] * x[:, 1], x_test[:, 0] * x_test[:, 1]


class Net:
    def __init__(self):
        self.W = rng.normal(size=(2, 8))
        self.b = np.zeros(8)
        self.v = rng.normal(size=8) / 3

    def run(self, x):
        self.h = np.tanh(x @ self.W + self.b)
        return self.h @ self.v

    def learn(self, x, target, rate):
        off = (self.run(x) - target) / len(x)
        back = np.outer(off, self.v) * (1 - self.h**2)
        self.v -= rate * self.h.T @ off
        self.W -= rate * x.T @ back
        self.b -= rate * back.sum(axis=0)


net = Net()
for epoch in range(600):
    net.learn(x, target, 0.2)
    loss = np.mean((net.run(x_test) - target_test) ** 2)
    if epoch % 200 == 0:
        print(epoch, loss)
