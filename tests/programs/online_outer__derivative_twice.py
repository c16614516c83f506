import numpy as np
np.random.seed(21)

# one sample at a time, so everything is a plain vector
inputs  = np.array([[.1, .9, .4], [.8, .2, .7], [.5, .5, .1], [.9, .7, .3], [.2, .1, .8]])
targets = np.array([[.2, .9], [.7, .1], [.6, .4], [.9, .9], [.1, .3]])

wih = np.random.normal(0, .7, (4, 3))
bh  = np.random.normal(0, .2, 4)
who = np.random.normal(0, .7, (2, 4))
bo  = np.random.normal(0, .2, 2)
lr  = .8

sig = lambda u: 1/(1 + np.exp(-u))

for epoch in range(200):
    total = 0
    for x, t in zip(inputs, targets):
        h = sig(wih @ x + bh)
        o = sig(who @ h + bo)
        e = o - t
        total += .5 * np.sum(e**2)

        do = e * o * (1 - o)
        dh = (who.T @ do) * h * (1 - h)

        who -= lr * np.outer(do, h)
        bo  -= lr * do
        wih -= lr * np.outer(dh * h * (1 - h), x)
        bh  -= lr * dh
    if epoch % 50 == 0:
        print(epoch, total)
print("last", total)
