# the caller's w and b are other ones than those of the function that trains
import numpy as np


def descend(w, b, X, Y, rounds, rate):
    every = 25.0
    for i in range(rounds):
        A = 1 / (1 + np.exp(-(w.T @ X + b)))
        cost = -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))
        dw = X @ (A - Y).T / X.shape[1]
        db = np.mean(A - Y)
        w = w - rate * dw
        b = b - rate * db
        if i % every == 0:
            print(i, cost)
    return w, b


def main():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(3, 40))
    Y = (X[:1] > 0.2 * X[1:2]).astype(float)
    w, b = np.zeros((3, 1)), 0
    trained = descend(w, b, X, Y, 100, 0.3)
    print(trained)


main()
