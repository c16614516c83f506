import numpy as np


class TiedAutoencoder:
    """x -> tanh(x W + b) -> h W' + c, where decoder and encoder share W."""

    def __init__(self, n, k, seed):
        rng = np.random.default_rng(seed)
        self.W = rng.normal(scale=1 / np.sqrt(n), size=(n, k))
        self.b = np.zeros(k)
        self.c = np.zeros(n)

    def reconstruct(self, x):
        self.h = np.tanh(x @ self.W + self.b)
        return self.h @ self.W.T + self.c

    def train_step(self, x, lr):
        r = self.reconstruct(x)
        diff = r - x
        loss = (diff**2).mean()

        g = 2 * diff / diff.size
        g_pre = (g @ self.W) * (1 - self.h**2)
        # W is used twice: in the decoder and in the encoder
        grad_W = g.T @ self.h
        grad_W += x.T @ g_pre
        grad_c = g.sum(axis=0)
        grad_b = g_pre.sum(axis=0)

        self.W -= lr * grad_W
        self.b -= lr * grad_b
        self.c -= lr * grad_c
        return loss


rng = np.random.default_rng(4)
latent = rng.normal(size=(30, 2))
x = np.tanh(latent @ rng.normal(size=(2, 5))) + 0.05 * rng.normal(size=(30, 5)) + 0.2
model = TiedAutoencoder(5, 2, seed=7)
for step in range(300):
    loss = model.train_step(x, lr=0.3)
    if step % 60 == 0:
        print(step, f"{loss:.5f}")
