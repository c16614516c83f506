# plant growth per day of light: one straight line through the measurements
import numpy as np

light = np.array([2.0, 3.5, 4.0, 5.5, 7.0, 8.0])
growth = np.array([1.1, 1.9, 2.3, 2.9, 3.8, 4.2])


class Line:
    def __init__(self, rate, rounds):
        self.rate, self.rounds = rate, rounds
        self.slope, self.offset = np.zeros(1), 0

    def fit(self, x, y):
        count = len(x)
        for step in range(self.rounds):
            guess = self.slope * x + self.offset
            cost = np.sum((guess - y) ** 2) / count
            slope_grad = np.array([2 * np.dot(x, guess - y) / count])
            offset_grad = 2 * np.sum(guess - y) / count
            self.slope = self.slope - self.rate * slope_grad
            self.offset = self.offset - self.rate * offset_grad
            if step % 50 == 0:
                print(step, cost)


line = Line(0.01, 300)
line.fit(light, growth)
print(line.slope, line.offset)
