import numpy as np

# 1D convolution done by hand: find out whether a signal has a bump
np.random.seed(9)
LENGTH, WIDTH = 10, 3
signals, answers = [], []
for s in range(8):
    x = 0.2*np.random.randn(LENGTH)
    if s % 2 == 0:
        where = np.random.randint(1, LENGTH - 2)
        x[where-1:where+2] += [0.5, 1.0, 0.5]
    signals.append(x)
    answers.append(1.0 if s % 2 == 0 else 0.0)

kernel = np.random.randn(WIDTH)*0.5
kbias = 0.1
v = np.random.randn(LENGTH - WIDTH + 1)*0.5
vbias = 0.0
lr = 0.2

def logistic(x): return 1/(1+np.exp(-x))

for epoch in range(60):
    cost = 0
    for x, t in zip(signals, answers):
        # convolution
        conv = np.zeros(LENGTH - WIDTH + 1)
        for i in range(len(conv)):
            conv[i] = np.sum(x[i:i+WIDTH]*kernel) + kbias
        feat = np.tanh(conv)
        out = logistic(np.dot(v, feat) + vbias)
        cost += 0.5*(out - t)**2

        # gradients
        d_out = (out - t)*out*(1 - out)
        d_v = d_out*feat
        d_vbias = d_out
        d_conv = d_out*v*(1 - feat**2)
        d_kernel = np.zeros(WIDTH)
        d_kbias = 0.0
        for i in range(len(conv)):
            d_kernel += d_conv[i]*x[i:i+WIDTH]
            d_kbias += d_conv[i]

        v -= lr*d_v
        vbias -= lr*d_vbias
        kernel -= lr*d_kernel
        kbias -= lr*d_kbias
    if epoch % 20 == 0:
        print('epoch', epoch, 'cost', cost)
print('kernel', kernel.round(2))
