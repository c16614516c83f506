# 3-class classification of 2D points with one hidden layer.
import numpy as np

np.random.seed(0)
N = 15 # points per class
K = 3
data = np.concatenate([np.random.randn(N, 2)*0.7 + c for c in [(0,0),(2,1),(-1,2)]])
labels = np.repeat(np.arange(K), N)
n = len(data)

lam = 0.01
rate = 0.5  # step size

W1 = np.random.randn(2, 5) / np.sqrt(2)
b1 = np.zeros((1, 5)) + 0.01
W2 = np.random.randn(5, K) / np.sqrt(5)
b2 = np.zeros((1, K))

for i in range(300):

    # Forward propagation
    z1 = data.dot(W1) + b1
    a1 = np.tanh(z1)
    scores = a1.dot(W2) + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = e / np.sum(e, axis=1, keepdims=True)

    # loss: cross entropy plus regularization
    nll = -np.log(probs[range(n), labels])
    data_loss = np.sum(nll) / n
    reg_loss = 0.5*lam*np.sum(W1*W1) + 0.5*lam*np.sum(W2*W2)
    loss = data_loss + reg_loss
    if i % 50 == 0:
        print("%4d   %.5f" % (i, loss))

    # Backpropagation
    dscores = probs
    dscores[range(n), labels] -= 1
    dscores /= n
    dW2 = np.dot(a1.T, dscores)
    db2 = np.sum(dscores, axis=0, keepdims=True)
    dhidden = np.dot(dscores, W2.T)
    dhidden = dhidden * (1 - np.power(a1, 2))
    dW1 = np.dot(data.T, dhidden)
    db1 = np.sum(dhidden, axis=0, keepdims=True)

    # regularization terms
    dW2 += lam * W2

    # parameter update
    W1 += -rate * dW1
    b1 += -rate * db1
    W2 += -rate * dW2
    b2 += -rate * db2

pred = np.argmax(np.tanh(data.dot(W1) + b1).dot(W2) + b2, axis=1)
print("training accuracy: %.2f" % np.mean(pred == labels))
