from dataclasses import dataclass, field
import numpy as np

rng = np.random.default_rng(66)

@dataclass
class Dense:
    n_in: int
    n_out: int
    relu: bool = True
    W: np.ndarray = field(init=False, repr=False)
    b: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        self.W = rng.normal(0, (2/self.n_in)**.5, (self.n_in, self.n_out))
        self.b = np.full(self.n_out, .05)

    def forward(self, x):
        self.x = x
        self.z = x @ self.W + self.b
        if self.relu:
            return np.maximum(self.z, 0)
        return self.z

    def backward(self, grad):
        if self.relu:
            grad = np.where(self.z > 0, grad, 0)
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T

    def update(self, lr):
        self.W -= lr*self.dW
        self.b -= lr*self.db

layers = [Dense(3, 8), Dense(8, 6), Dense(6, 1, relu=False)]
print(layers)

X = rng.normal(size=(24, 3))
y = (X[:, [0]]*X[:, [1]] + np.abs(X[:, [2]]))

for epoch in range(200):
    out = X
    for layer in layers: out = layer.forward(out)
    loss = np.mean((out - y)**2)
    grad = 2*(out - y)/y.size
    for layer in layers[::-1]: grad = layer.backward(grad)
    for layer in layers: layer.update(.03)
    if epoch % 50 == 0: print(f'{epoch=}, {loss=:.4f}')
