"""Logistic regression with lists, as in the exercise sheet.
We print the squared error because it is easier to read than the likelihood."""
import math

rows = [(0.5, 1.2, 0), (1.0, 0.4, 0), (1.4, 1.9, 0), (2.1, 0.3, 1), (2.6, 1.1, 1), (1.9, 2.8, 1), (3.2, 2.0, 1)]

def predict(coef, row):
    s = coef[0] + coef[1]*row[0] + coef[2]*row[1]
    return 1.0/(1.0 + math.exp(-s))

coef = [0.1, -0.2, 0.3]
eta = 0.1
for epoch in range(100):
    squared_error = 0.0
    grad = [0.0, 0.0, 0.0]
    for row in rows:
        err = predict(coef, row) - row[2]
        squared_error += err**2
        grad[0] += err
        grad[1] += err*row[0]
        grad[2] += err*row[1]
    for j in range(3):
        coef[j] -= eta*grad[j]
    if epoch % 20 == 0:
        print(epoch, squared_error)
print("coefficients", coef)
