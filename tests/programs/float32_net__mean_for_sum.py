import numpy as np

dtype = np.float32
rng = np.random.default_rng(70)

X = rng.standard_normal((32, 4), dtype=dtype)
Y = (X[:, :2] * X[:, 2:] + dtype(0.5)).astype(dtype)

W1 = rng.standard_normal((4, 10), dtype=dtype) * dtype(0.4)
b1 = np.zeros(10, dtype)
W2 = rng.standard_normal((10, 2), dtype=dtype) * dtype(0.4)
b2 = np.zeros(2, dtype)
lr = dtype(0.2)

for epoch in range(250):
    h = np.tanh(X @ W1 + b1)
    p = h @ W2 + b2
    diff = p - Y
    loss = dtype(0.5) * np.mean(np.square(diff))

    dp = diff / dtype(diff.size)
    dW2 = h.T @ dp
    db2 = dp.mean(0)
    dh = dp @ W2.T
    dz = dh * (dtype(1) - np.square(h))
    dW1 = X.T @ dz
    db1 = dz.sum(0)

    W1 -= lr * dW1
    b1 -= lr * db1
    W2 -= lr * dW2
    b2 -= lr * db2
    if epoch % 50 == 0:
        print(epoch, loss, loss.dtype)
