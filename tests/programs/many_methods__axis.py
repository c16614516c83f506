import numpy as np


class Trainer:

    def __init__(self, inputs, targets, hidden_units):
        self._rng = np.random.RandomState(91)
        self._inputs = inputs
        self._targets = targets
        self._first = self._rng.randn(inputs.shape[1], hidden_units) * 0.5
        self._first_bias = self._rng.randn(hidden_units) * 0.5
        self._second = self._rng.randn(hidden_units, targets.shape[1]) * 0.5
        self._second_bias = self._rng.randn(targets.shape[1]) * 0.5

    @staticmethod
    def _squash(values):
        return 1.0 / (1.0 + np.exp(-values))

    @staticmethod
    def _slope(squashed):
        return squashed * (1.0 - squashed)

    def _propagate(self):
        self._hidden = self._squash(self._inputs.dot(self._first) + self._first_bias)
        self._outputs = self._squash(self._hidden.dot(self._second) + self._second_bias)

    def _output_deltas(self):
        return (self._outputs - self._targets) * self._slope(self._outputs)

    def _hidden_deltas(self, output_deltas):
        return output_deltas.dot(self._second.T) * self._slope(self._hidden)

    def _error(self):
        return 0.5 * np.square(self._outputs - self._targets).sum()

    def _learn(self, rate):
        output_deltas = self._output_deltas()
        hidden_deltas = self._hidden_deltas(output_deltas)
        self._second -= rate * self._hidden.T.dot(output_deltas)
        self._second_bias -= rate * output_deltas.sum(axis=0)
        self._first -= rate * self._inputs.T.dot(hidden_deltas)
        self._first_bias -= rate * hidden_deltas.sum(axis=1)

    def run(self, rounds, rate):
        for number in range(rounds):
            self._propagate()
            error = self._error()
            if number % 100 == 0:
                print("round", number, "error", error)
            self._learn(rate)


inputs = np.array([[0.0, 0.2, 0.7], [0.9, 0.1, 0.3], [0.4, 0.8, 0.6], [1.0, 1.0, 0.1], [0.2, 0.5, 0.9]])
targets = np.array([[0.1, 0.8], [0.9, 0.3], [0.5, 0.5], [0.2, 0.9], [0.7, 0.4]])
Trainer(inputs, targets, 5).run(500, 0.6)
