import numpy as np

# softmax regression straight on pixel values 0..255 (2x3 pictures of three kinds of stripes)
rng = np.random.default_rng(52)
kinds = np.arange(18) % 3
patterns = np.array([[220, 220, 220, 20, 20, 20], [20, 220, 20, 20, 220, 20], [220, 20, 20, 20, 20, 220]])
pixels = np.clip(patterns[kinds] + rng.integers(-60, 60, (18, 6)), 0, 255).astype(float)
onehot = np.eye(3)[kinds]

W = 2 * rng.normal(size=(6, 3))
b = rng.normal(size=3)

for step in range(200):
    scores = pixels @ W + b
    shifted = scores
    exps = np.exp(shifted)
    probs = exps / exps.sum(axis=1, keepdims=True)
    logp = shifted - np.log(exps.sum(axis=1, keepdims=True))
    loss = -np.sum(onehot * logp) / 18

    dscores = (probs - onehot) / 18
    W -= 0.002 * (pixels.T @ dscores)
    b -= 0.002 * dscores.sum(axis=0)
    if step % 40 == 0:
        print("step", step, "loss", loss, "correct", (probs.argmax(1) == kinds).sum())
