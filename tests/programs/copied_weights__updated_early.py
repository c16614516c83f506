import numpy as np

rs = np.random.RandomState(61)
X = rs.randn(15, 2)
d = np.where(X[:, 0] > X[:, 1] ** 2 - 0.5, 1.0, -1.0)

hidden = rs.randn(4, 2)
hidden_bias = rs.randn(4) * 0.3
out = rs.randn(4)
out_bias = 0.0
eta = 0.2

for sweep in range(60):
    loss = 0.0
    for n in range(len(X)):
        x = X[n]
        h = np.tanh(hidden @ x + hidden_bias)
        o = np.tanh(out @ h + out_bias)
        e = o - d[n]
        loss += 0.5 * e ** 2

        # output layer first, but the hidden layer needs the weights from before
        delta = e * (1 - o ** 2)
        out_before = out
        np.subtract(out, eta * delta * h, out=out, casting='unsafe')
        out_bias -= eta * delta

        hidden_delta = delta * out_before * (1 - h ** 2)
        hidden -= eta * np.outer(hidden_delta, x)
        hidden_bias -= eta * hidden_delta
    if sweep % 15 == 0:
        print('sweep', sweep, 'loss', loss)
print('loss', loss)
