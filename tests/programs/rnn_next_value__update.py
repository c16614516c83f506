"""Elman network that predicts the next value of a noisy wave; BPTT through the whole sequence."""
import numpy as np

rng = np.random.default_rng(5)
T = 12
t = np.arange(T + 1)
series = np.sin(0.7 * t) * np.exp(-0.03 * t) + 0.05 * rng.standard_normal(T + 1)
xs, ys = series[:-1], series[1:]

n_hidden = 5
Wx = rng.normal(0, 0.5, (n_hidden, 1))
Wh = rng.normal(0, 0.4, (n_hidden, n_hidden))
bh = np.zeros((n_hidden, 1)) + 0.05
Wy = rng.normal(0, 0.5, (1, n_hidden))
by = np.zeros((1, 1))
lr = 0.02

for epoch in range(301):
    # unroll forwards
    hs = {-1: np.zeros((n_hidden, 1))}
    preds = []
    loss = 0.0
    for k in range(T):
        hs[k] = np.tanh(Wx * xs[k] + Wh @ hs[k - 1] + bh)
        preds.append(Wy @ hs[k] + by)
        loss += 0.5 * ((preds[k] - ys[k]) ** 2).item()

    # and backwards through time
    dWx, dWh, dbh = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(bh)
    dWy, dby = np.zeros_like(Wy), np.zeros_like(by)
    dh_next = np.zeros((n_hidden, 1))
    for k in reversed(range(T)):
        dy = preds[k] - ys[k]
        dWy += dy @ hs[k].T
        dby += dy
        dh = Wy.T @ dy + dh_next
        draw = (1 - hs[k] ** 2) * dh
        dbh += draw
        dWx += draw * xs[k]
        dWh += draw @ hs[k - 1].T
        dh_next = Wh.T @ draw

    Wx -= lr * dWx
    Wh -= lr * dWh
    bh -= lr * dWx
    Wy -= lr * dWy
    by -= lr * dby

    if epoch % 100 == 0:
        print(f"{epoch:4d} {loss:.5f}")
