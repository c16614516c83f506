"""The split into rows that train and rows that validate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import split
from chainrule.errors import DataError, SettingError


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=80),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
    stratified=st.booleans(),
)
def test_it_is_a_partition_of_the_asked_size_and_repeats(
    labels: list[int], fraction: float, seed: int, stratified: bool
) -> None:
    n = len(labels)
    classes = np.array(labels) if stratified else None
    train, validation = split(n, fraction, seed, classes)
    assert sorted([*train, *validation]) == list(range(n))
    assert len(validation) == min(max(round(n * fraction), 1), n - 1)
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    again = split(n, fraction, seed, classes)
    np.testing.assert_array_equal(train, again[0])
    np.testing.assert_array_equal(validation, again[1])


@given(
    counts=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    fraction=st.floats(0.05, 0.5),
    seed=st.integers(0, 5),
)
def test_each_class_has_its_share_to_within_a_row(
    counts: list[int], fraction: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = labels[np.random.default_rng(seed).permutation(len(labels))]
    train, validation = split(len(labels), fraction, seed, labels)
    share = len(validation) / len(labels)
    for label, count in enumerate(counts):
        got = int((labels[validation] == label).sum())
        # A class keeps a row to train on, and the others make up for it.
        assert abs(got - share * count) <= 1 + sum(c == 1 for c in counts)
        if sum(counts) - len(counts) >= len(validation):
            assert (labels[train] == label).any()


def test_another_seed_gives_other_rows() -> None:
    assert set(split(100, 0.3, 0)[1]) != set(split(100, 0.3, 1)[1])


@pytest.mark.parametrize("form", ["texts", "column", "one-hot"])
def test_labels_may_be_texts_or_a_matrix(form: str) -> None:
    codes = np.arange(30) % 3
    labels = {"texts": np.array(["a", "b", "c"])[codes], "one-hot": np.eye(3)[codes]}
    if form == "column":
        codes = codes % 2
    _, validation = split(30, 0.2, 7, labels.get(form, codes[:, None].astype(float)))
    assert np.bincount(codes[validation]).tolist() == ([2, 2, 2] if form != "column" else [4, 2])


def test_a_fraction_of_zero_validates_nothing() -> None:
    train, validation = split(5, 0, 0)
    assert train.tolist() == [0, 1, 2, 3, 4]
    assert validation.tolist() == []


def test_refusals() -> None:
    with pytest.raises(SettingError, match=r"fraction is 1\.0, and must be at least 0 and less"):
        split(5, 1.0, 0)
    with pytest.raises(DataError, match="A table of 1 rows cannot be split"):
        split(1, 0.5, 0)
    with pytest.raises(DataError, match=r"5 rows to split, and labels of shape \(4,\)"):
        split(5, 0.5, 0, np.zeros(4))
