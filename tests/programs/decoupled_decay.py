import numpy as np

gen = np.random.RandomState(12)
inputs = gen.randn(48, 3)
labels = (inputs @ np.array([1.5, -2.0, 0.5]) > 0.2).astype(float)
weights = gen.randn(3) * 0.1
offset = 0.0
lr, decay = 0.2, 0.02
for epoch in range(40):
    prob = 1 / (1 + np.exp(-(inputs @ weights + offset)))
    loss = -np.mean(labels * np.log(prob) + (1 - labels) * np.log(1 - prob))
    weights *= 1 - lr * decay
    weights -= lr * inputs.T @ (prob - labels) / len(labels)
    offset -= lr * np.mean(prob - labels)
    if epoch % 10 == 0:
        print(epoch, loss)
