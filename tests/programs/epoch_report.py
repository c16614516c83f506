# the loss is worked out after each epoch alone; within it the weights move after every sample
import math

samples = [(0.2, 0.9, 1.0), (0.8, 0.1, 0.0), (0.4, 0.7, 1.0), (0.9, 0.6, 0.0)]


class Unit:
    def __init__(self):
        self.a, self.b, self.c = 0.3, -0.2, 0.1
        self.out = 0.7

    def forward(self, x, y):
        return self.out * math.tanh(self.a * x + self.b * y + self.c)

    def learn(self, rate):
        for epoch in range(30):
            for x, y, target in samples:
                inner = math.tanh(self.a * x + self.b * y + self.c)
                off = 2 * (self.out * inner - target)
                back = off * self.out * (1 - inner**2)
                self.out -= rate * off * inner
                self.a -= rate * back * x
                self.b -= rate * back * y
                self.c -= rate * back
            loss = sum((self.forward(x, y) - t) ** 2 for x, y, t in samples) / len(samples)
            print(epoch, loss)


Unit().learn(0.1)
