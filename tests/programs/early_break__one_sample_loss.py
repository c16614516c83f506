import numpy as np
rng = np.random.RandomState(44)

X = rng.rand(14, 2)
Y = np.hstack([X[:, [0]] ** 2, X[:, [0]] * X[:, [1]]])
Xval = rng.rand(6, 2)
Yval = np.hstack([Xval[:, [0]] ** 2, Xval[:, [0]] * Xval[:, [1]]])

w0, w1, w2 = rng.randn(2, 5), rng.randn(5, 4) * .5, rng.randn(4, 2) * .5
c0, c1, c2 = rng.randn(5) * .1, rng.randn(4) * .1, rng.randn(2) * .1
sigma = lambda s: 1 / (1 + np.exp(-s))

def predict(x):
    return sigma(sigma(x @ w0 + c0) @ w1 + c1) @ w2 + c2

best, bad = 1e9, 0
epoch = 0
while epoch < 1500:
    l0 = X
    l1 = sigma(l0 @ w0 + c0)
    l2 = sigma(l1 @ w1 + c1)
    l3 = l2 @ w2 + c2
    train = ((l3[-1] - Y[-1]) ** 2).sum() / 2

    l3_delta = l3 - Y
    l2_delta = l3_delta @ w2.T * l2 * (1 - l2)
    l1_delta = l2_delta @ w1.T * l1 * (1 - l1)

    w2 -= .05 * (l2.T @ l3_delta)
    c2 -= .05 * l3_delta.sum(0)
    w1 -= .05 * (l1.T @ l2_delta)
    c1 -= .05 * l2_delta.sum(0)
    w0 -= .05 * (l0.T @ l1_delta)
    c0 -= .05 * l1_delta.sum(0)

    val = ((predict(Xval) - Yval) ** 2).sum() / 2
    if val < best:
        best, bad = val, 0
    else:
        bad += 1
        if bad > 200:
            print("no better for 200 epochs, stop")
            break
    if epoch % 300 == 0:
        print("%5d  train %.4f  validation %.4f" % (epoch, train, val))
    epoch += 1
print("best validation error %.4f" % best)
