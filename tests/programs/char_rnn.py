"""
Character-level recurrent network, plain numpy.
Learns a short rhyme by heart.
"""
import numpy as np

data = "hickory dickory dock the mouse ran up the clock "
chars = sorted(set(data))
data_size, vocab = len(data), len(chars)
print('%d letters, %d of them different' % (data_size, vocab))
index = {ch: i for i, ch in enumerate(chars)}

# settings
H = 12
seq_length = 8
learning_rate = 1e-1

# weights
np.random.seed(0)
Wxh = np.random.randn(H, vocab)*0.1  # input to hidden
Whh = np.random.randn(H, H)*0.1  # hidden to hidden
Why = np.random.randn(vocab, H)*0.1  # hidden to output
bh = np.zeros((H, 1))  # hidden bias
by = np.zeros((vocab, 1))  # output bias


def unroll(inputs, targets, h0):
    """
    inputs and targets are lists of numbers of letters,
    h0 is the hidden state to start from
    the loss, its gradients, and the hidden state at the end
    """
    xs, hs, ps = {}, {}, {}
    hs[-1] = np.copy(h0)
    loss = 0
    # forward pass
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocab, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t-1]) + bh)
        scores = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(scores) / np.sum(np.exp(scores))
        loss += -np.log(ps[t][targets[t], 0])
    # backward pass
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        ds = np.copy(ps[t])
        ds[targets[t]] -= 1
        dWhy += np.dot(ds, hs[t].T)
        dby += ds
        dh = np.dot(Why.T, ds) + dhnext
        dpre = (1 - hs[t] * hs[t]) * dh
        dbh += dpre
        dWxh += np.dot(dpre, xs[t].T)
        dWhh += np.dot(dpre, hs[t-1].T)
        dhnext = np.dot(Whh.T, dpre)
    return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs)-1]


n, p = 0, 0
mWxh, mWhh, mWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
mbh, mby = np.zeros_like(bh), np.zeros_like(by)  # memory for Adagrad
smooth = -np.log(1.0/vocab)*seq_length
while n <= 200:
    # walk through the text, seq_length letters at a time
    if p+seq_length+1 >= data_size or n == 0:
        hprev = np.zeros((H, 1))
        p = 0
    inputs = [index[ch] for ch in data[p:p+seq_length]]
    targets = [index[ch] for ch in data[p+1:p+seq_length+1]]

    loss, dWxh, dWhh, dWhy, dbh, dby, hprev = unroll(inputs, targets, hprev)
    smooth = smooth * 0.95 + loss * 0.05
    if n % 50 == 0:
        print('%d steps, smoothed loss %f' % (n, smooth))

    for param, dparam, mem in zip([Wxh, Whh, Why, bh, by],
                                  [dWxh, dWhh, dWhy, dbh, dby],
                                  [mWxh, mWhh, mWhy, mbh, mby]):
        np.clip(dparam, -5, 5, out=dparam)  # exploding gradients
        mem += dparam * dparam
        param += -learning_rate * dparam / np.sqrt(mem + 1e-8)  # adagrad update

    p += seq_length
    n += 1
