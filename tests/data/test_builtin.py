"""The built-in data sets: exact tables, geometry, determinism, and refusals."""

import numpy as np
import pytest

from chainrule.data import BUILTIN_NAMES, Dataset, Preparation, builtin, read_table
from chainrule.errors import SettingError


@pytest.mark.parametrize(
    ("name", "target"), [("xor", [0, 1, 1, 0]), ("and", [0, 0, 0, 1]), ("or", [0, 1, 1, 1])]
)
def test_truth_tables_have_the_order_00_01_10_11(name: str, target: list[int]) -> None:
    data = builtin(name)
    assert data.X.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert data.y.tolist() == [[value] for value in target]
    assert data.X.dtype == data.y.dtype == np.float64
    assert (data.task, data.class_labels) == ("classification", (0, 1))
    assert (data.feature_names, data.target_name) == (("x1", "x2"), "y")


@pytest.mark.parametrize("bits", [1, 2, 3, 5])
def test_parity_counts_the_ones(bits: int) -> None:
    data = builtin("parity", bits=bits)
    assert data.X.shape == (2**bits, bits)
    for number, (row, target) in enumerate(zip(data.X, data.y, strict=True)):
        assert row.tolist() == [float(digit) for digit in f"{number:0{bits}b}"]
        assert target[0] == f"{number:b}".count("1") % 2


def test_parity_of_two_bits_is_xor() -> None:
    parity, xor = builtin("parity", bits=2), builtin("xor")
    np.testing.assert_array_equal(parity.X, xor.X)
    np.testing.assert_array_equal(parity.y, xor.y)


def test_moons_lie_on_two_half_circles() -> None:
    data = builtin("moons", samples=101, noise=0)
    first, second = data.X[data.y[:, 0] == 0], data.X[data.y[:, 0] == 1]
    assert (len(first), len(second)) == (51, 50)
    np.testing.assert_allclose(np.hypot(*first.T), 1)
    assert (first[:, 1] >= -1e-12).all()
    np.testing.assert_allclose(np.hypot(1 - second[:, 0], 0.5 - second[:, 1]), 1)
    assert (second[:, 1] <= 0.5 + 1e-12).all()


def test_circles_have_their_radii() -> None:
    data = builtin("circles", samples=60, noise=0)
    np.testing.assert_allclose(np.hypot(*data.X.T), np.where(data.y[:, 0] == 0, 1, 0.5))


def test_spirals_are_each_other_turned_by_half_a_turn() -> None:
    data = builtin("spirals", samples=80, noise=0)
    first, second = data.X[data.y[:, 0] == 0], data.X[data.y[:, 0] == 1]
    order = np.argsort(np.hypot(*first.T)), np.argsort(np.hypot(*second.T))
    np.testing.assert_allclose(first[order[0]], -second[order[1]], atol=1e-12)


def test_sine_is_a_regression_on_one_feature() -> None:
    data = builtin("sine", samples=50, noise=0)
    assert (data.task, data.class_labels, data.X.shape) == ("regression", None, (50, 1))
    np.testing.assert_array_equal(data.y, np.sin(data.X))
    assert (data.X.min(), data.X.max()) == (-np.pi, np.pi)


@pytest.mark.parametrize("name", ["moons", "circles", "spirals", "sine"])
def test_a_seed_gives_the_same_bits_and_another_seed_others(name: str) -> None:
    one, same, other = builtin(name, seed=3), builtin(name, seed=3), builtin(name, seed=4)
    assert one.X.tobytes() == same.X.tobytes()
    assert one.y.tobytes() == same.y.tobytes()
    assert one.X.tobytes() != other.X.tobytes()
    assert len(one.X) == 200


@pytest.mark.parametrize("name", ["moons", "circles", "spirals", "sine"])
def test_noise_is_a_standard_deviation(name: str) -> None:
    exact = builtin(name, samples=20_000, noise=0, seed=1)
    noisy = builtin(name, samples=20_000, noise=0.3, seed=1)
    deviation = noisy.y - exact.y if name == "sine" else noisy.X - exact.X
    assert deviation.std() == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_the_unscaled_preparation_gives_the_data_set_back(name: str) -> None:
    data = builtin(name)
    assert isinstance(data, Dataset)
    table, preparation = read_table(data), Preparation.of_dataset(data)
    np.testing.assert_array_equal(preparation.transform_features(table), data.X)
    np.testing.assert_array_equal(preparation.transform_target(table), data.y)
    assert preparation.task == data.task
    assert preparation.feature_names == data.feature_names
    assert Preparation.from_json(preparation.to_json()) == preparation


def test_an_unknown_name_lists_all_with_the_closest_first() -> None:
    with pytest.raises(SettingError) as caught:
        builtin("moon")
    assert str(caught.value) == (
        "There is no built-in data set 'moon': there are 'moons', 'or', 'xor', 'and', 'sine', "
        "'parity', 'circles' and 'spirals', the closest name first."
    )


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("xor", {"samples": 8}, "xor does not take samples=8, since it is a truth table"),
        ("and", {"noise": 0.1}, "and does not take noise=0.1, since it is a truth table"),
        ("or", {"bits": 2}, "or does not take bits=2, since only parity has a choice of bits"),
        ("moons", {"bits": 2}, "moons does not take bits=2, since only parity has bits"),
        ("parity", {"bits": 0}, "bits is 0, and must be a whole number from 1 to 20"),
        ("moons", {"samples": 1}, "samples is 1, and must be a whole number from 2 to"),
        ("moons", {"samples": 2.5}, "samples is 2.5, and must be a whole number"),
        ("sine", {"noise": -0.1}, "noise is -0.1, and must be a standard deviation: 0 or more"),
        ("sine", {"noise": float("nan")}, "noise is nan, and must be a standard deviation"),
        ("sine", {"seed": -1}, "seed is -1, and must be a whole number from 0 to"),
    ],
)
def test_an_option_that_cannot_be_taken_is_refused(
    name: str, options: dict[str, float], says: str
) -> None:
    with pytest.raises(SettingError) as caught:
        builtin(name, **options)  # pyright: ignore[reportArgumentType]
    assert says in str(caught.value)
