import numpy as np
import pandas as pd

df = pd.DataFrame({
    "horsepower": [130, 165, 150, 95, 97, 85, 88, 46, 87, 90, 113, 200],
    "weight": [3504, 3693, 3436, 2372, 2833, 2774, 2587, 1835, 2672, 2430, 2234, 4376],
    "mpg": [18, 15, 18, 24, 18, 22, 21, 26, 25, 24, 26, 10],
})

features = df[["horsepower", "weight"]]
features = (features - features.mean()) / features.std()
X = features.to_numpy()
y = df["mpg"].values.reshape(-1, 1) / 10

rng = np.random.default_rng(6)
W1 = rng.normal(size=(2, 3))
b1 = np.zeros((1, 3)) + 0.1
W2 = rng.normal(size=(3, 1))
b2 = np.zeros((1, 1)) + 0.1

rows = []
for epoch in range(200):
    hidden = np.tanh(X @ W1 + b1)
    pred = hidden @ W2 + b2
    mse = ((pred - y) ** 2).mean()

    d_pred = 2 * (pred - y) / len(y)
    d_W2 = hidden.T @ d_pred
    d_b2 = d_pred.sum(axis=0, keepdims=True)
    d_hidden = d_pred @ W2.T
    d_z1 = d_hidden * (1 - hidden ** 2)
    d_W1 = X.T @ d_z1
    d_b1 = d_z1.sum(axis=0, keepdims=True)

    W1 -= 0.1 * d_W1
    b1 -= 0.1 * d_b1
    W2 -= 0.1 * d_W2
    b2 -= 0.1 * d_b2
    rows.append({"epoch": epoch, "mse": mse})

history = pd.DataFrame(rows)
print(history.iloc[::50])
