"""What is to be made as large as can be, such as a likelihood, and not as small as a loss."""

from __future__ import annotations

import re

__all__ = ["is_to_grow", "may_be_to_grow"]

_GROWS = re.compile(
    r"(?i)likelihood|log_?lik|elbo|reward|fitness|utility|objective|score|accuracy"
    r"|(^|[._\[])(ll|llh|ll_|logl|gain|returns?)\d*$"
)
_SHRINKS = re.compile(r"(?i)loss|cost|err|mse|sse|nll|xent|entropy|energy|risk|neg|minus")


def is_to_grow(name: str) -> bool:
    """Whether a name says that larger is better.

    >>> is_to_grow("log_likelihood"), is_to_grow("negative_log_likelihood"), is_to_grow("loss")
    (True, False, False)
    """
    return bool(_GROWS.search(name)) and not _SHRINKS.search(name)


def may_be_to_grow(name: str, value: float) -> bool:
    """Whether it cannot be told that smaller is better: a log-likelihood is negative."""
    return value < 0 and not _SHRINKS.search(name)
