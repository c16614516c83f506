import numpy as np

# predict a fish's weight (in kg) from length, height and width, all scaled to 0..1

def init_params(n_in, n_hidden, seed=11):
    r = np.random.RandomState(seed)
    return {
        'w_hidden': r.normal(0, 0.6, (n_in, n_hidden)),
        'b_hidden': np.full(n_hidden, 0.05),
        'w_out': r.normal(0, 0.6, (n_hidden, 1)),
        'b_out': np.array([0.2]),
    }

def relu(v): return np.maximum(v, 0)
def relu_prime(v): return (v > 0).astype(float)

def forward(params, x):
    pre = x @ params['w_hidden'] + params['b_hidden']
    hid = relu(pre)
    yhat = hid @ params['w_out'] + params['b_out']
    return yhat, (x, pre, hid)

def mse(yhat, y):
    return ((yhat - y) ** 2).mean()

def backward(params, cache, yhat, y):
    x, pre, hid = cache
    g = (yhat - y) / len(y)
    grads = {}
    grads['w_out'] = hid.T @ g
    grads['b_out'] = g.sum(0)
    g = (g @ params['w_out'].T) * relu_prime(pre)
    grads['w_hidden'] = x.T @ g
    grads['b_hidden'] = g.sum(0)
    return grads

def update(params, grads, lr):
    for k in params:
        params[k] -= lr * grads[k]

r = np.random.RandomState(5)
x = r.rand(20, 3)
y = (0.4 + 2 * x[:, 0] * x[:, 1] + 0.5 * x[:, 2] ** 2).reshape(-1, 1)

params = init_params(3, 6)
guess, cache = forward(params, x)
print('untrained', round(mse(guess, y), 5))
for it in range(600):
    yhat, cache = forward(params, x)
    loss = mse(yhat, y)
    grads = backward(params, cache, yhat, y)
    update(params, grads, lr=0.1)
    if it % 200 == 0:
        print(it, round(loss, 5))
print('final', round(mse(forward(params, x)[0], y), 5))
