import numpy as np

np.random.seed(1234)

n_samples = 64
batch_size = 16
n_epochs = 80
alpha = 0.1

X_train = np.random.randn(n_samples, 3)
y_train = np.tanh(X_train @ np.array([[1.0], [-2.0], [0.5]])) + 0.3

theta1 = np.random.randn(3, 5) * 0.5
bias1 = np.zeros((1, 5))
theta2 = np.random.randn(5, 1) * 0.5
bias2 = np.zeros((1, 1))

for epoch in range(n_epochs):
    # shuffle at the beginning of every epoch
    perm = np.random.permutation(n_samples)
    X_shuffled = X_train[perm]
    y_shuffled = y_train[perm]
    epoch_loss = 0

    for i in range(0, n_samples, batch_size):
        xb = X_shuffled[i:i+batch_size]
        yb = y_shuffled[i:i+batch_size]
        m = xb.shape[0]

        # forward
        z1 = np.dot(xb, theta1) + bias1
        h1 = 1 / (1 + np.exp(-z1))
        y_pred = np.dot(h1, theta2) + bias2
        batch_loss = np.mean((y_pred[0] - yb[0])**2)
        epoch_loss += batch_loss

        # backward
        grad_y = 2*(y_pred - yb)/m
        grad_theta2 = np.dot(h1.T, grad_y)
        grad_bias2 = np.sum(grad_y, axis=0, keepdims=True)
        grad_h1 = np.dot(grad_y, theta2.T)
        grad_z1 = grad_h1 * h1 * (1 - h1)
        grad_theta1 = np.dot(xb.T, grad_z1)
        grad_bias1 = np.sum(grad_z1, axis=0, keepdims=True)

        theta1 = theta1 - alpha*grad_theta1
        bias1 = bias1 - alpha*grad_bias1
        theta2 = theta2 - alpha*grad_theta2
        bias2 = bias2 - alpha*grad_bias2

    if epoch % 20 == 0:
        print('Epoch {}: {:.5f}'.format(epoch, epoch_loss/(n_samples//batch_size)))
