import numpy as np

class LogisticRegression:

    def __init__(self, learning_rate=0.1, n_iters=200):
        self.lr = learning_rate
        self.n_iters = n_iters
        self.weights = None
        self.bias = None

    def fit(self, X, y):
        n_samples, n_features = X.shape
        # init parameters
        self.weights = np.zeros(n_features)
        self.bias = 0

        # gradient descent
        for i in range(self.n_iters):
            linear_model = np.dot(X, self.weights) + self.bias
            y_predicted = self._sigmoid(linear_model)
            cost = -np.mean(y * np.log(y_predicted) + (1 - y) * np.log(1 - y_predicted))

            dw = (1 / n_samples) * np.dot(X.T, (y_predicted - y))
            db = (1 / n_samples) * np.sum(y_predicted - y)

            self.weights -= self.lr * dw
            self.bias -= self.lr * db
            if i % 50 == 0:
                print("cost:", cost)

    def predict(self, X):
        return [1 if p > 0.5 else 0 for p in self._sigmoid(np.dot(X, self.weights) + self.bias)]

    def _sigmoid(self, x):
        return 1 / (1 + np.exp(-x))


rng = np.random.RandomState(0)
X = rng.randn(40, 3) + np.array([0.5, 0, -0.5])
y = (X[:, 0] - 2 * X[:, 1] + 0.5 * rng.randn(40) > 0).astype(int)
clf = LogisticRegression(learning_rate=0.2)
clf.fit(X, y)
print("accuracy:", np.mean(np.array(clf.predict(X)) == y))
