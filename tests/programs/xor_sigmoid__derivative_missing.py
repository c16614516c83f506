import numpy as np

# XOR with a 2-2-1 network
def sigmoid(x):
    return 1/(1+np.exp(-x))

X = np.array([[0,0],[0,1],[1,0],[1,1]])
y = np.array([[0],[1],[1],[0]])

np.random.seed(7)
w1 = np.random.uniform(-1,1,(2,2))
b1 = np.random.uniform(-1,1,(1,2))
w2 = np.random.uniform(-1,1,(2,1))
b2 = np.random.uniform(-1,1,(1,1))
lr = 0.5

for epoch in range(4000):
    # forward
    h = sigmoid(X.dot(w1)+b1)
    out = sigmoid(h.dot(w2)+b2)

    error = y-out
    loss = np.mean(error**2)
    if epoch % 1000 == 0:
        print("epoch", epoch, "loss", loss)

    # backward
    d_out = error*out*(1-out)
    d_h = d_out.dot(w2.T)

    # update
    w2 += lr*h.T.dot(d_out)
    b2 += lr*np.sum(d_out,axis=0,keepdims=True)
    w1 += lr*X.T.dot(d_h)
    b1 += lr*np.sum(d_h,axis=0,keepdims=True)

print(out.round(3))
