# A single neuron that decides whether a mail is spam, learning after every mail.
import numpy as np

rng = np.random.RandomState(33)
# columns: exclamation marks, links, known sender, length
mails = rng.rand(30, 4)
spam = (1.5 * mails[:, 0] + 2 * mails[:, 1] - 2.5 * mails[:, 2] + 0.1 * rng.randn(30) > 0.4).astype(int)

weights = rng.randn(4) * 0.1
bias = 0.0
rate = 0.5

for epoch in range(30):
    loss = 0.0
    mistakes = 0
    for i in rng.permutation(30):
        features, label = mails[i], spam[i]
        activation = np.dot(weights, features) + bias
        p = 1.0 / (1.0 + np.exp(-activation))
        loss += -np.log(p) if label == 1 else -np.log(1.0 - p)
        mistakes += int((p > 0.5) != label)
        gradient = p - label
        weights = weights - rate * gradient * features
        bias = bias - rate * gradient
    if epoch % 5 == 0:
        print("epoch %2d: loss %.3f, %d mistakes" % (epoch, loss / 30, mistakes))

print("weights:", np.round(weights, 2), "bias:", round(bias, 2))
