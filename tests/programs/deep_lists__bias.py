from numpy import *

random.seed(4)
sizes = [2, 5, 4, 1]
L = len(sizes) - 1
W = []
B = []
for l in range(L):
    W.append(random.randn(sizes[l], sizes[l+1]) * 0.8)
    B.append(random.randn(1, sizes[l+1]) * 0.1)

def f(x): return 1.0 / (1.0 + exp(-x))
# derivative of the sigmoid, given its VALUE
def df(a): return a * (1.0 - a)

# noisy circle problem
X = random.uniform(-1, 1, (24, 2))
t = ((X**2).sum(1) < 0.6).astype(float).reshape(-1, 1)

eta = 1.0
for n in range(800):
    # forward, keep every activation
    a = [X]
    for l in range(L):
        a.append(f(dot(a[-1], W[l]) + B[l]))
    err = 0.5 * mean((a[-1] - t)**2)

    # backward
    delta = (a[-1] - t) / len(X) * df(a[-1])
    gW = [None] * L
    gB = [None] * L
    for l in reversed(range(L)):
        gW[l] = dot(a[l].T, delta)
        gB[l] = delta.sum()
        if l > 0:
            delta = dot(delta, W[l].T) * df(a[l])

    for l in range(L):
        W[l] -= eta * gW[l]
        B[l] -= eta * gB[l]

    if n % 200 == 0: print(n, err)
print("done", err)
