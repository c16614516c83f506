"""Toy deep-learning library: modules, a criterion, an optimiser."""
from typing import List, Tuple

import numpy as np


class Module:
    def parameters(self) -> List[Tuple[np.ndarray, np.ndarray]]:
        return []


class Linear(Module):
    def __init__(self, fan_in, fan_out, rng):
        bound = 1 / np.sqrt(fan_in)
        self.w = rng.uniform(-bound, bound, (fan_in, fan_out))
        self.b = rng.uniform(-bound, bound, fan_out)
        self.gw = np.zeros_like(self.w)
        self.gb = np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, g):
        self.gw += self.x.T @ g
        self.gb[...] = g.sum(axis=0)
        return g @ self.w.T

    def parameters(self):
        return [(self.w, self.gw), (self.b, self.gb)]


class ReLU(Module):
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, g):
        return g * self.mask


class Sequential(Module):
    def __init__(self, *modules):
        self.modules = modules

    def forward(self, x):
        for module in self.modules:
            x = module.forward(x)
        return x

    def backward(self, g):
        for module in self.modules[::-1]:
            g = module.backward(g)
        return g

    def parameters(self):
        return [pair for module in self.modules for pair in module.parameters()]


class CrossEntropy:
    def forward(self, logits, target):
        shifted = logits - logits.max(axis=1, keepdims=True)
        logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        self.p, self.target = np.exp(logp), target
        return -logp[np.arange(len(target)), target].mean()

    def backward(self):
        g = self.p.copy()
        g[np.arange(len(self.target)), self.target] -= 1
        return g / len(self.target)


class SGD:
    def __init__(self, params, lr):
        self.params, self.lr = params, lr

    def step(self):
        for p, g in self.params:
            p -= self.lr * g


rng = np.random.default_rng(8)
x = rng.normal(size=(40, 2))
target = (np.arctan2(x[:, 1], x[:, 0]) // (np.pi / 2)).astype(int) + 2

model = Sequential(Linear(2, 8, rng), ReLU(), Linear(8, 6, rng), ReLU(), Linear(6, 4, rng))
criterion = CrossEntropy()
optimiser = SGD(model.parameters(), lr=0.3)
for epoch in range(300):
    loss = criterion.forward(model.forward(x), target)
    model.backward(criterion.backward())
    optimiser.step()
    if epoch % 60 == 0:
        print(f"{epoch:>4} {loss:.4f}")
print("accuracy", (model.forward(x).argmax(axis=1) == target).mean())
