from math import exp
from random import seed, random

# A network is a list of layers, a layer a list of neurons, a neuron a dict.


def make_network(n_inputs, n_hidden, n_outputs):
    network = list()
    network.append([{'weights': [random() - 0.5 for i in range(n_inputs + 1)]} for i in range(n_hidden)])
    network.append([{'weights': [random() - 0.5 for i in range(n_hidden + 1)]} for i in range(n_outputs)])
    return network


def weighted_sum(weights, inputs):
    total = weights[-1]  # the bias
    for i in range(len(weights) - 1):
        total += weights[i] * inputs[i]
    return total


def squash(total):
    return 1.0 / (1.0 + exp(-total))


def slope(output):
    return output * (1.0 - output)


def run_forward(network, row):
    inputs = row
    for layer in network:
        new_inputs = []
        for neuron in layer:
            neuron['output'] = squash(weighted_sum(neuron['weights'], inputs))
            new_inputs.append(neuron['output'])
        inputs = new_inputs
    return inputs


def find_deltas(network, expected):
    for i in reversed(range(len(network))):
        layer = network[i]
        errors = list()
        if i != len(network) - 1:
            for j in range(len(layer)):
                error = 0.0
                for neuron in network[i + 1]:
                    error += neuron['weights'][j] * neuron['delta']
                errors.append(error)
        else:
            for j in range(len(layer)):
                errors.append(layer[j]['output'] - expected[j])
        for j in range(len(layer)):
            neuron = layer[j]
            neuron['delta'] = errors[j]


def correct_weights(network, row, rate):
    for i in range(len(network)):
        inputs = row
        if i != 0:
            inputs = [neuron['output'] for neuron in network[i - 1]]
        for neuron in network[i]:
            for j in range(len(inputs)):
                neuron['weights'][j] -= rate * neuron['delta'] * inputs[j]
            neuron['weights'][-1] -= rate * neuron['delta']


def learn(network, train, rate, epochs, n_outputs):
    for epoch in range(epochs):
        sq_error = 0
        for row, label in train:
            outputs = run_forward(network, row)
            expected = [0 for i in range(n_outputs)]
            expected[label] = 1
            sq_error += sum([(expected[i] - outputs[i]) ** 2 for i in range(len(expected))])
            find_deltas(network, expected)
            correct_weights(network, row, rate)
        if epoch % 40 == 0:
            print('epoch %d (rate %.1f): squared error %.3f' % (epoch, rate, sq_error))


seed(1)
dataset = [
    ([0.28, 0.24], 0), ([0.15, 0.22], 0), ([0.34, 0.45], 0), ([0.12, 0.19], 0), ([0.31, 0.29], 0),
    ([0.77, 0.26], 1), ([0.52, 0.21], 1), ([0.68, 0.18], 1), ([0.85, -0.03], 1), ([0.74, 0.36], 1),
]
network = make_network(2, 2, 2)
learn(network, dataset, 0.5, 200, 2)
