import numpy as np
np.random.seed(3)
X=np.matrix([[0.,0.,1.],[0.,1.,1.],[1.,0.,1.],[1.,1.,1.],[0.5,0.2,1.]])
Y=np.matrix([[0.],[1.],[1.],[0.],[0.7]])
# last column of X is the bias
W1=np.matrix(np.random.uniform(-1,1,(3,3)))
W2=np.matrix(np.random.uniform(-1,1,(3,1)))
def g(z):
    return 1/(1+np.exp(-z))
def gprime(z):
    return np.multiply(g(z),1-g(z))
alpha=0.7
m=5
for it in range(1500):
    Z1=X*W1
    A1=g(Z1)
    Z2=A1*W2
    A2=g(Z2)
    J=np.sum(np.power(A2-Y,2))/(2*m)
    D2=np.multiply(A2-Y,gprime(Z2))/m
    D1=np.multiply(D2*W2.T,gprime(A1))
    W2=W2-alpha*A1.T*D2
    W1=W1-alpha*X.T*D1
    if it%500==0:
        print('J=',J)
print(A2.T)
