import numpy as np

# Fuel price and distance -> how many people take the train
class NeuralNetwork(object):
    def __init__(self, nIn=2, nHidden=3, nOut=1):
        self.nIn = nIn
        self.nHidden = nHidden
        self.nOut = nOut
        self.W1 = np.random.randn(self.nIn, self.nHidden) # from inputs to hidden
        self.W2 = np.random.randn(self.nHidden, self.nOut) # from hidden to output

    def sigmoid(self, s, deriv=False):
        if deriv == True:
            return s * (1 - s) # s has been through the sigmoid already
        return 1/(1 + np.exp(-s))

    def think(self, X):
        self.z1 = np.dot(X, self.W1)
        self.a1 = self.sigmoid(self.z1)
        self.z2 = np.dot(self.a1, self.W2)
        return self.sigmoid(self.z2)

    def learn(self, X, y, o):
        # first the deltas ...
        self.oError = y - o
        self.oDelta = self.oError * self.sigmoid(o, deriv=True)
        self.a1Error = self.oDelta.dot(self.W2.T)
        self.a1Delta = self.a1Error * self.sigmoid(self.a1, deriv=True)
        # ... then the weights
        self.W1 += X.T.dot(self.a1Delta)
        self.W2 += self.a1.T.dot(self.oDelta)

    def train(self, X, y):
        o = self.think(X)
        self.learn(X, y, o)

np.random.seed(42)
X = np.array(([1.4, 12], [1.9, 30], [1.6, 5], [1.2, 44]), dtype=float)
y = np.array(([310], [620], [180], [450]), dtype=float)
X = X/np.amax(X, axis=0)
y = y/1000

net = NeuralNetwork()
for i in range(1000):
    loss = np.mean(np.square(y - net.think(X)))
    if i % 200 == 0:
        print("Loss: " + str(loss))
    net.train(X, y)

print("Output after training: \n" + str(net.think(X)))
