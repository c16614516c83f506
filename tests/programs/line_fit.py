import numpy as np

# y = m*x + c
X = np.array([0.5, 0.9, 1.4, 1.8, 2.3, 2.7, 3.1, 3.8, 4.2, 4.4, 5.0])
Y = np.array([2.1, 3.3, 3.9, 5.6, 6.1, 7.4, 7.9, 9.8, 10.1, 11.2, 12.0])

m = 0
c = 0
L = 0.05  # learning rate
epochs = 300
n = float(len(X))

for i in range(epochs):
    Y_pred = m*X + c
    cost = (1/n) * sum((Y - Y_pred)**2)
    D_m = (-2/n) * sum(X * (Y - Y_pred))  # derivative wrt m
    D_c = (-2/n) * sum(Y - Y_pred)  # derivative wrt c
    m = m - L * D_m
    c = c - L * D_c
    if i % 50 == 0:
        print("cost =", cost, " m =", m, " c =", c)

print(m, c)
