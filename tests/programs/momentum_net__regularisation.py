import numpy as np
np.random.seed(8)

def tansig(x): return np.tanh(x)
def dtansig(x): return 1 - np.tanh(x)**2

x = np.linspace(-2, 2, 15).reshape(-1, 1)
y = x**3/4 - x/2 + 0.2

W1 = np.random.randn(1, 6)*0.8
b1 = np.random.randn(1, 6)*0.5
W2 = np.random.randn(6, 1)*0.5
b2 = np.zeros((1, 1))

vW1 = np.zeros_like(W1)
vb1 = np.zeros_like(b1)
vW2 = np.zeros_like(W2)
vb2 = np.zeros_like(b2)

mu = 0.9       # momentum
lr = 0.01
wd = 1e-3      # weight decay

for epoch in range(500):
    s1 = x @ W1 + b1
    h = tansig(s1)
    yp = h @ W2 + b2
    e = yp - y
    mse = np.mean(e**2) + wd/2*(np.sum(W1**2) + np.sum(W2**2))

    gy = 2*e/len(x)
    gW2 = h.T @ gy + wd*W2
    gb2 = np.sum(gy, axis=0, keepdims=True)
    gs1 = gy @ W2.T * dtansig(s1)
    gW1 = x.T @ gs1
    gb1 = np.sum(gs1, axis=0, keepdims=True)

    vW1 = mu*vW1 - lr*gW1
    vb1 = mu*vb1 - lr*gb1
    vW2 = mu*vW2 - lr*gW2
    vb2 = mu*vb2 - lr*gb2
    W1 += vW1
    b1 += vb1
    W2 += vW2
    b2 += vb2

    if epoch % 100 == 0:
        print("epoch", epoch, "mse", mse)
