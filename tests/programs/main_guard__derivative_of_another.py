"""Learn the angle of a pendulum from position and speed."""

import numpy as np

N_HIDDEN = 6
LEARNING_RATE = 0.2
EPOCHS = 400


def make_data(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    angle = rng.uniform(-1.5, 1.5, n)
    speed = rng.normal(0.0, 0.3, n)
    x = np.column_stack((np.sin(angle) + 0.1 * speed, np.cos(angle), speed))
    return x, angle[:, None]


def evaluate(x: np.ndarray, y: np.ndarray, w: list[np.ndarray]) -> tuple[float, list[np.ndarray]]:
    """Loss and its gradient."""
    w1, b1, w2, b2 = w
    n = x.shape[0]
    a = x @ w1 + b1
    h = np.tanh(a)
    out = h @ w2 + b2
    residual = out - y
    loss = float(np.mean(residual**2))

    d_out = 2.0 * residual / n
    d_w2 = h.T @ d_out
    d_b2 = d_out.sum(axis=0)
    d_h = d_out @ w2.T
    d_a = d_h * h * (1 - h)
    d_w1 = x.T @ d_a
    d_b1 = d_a.sum(axis=0)
    return loss, [d_w1, d_b1, d_w2, d_b2]


def main() -> None:
    rng = np.random.default_rng(2024)
    x, y = make_data(rng, 32)
    weights = [
        rng.normal(0, 0.5, (3, N_HIDDEN)),
        rng.normal(0, 0.1, N_HIDDEN),
        rng.normal(0, 0.5, (N_HIDDEN, 1)),
        rng.normal(0, 0.1, 1),
    ]
    for epoch in range(EPOCHS):
        loss, gradient = evaluate(x, y, weights)
        weights = [w - LEARNING_RATE * g for w, g in zip(weights, gradient, strict=True)]
        if epoch % 100 == 0:
            print(f"{epoch:5d}  {loss:.6f}")


if __name__ == "__main__":
    main()
