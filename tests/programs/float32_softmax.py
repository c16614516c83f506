import numpy as np

class SoftmaxClassifier:
    def __init__(self, D, H, C):
        rs = np.random.RandomState(71)
        self.params = {}
        self.params['W1'] = (0.5 * rs.randn(D, H)).astype('float32')
        self.params['b1'] = np.zeros(H, 'float32')
        self.params['W2'] = (0.5 * rs.randn(H, C)).astype('float32')
        self.params['b2'] = np.zeros(C, 'float32')

    def loss(self, X, y, reg):
        W1, b1 = self.params['W1'], self.params['b1']
        W2, b2 = self.params['W2'], self.params['b2']
        N = X.shape[0]

        hidden = np.maximum(0, X.dot(W1) + b1)
        scores = hidden.dot(W2) + b2
        scores -= scores.max(axis=1, keepdims=True)
        p = np.exp(scores)
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(N), y]).sum() / N
        loss += reg * (np.sum(W1 * W1) + np.sum(W2 * W2))

        grads = {}
        dscores = p
        dscores[np.arange(N), y] -= 1
        dscores /= N
        grads['W2'] = hidden.T.dot(dscores) + 2 * reg * W2
        grads['b2'] = dscores.sum(axis=0)
        dhidden = dscores.dot(W2.T)
        dhidden[hidden <= 0] = 0
        grads['W1'] = X.T.dot(dhidden) + 2 * reg * W1
        grads['b1'] = dhidden.sum(axis=0)
        return loss, grads

    def train(self, X, y, learning_rate=0.5, reg=1e-3, num_iters=120):
        for it in range(num_iters):
            loss, grads = self.loss(X, y, reg)
            for name in self.params:
                self.params[name] -= np.float32(learning_rate) * grads[name]
            if it % 30 == 0:
                print('iteration %d / %d: loss %f' % (it, num_iters, loss))

rs = np.random.RandomState(72)
y = rs.randint(0, 3, 36)
X = (rs.randn(36, 2) + np.array([[0, 2], [2, 0], [-2, -1]])[y]).astype('float32')
SoftmaxClassifier(2, 8, 3).train(X, y)
