import numpy as np

# logistic regression, stop as soon as the loss does not change any more
np.random.seed(30)
hours = np.random.uniform(0, 10, 25)
coffee = np.random.randint(0, 4, 25)
passed = (hours + 0.5 * coffee + np.random.randn(25) > 5.5) * 1.0
X = np.c_[np.ones(25), hours / 10, coffee / 4]

beta = np.zeros(3)
step_size = 2.0
tolerance = 1e-5
previous = np.inf
iteration = 0

while True:
    p = 1 / (1 + np.exp(-X @ beta))
    nll = -np.sum(passed * np.log(p) + (1 - passed) * np.log(1 - p)) / 25
    if abs(previous - nll) > tolerance:
        break
    previous = nll
    score = X.T @ (p - passed) / 25
    beta = beta - step_size * score
    iteration += 1
    if iteration % 100 == 0:
        print("iteration", iteration, "nll", nll)

print("converged after", iteration, "iterations:", beta)
