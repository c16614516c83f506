import numpy as np
import matplotlib.pyplot as plt

np.random.seed(100)
# sneezing, fever, cough -> flu?
patients = np.array([[0,1,0],[0,0,1],[1,0,0],[1,1,0],[1,1,1],[0,1,1]])
flu = np.array([[1,0,0,1,1,1]]).reshape(6,1)

weights = np.random.rand(3,1)
bias = np.random.rand(1)
lr = 0.05

def sigmoid(x):
    return 1/(1+np.exp(-x))

def sigmoid_der(x):
    return sigmoid(x)*(1-sigmoid(x))

errors = []
for epoch in range(800):
    XW = np.dot(patients, weights) + bias
    z = sigmoid(XW)

    error = z - flu
    sse = (error**2).sum()
    errors.append(sse)

    z_delta = error * sigmoid_der(XW)
    weights -= lr * np.dot(patients.T, z_delta)
    for num in z_delta:
        bias -= lr * num

print(errors[-1])
plt.figure(figsize=(5,3))
plt.plot(errors)
plt.title("error")
plt.show()
