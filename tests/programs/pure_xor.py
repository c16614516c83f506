# XOR without numpy. Only math and random.
import math
import random

random.seed(2)

def sigmoid(x):
    return 1 / (1 + math.exp(-x))

def dsigmoid(y):
    # y is already sigmoid(x)
    return y * (1 - y)

data = [([0, 0], 0), ([0, 1], 1), ([1, 0], 1), ([1, 1], 0)]
n_hidden = 3

w_ih = [[random.uniform(-1, 1) for j in range(n_hidden)] for i in range(2)]
b_h = [random.uniform(-1, 1) for j in range(n_hidden)]
w_ho = [random.uniform(-1, 1) for j in range(n_hidden)]
b_o = random.uniform(-1, 1)
lr = 0.5

for epoch in range(3000):
    total_error = 0
    for x, target in data:
        # feed forward
        hidden = []
        for j in range(n_hidden):
            s = b_h[j]
            for i in range(2):
                s += x[i] * w_ih[i][j]
            hidden.append(sigmoid(s))
        s = b_o
        for j in range(n_hidden):
            s += hidden[j] * w_ho[j]
        output = sigmoid(s)

        error = target - output
        total_error += 0.5 * error ** 2

        # backpropagation
        delta_o = error * dsigmoid(output)
        delta_h = []
        for j in range(n_hidden):
            delta_h.append(delta_o * w_ho[j] * dsigmoid(hidden[j]))

        for j in range(n_hidden):
            w_ho[j] += lr * delta_o * hidden[j]
        b_o += lr * delta_o
        for j in range(n_hidden):
            for i in range(2):
                w_ih[i][j] += lr * delta_h[j] * x[i]
            b_h[j] += lr * delta_h[j]
    if epoch % 1000 == 0:
        print("epoch", epoch, "error", total_error)

print("final error", total_error)
