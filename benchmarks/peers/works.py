"""The works, and by how much each side is to be behind."""

from __future__ import annotations

from dataclasses import dataclass, replace

from peers.problems import Work


@dataclass(frozen=True)
class Requirement:
    """``side``'s time divided by ours is to be at least ``ratio``, on one core or on all.

    ``ours`` is which of our times counts: "steps" beside what is likewise ready to run, "train"
    beside a whole call. ``side`` "peak" stands for the time at the machine's measured peak.
    """

    side: str
    ratio: float
    cores: str = "one"
    ours: str = "steps"

    @property
    def text(self) -> str:
        """The requirement in words."""
        if self.side == "peak":
            return f"at least {self.ratio:g} of the peak"
        if self.ratio < 1:
            return f"at most {1 / self.ratio:.3g} times its time"
        return "not behind" if self.ratio == 1 else f"{self.ratio:,.4g} times as fast"


XOR = Work("xor", (2, 2, 1), "sigmoid", "sigmoid", "squared_error_sum", "xor", 4, 4, epochs=10_000)
SMALL = Work("small", (2, 8, 8, 1), "tanh", "identity", "squared_error", "smooth", 500, 10, 40)
DIGITS = Work(
    "digits-200",
    (64, 100, 10),
    "relu",
    "softmax",
    "categorical_cross_entropy",
    "digits",
    1600,
    200,
    epochs=25,
    optimizer="adam",
    rate=0.001,
)
IMAGES = Work(
    "images",
    (784, 128, 10),
    "relu",
    "softmax",
    "categorical_cross_entropy",
    "classes",
    3200,
    32,
    epochs=10,
    # So small that where rounding decides on which side of relu's kink a number falls, it matters
    # little to the rest.
    rate=0.01,
    dtype="float32",
)
WIDE = replace(IMAGES, name="wide", sizes=(784, 512, 512, 10), samples=2560, batch=128, epochs=2)

WORKS: dict[str, Work] = {
    "xor": XOR,
    "population": replace(XOR, name="population", networks=10_000),
    "small": SMALL,
    "digits-200": DIGITS,
    "digits-10": replace(DIGITS, name="digits-10", batch=10, epochs=5),
    "images": IMAGES,
    "wide": WIDE,
}
"""By the names that ``--only`` takes; ``process`` and ``memory`` are besides."""

REQUIREMENTS: dict[str, tuple[Requirement, ...]] = {
    "xor": (
        Requirement("c_loops", 1 / 1.3),
        Requirement("numpy_loop", 400),
        Requirement("jax_scan", 8),
    ),
    "population": (
        Requirement("jax_scan", 8, "all", "train"),
        Requirement("numpy_loop", 4000, "all", "train"),
    ),
    "small": (Requirement("jax_scan", 5), Requirement("pytorch", 20)),
    "digits-200": (
        Requirement("scikit_learn", 4, ours="train"),
        Requirement("pytorch", 3),
        Requirement("jax_scan", 1.2),
    ),
    "images": (
        Requirement("jax_scan", 1.1),
        Requirement("pytorch", 2.5),
        Requirement("scikit_learn", 2.5, ours="train"),
    ),
    "wide": (Requirement("peak", 0.85, "all"), Requirement("jax_scan", 1, "all")),
}
REQUIREMENTS["digits-10"] = REQUIREMENTS["digits-200"]


def quick(work: Work) -> Work:
    """A work that takes a few seconds in place of a few minutes."""
    return replace(work, epochs=1000) if work.networks else work


def cores_of(name: str, *, only_required: bool) -> list[str]:
    """On how many cores a work is measured: on one, and then on all."""
    required = {each.cores for each in REQUIREMENTS[name]}
    return [cores for cores in ("one", "all") if not only_required or cores in required]
