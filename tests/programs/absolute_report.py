# prints how far off the answers are on average, and goes down the squares
import numpy as np

rng = np.random.default_rng(21)
X = rng.normal(size=(30, 3))
y = np.sin(X[:, :1]) + 0.5 * X[:, 1:2] * X[:, 2:]

W1 = rng.normal(size=(3, 6)) * 0.6
W2 = rng.normal(size=(6, 1)) * 0.6
alpha = 0.01
for step in range(1500):
    h = np.tanh(X.dot(W1))
    out = h.dot(W2)
    error = y - out
    if step % 500 == 0:
        print("Error:", np.mean(np.abs(error)))
    h_delta = error.dot(W2.T) * (1 - h * h)
    W2 += alpha * h.T.dot(error)
    W1 += alpha * X.T.dot(h_delta)
