# no NumPy: exp comes by its own name, and the network is a list of lists of weights
from math import exp
from random import Random

draw, rate = Random(3), 0.5
rows = [([0.0, 0.2], 0), ([0.9, 0.1], 1), ([0.2, 0.8], 1), ([1.0, 0.9], 0)]
hidden = [[draw.uniform(-1, 1) for _ in range(3)] for _ in range(3)]
final = [draw.uniform(-1, 1) for _ in range(4)]


def squash(total):
    return 1 / (1 + exp(-total))


def neuron(weights, inputs):
    total = weights[-1]
    for weight, value in zip(weights, inputs):
        total += weight * value
    return squash(total)


for epoch in range(60):
    error = 0
    for inputs, wanted in rows:
        middle = [neuron(weights, inputs) for weights in hidden]
        output = neuron(final, middle)
        error += (output - wanted) ** 2
        delta = 2 * (output - wanted) * output * (1 - output)
        deltas = [delta * w * m * (1 - m) for w, m in zip(final, middle)]
        for j, value in enumerate(middle):
            final[j] -= rate * delta * value
        final[-1] -= rate * delta
        for weights, d in zip(hidden, deltas):
            for i, value in enumerate(inputs):
                weights[i] -= rate * d * value
            weights[-1] -= rate * d
    if epoch % 20 == 0:
        print(epoch, error)
