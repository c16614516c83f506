# two layers on a handful of points; nothing but the answers is looked at
import numpy as np

np.random.seed(12)
inputs = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1], [0.5, 0.5, 1]])
wanted = np.array([[0, 1, 1, 0, 1]]).T

w_in = np.random.uniform(-1, 1, (3, 5))
w_out = np.random.uniform(-1, 1, (5, 1))

for n in range(4000):
    hidden = 1 / (1 + np.exp(-inputs @ w_in))
    answer = 1 / (1 + np.exp(-hidden @ w_out))
    off = wanted - answer
    delta_out = off * answer * (1 - answer)
    delta_in = delta_out @ w_out.T * hidden * (1 - hidden)
    w_out += hidden.T @ delta_out
    w_in += inputs.T @ delta_in
print(answer.ravel())
