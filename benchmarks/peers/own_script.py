"""The notebook's training of XOR as a script with chainrule."""

import numpy as np

from chainrule import Network, train

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = np.array([[0], [1], [1], [0]])
network = Network([2, 2, 1], "sigmoid", "sigmoid", "squared_error_sum", "standard_normal")
run = train(
    network,
    X,
    y,
    parameters=network.initialize(42, generator="legacy"),
    optimizer="gradient_descent",
    learning_rate=0.1,
    epochs=10_000,
    report="squared_error",
)
for epoch in range(0, 10_000, 1000):
    print(f"Epoch {epoch}, loss {run.history['loss'][epoch]:.4f}")

print("weights", *np.concatenate([each.ravel() for each in run.parameters.values()]))
