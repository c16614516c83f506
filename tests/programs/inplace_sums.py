# gradient descent, everything in place; the error is Y - prediction, so the steps are ADDED
import numpy as np
np.random.seed(55)
S = np.random.rand(10, 2)*2 - 1
Y = np.where(S[:,0]*S[:,1] > 0, 0.9, 0.1)[:,None]
A = np.random.randn(2, 4); a = np.random.randn(4)*.3
B = np.random.randn(4, 1); b = np.random.randn(1)*.3
rate = 0.4
for i in range(1000):
    U = 1/(1+np.exp(-(S@A+a)))
    V = 1/(1+np.exp(-(U@B+b)))
    err = Y - V
    loss = 0.5*(err*err).sum()
    dV = err*V*(1-V)
    dU = dV@B.T
    dU *= U
    dU *= 1-U
    np.add(B, rate*(U.T@dV), out=B)
    np.add(b, rate*dV.sum(axis=0), out=b)
    np.add(A, rate*(S.T@dU), out=A)
    np.add(a, rate*dU.sum(axis=0), out=a)
    if not i % 250: print('loss =', loss)
print('loss =', loss)
