import math, random

# Two inputs, two hidden neurons, one output. Every weight has its own name!
random.seed(10)
w1, w2, w3, w4, w5, w6 = [random.gauss(0, 1) for _ in range(6)]
b1, b2, b3 = [random.gauss(0, 1) for _ in range(3)]

# temperature - 20, wind - 10, did we have lunch outside?
days = [(4, -6, 1), (-7, 9, 0), (1, 5, 0), (8, 2, 1), (-2, -3, 1)]

def sig(x):
    return 1/(1+math.exp(-x))

def dsig(x):
    fx = sig(x)
    return fx*(1-fx)

for epoch in range(500):
    loss = 0
    for t, w, true in days:
        a, b = t/10, w/10
        sum_h1 = w1*a + w2*b + b1
        h1 = sig(sum_h1)
        sum_h2 = w3*a + w4*b + b2
        h2 = sig(sum_h2)
        sum_o1 = w5*h1 + w6*h2 + b3
        o1 = sig(sum_o1)
        loss += (true - o1)**2

        d_L_d_o1 = -2*(true - o1)
        # neuron o1
        d_o1_d_w5 = h1*dsig(sum_o1)
        d_o1_d_w6 = h2*dsig(sum_o1)
        d_o1_d_b3 = dsig(sum_o1)
        d_o1_d_h1 = w5*dsig(o1)
        d_o1_d_h2 = w6*dsig(sum_o1)
        # neuron h1
        d_h1_d_w1 = a*dsig(sum_h1)
        d_h1_d_w2 = b*dsig(sum_h1)
        d_h1_d_b1 = dsig(sum_h1)
        # neuron h2
        d_h2_d_w3 = a*dsig(sum_h2)
        d_h2_d_w4 = b*dsig(sum_h2)
        d_h2_d_b2 = dsig(sum_h2)

        w1 -= 0.1*d_L_d_o1*d_o1_d_h1*d_h1_d_w1
        w2 -= 0.1*d_L_d_o1*d_o1_d_h1*d_h1_d_w2
        b1 -= 0.1*d_L_d_o1*d_o1_d_h1*d_h1_d_b1
        w3 -= 0.1*d_L_d_o1*d_o1_d_h2*d_h2_d_w3
        w4 -= 0.1*d_L_d_o1*d_o1_d_h2*d_h2_d_w4
        b2 -= 0.1*d_L_d_o1*d_o1_d_h2*d_h2_d_b2
        w5 -= 0.1*d_L_d_o1*d_o1_d_w5
        w6 -= 0.1*d_L_d_o1*d_o1_d_w6
        b3 -= 0.1*d_L_d_o1*d_o1_d_b3
    if epoch % 100 == 0:
        print("%d: %.4f" % (epoch, loss))
