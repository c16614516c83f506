"""Checked inputs: arrays, sparse matrices, and frames of pandas, polars, pyarrow and others.

scikit-learn converts frames and checks their names; here the columns that hold no numbers are
named, where it names the first value that it meets.
"""

# scikit-learn has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import validate_data

__all__ = ["validated"]

_SHOWN = 5


def validated(model: Any, X: Any, *y: Any, **settings: Any) -> Any:
    """What scikit-learn's ``validate_data`` gives of X, or of X and y.

    Raises what that raises, and ValueError that names the columns of a frame without numbers.
    """
    try:
        return validate_data(model, X, *y, accept_sparse=["csr", "csc"], **settings)
    except (ValueError, TypeError):
        columns = _columns_of_text(X)
        if not columns:
            raise
        names = ", ".join(repr(name) for name in columns[:_SHOWN])
        more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
        one = len(columns) == 1
        raise ValueError(
            f"The {'column' if one else 'columns'} {names}{more} of X {'holds' if one else 'hold'} "
            "no numbers. Encode them, for example with OneHotEncoder in a ColumnTransformer before "
            "this estimator, or leave them out."
        ) from None


def _columns_of_text(X: Any) -> list[str]:
    """The names of a frame's columns that are neither numbers nor truth values."""
    try:
        import narwhals
    except ImportError:  # which scikit-learn brings from 1.9 on
        return []
    frame: Any = narwhals.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, narwhals.DataFrame):
        return []
    kinds: Any = frame.schema
    return [
        str(name)
        for name, kind in kinds.items()
        if not kind.is_numeric() and not isinstance(kind, narwhals.Boolean | narwhals.Object)
    ]
