'''Autoencoder 6 -> 2 -> 6 with sigmoid units'''
import numpy as np
np.random.seed(16)

def sigmoid(t):   return 1./(1.+np.exp(-t))
def sigmoid_derivative(t):   # t: before the sigmoid!
    return sigmoid(t)*(1.-sigmoid(t))

# patterns near two prototypes
base = np.array([[.9,.8,.1,.1,.7,.2],[.1,.3,.9,.8,.2,.6]])
data = np.clip(np.repeat(base, 5, axis=0) + .08*np.random.randn(10,6), 0, 1)

We = np.random.randn(6,2)*.5;   be = np.random.randn(2)*.1
Wd = np.random.randn(2,6)*.5;   bd = np.random.randn(6)*.1
eta = 1.0

for k in range(600):
    # encode / decode
    z_code = data @ We + be
    code = sigmoid(z_code)
    z_out = code @ Wd + bd
    out = sigmoid(z_out)
    recon = np.sum((out-data)**2)/(2*len(data))

    # gradients
    delta_out = (out-data)/len(data)*sigmoid_derivative(z_out)
    delta_code = delta_out @ Wd.T * sigmoid_derivative(code)
    grad_Wd = code.T @ delta_out
    grad_bd = delta_out.sum(0)
    grad_We = data.T @ delta_code
    grad_be = delta_code.sum(0)

    # steps
    Wd -= eta*grad_Wd
    bd -= eta*grad_bd
    We -= eta*grad_We
    be -= eta*grad_be
    if k%150==0: print(k, recon)
print(code.round(2))
