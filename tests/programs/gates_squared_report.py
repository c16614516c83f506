import numpy as np

# learns the AND, OR and NAND gates at once
x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
t = np.array([[0, 0, 1], [0, 1, 1], [0, 1, 1], [1, 1, 0]], dtype=float)

np.random.seed(41)
Wa = np.random.normal(0, 1, (2, 4))
ba = np.random.normal(0, 1, 4)
Wb = np.random.normal(0, 1, (4, 3))
bb = np.random.normal(0, 1, 3)

def sigm(v):
    return 1.0 / (1.0 + np.exp(-v))

for step in range(500):
    a = sigm(x @ Wa + ba)
    o = sigm(a @ Wb + bb)
    mse = np.mean((o - t) ** 2)

    do = o - t                          # sigmoid + cross entropy
    da = (do @ Wb.T) * a * (1 - a)
    gWb = a.T @ do
    gbb = do.sum(axis=0)
    gWa = x.T @ da
    gba = da.sum(axis=0)

    Wb -= 0.1 * gWb
    bb -= 0.1 * gbb
    Wa -= 0.1 * gWa
    ba -= 0.1 * gba

    if step % 100 == 0:
        print("mse: %.5f" % mse)
print(np.round(o))
