import numpy as np


class Filters:
    """3x3 filters, without padding."""

    def __init__(self, count):
        self.count = count
        self.filters = np.random.randn(count, 3, 3) / 3

    def forward(self, image):
        self.x = image
        h, w = image.shape
        output = np.zeros((h - 2, w - 2, self.count))
        for i in range(h - 2):
            for j in range(w - 2):
                patch = image[i:i + 3, j:j + 3]
                output[i, j] = np.sum(patch * self.filters, axis=(1, 2))
        return output

    def backprop(self, d_out, lr):
        d_filters = np.zeros(self.filters.shape)
        h, w = self.x.shape
        for i in range(h - 2):
            for j in range(w - 2):
                patch = self.x[i:i + 3, j:j + 3]
                for f in range(self.count):
                    d_filters[f] += d_out[i, j, f] * patch
        self.filters -= lr * d_filters


class Output:
    """Every pixel of every feature map to every class, then a softmax."""

    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, x):
        self.shape = x.shape
        x = x.flatten()
        self.x = x
        logits = np.dot(x, self.weights) + self.biases
        exp = np.exp(logits - np.max(logits))
        self.probs = exp / np.sum(exp)
        return self.probs

    def backprop(self, label, lr):
        d_t = self.probs.copy()
        d_t[label] -= 1
        d_w = self.x[:, np.newaxis] @ d_t[np.newaxis]
        self.weights -= lr * d_w
        d_inputs = self.weights @ d_t
        self.biases -= lr * d_t
        return d_inputs.reshape(self.shape)


np.random.seed(14)
# 5x5 pictures of a horizontal bar (0), a vertical bar (1) or a diagonal (2)
images, labels = [], []
for k in range(9):
    im = 0.1 * np.random.rand(5, 5)
    if k % 3 == 0:
        im[np.random.randint(5), :] = 1
    elif k % 3 == 1:
        im[:, np.random.randint(5)] = 1
    else:
        im[range(5), range(5)] = 1
    images.append(im)
    labels.append(k % 3)

conv = Filters(2)
softmax = Output(3 * 3 * 2, 3)

for epoch in range(15):
    loss = 0
    right = 0
    for im, label in zip(images, labels):
        out = softmax.forward(conv.forward(im))
        loss += -np.log(out[label])
        right += 1 if np.argmax(out) == label else 0
        gradient = softmax.backprop(label, 0.1)
        conv.backprop(gradient, 0.1)
    if epoch % 5 == 4:
        print('epoch %d: mean loss %.3f, %d of 9 right' % (epoch + 1, loss / 9, right))
