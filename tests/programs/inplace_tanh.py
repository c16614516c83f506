import numpy as np

r = np.random.default_rng(19)
X = r.normal(size=(16, 3))
Y = np.sin(X[:, :1] * 2) + 0.25 * X[:, 1:2]

W = r.normal(size=(3, 7)) * 0.6
b = r.normal(size=7) * 0.1
V = r.normal(size=(7, 1)) * 0.6
c = np.zeros(1)

# buffers, allocated once
H = np.zeros((16, 7))
P = np.zeros((16, 1))
E = np.zeros_like(P)
dH = np.zeros_like(H)
gW = np.zeros_like(W); gV = np.zeros_like(V)
lr = 0.02

for t in range(1, 401):
    np.dot(X, W, out=H)
    H += b
    np.tanh(H, out=H)
    np.dot(H, V, out=P)
    P += c
    np.subtract(P, Y, out=E)
    loss = float(np.sum(E * E)) / 2

    np.dot(H.T, E, out=gV)
    gc = E.sum(axis=0)
    np.dot(E, V.T, out=dH)
    dH *= 1 - H * H
    np.dot(X.T, dH, out=gW)
    gb = dH.sum(axis=0)

    np.subtract(W, lr * gW, out=W)
    np.subtract(b, lr * gb, out=b)
    np.subtract(V, lr * gV, out=V)
    np.subtract(c, lr * gc, out=c)
    if t % 100 == 0:
        print(t, loss)
