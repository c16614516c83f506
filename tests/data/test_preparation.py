"""What is learned from a table: the task, the encodings, their inverse, and how they are saved."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Preparation, read_table
from chainrule.errors import DataError, ModelFileError, SettingError


def learn(columns: dict[str, Any], **options: Any) -> Preparation:
    return Preparation.learn(read_table(columns), **options)


FEATURE = list(range(40))
FEATURE[0], FEATURE[1] = 1, 0


@pytest.mark.parametrize(
    ("target", "task", "labels"),
    [
        (["no", "yes"] * 20, "classification", ("no", "yes")),
        ([True, False] * 20, "classification", (False, True)),
        (["true", "False"] * 20, "classification", (False, True)),
        ([0, 1] * 20, "classification", (0, 1)),
        ([0.0, 1.0] * 20, "classification", (0, 1)),
        ([3, -7] * 20, "classification", (-7, 3)),
        ([i % 10 for i in range(40)], "classification", tuple(range(10))),
        ([i % 11 for i in range(40)], "regression", None),
        ([0.5, 1.5] * 20, "regression", None),
        (list(range(40)), "regression", None),
        (["1.5", "2.5"] * 20, "regression", None),
        (["10", "9"] * 20, "classification", (9, 10)),
    ],
)
def test_the_task_is_found(target: list[Any], task: str, labels: tuple[Any, ...] | None) -> None:
    preparation = learn({"x": FEATURE, "y": target})
    assert preparation.task == task
    assert preparation.labels == labels
    assert preparation.target_name == "y"
    assert preparation.output_count == (1 if labels is None or len(labels) == 2 else len(labels))


def test_more_than_twenty_whole_numbers_are_values() -> None:
    numbers = {"x": [(i * 7) % 400 for i in range(400)], "y": [i % 21 for i in range(400)]}
    preparation = learn(numbers)
    assert preparation.task == "regression"
    assert preparation.task_reason == "it has 21 different whole numbers"
    assert learn(numbers, task="classification").labels == tuple(range(21))
    assert learn(numbers | {"y": [i % 20 for i in range(400)]}).task == "classification"


def test_four_rows_of_zeros_and_ones_are_classes() -> None:
    preparation = Preparation.learn(
        read_table((np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]))
    )
    assert preparation.labels == (0, 1)


def test_the_task_may_be_chosen() -> None:
    assert learn({"x": FEATURE, "y": [0, 1] * 20}, task="regression").task == "regression"
    labels = learn({"x": FEATURE, "y": [0.5, 1.5] * 20}, task="classification").labels
    assert labels == (0.5, 1.5)
    with pytest.raises(SettingError, match="The task is 'guess', and must be 'classification' or"):
        learn({"x": FEATURE, "y": [0, 1] * 20}, task="guess")


def test_the_target_is_named_or_the_last() -> None:
    columns = {"a": FEATURE, "b": ["u", "v"] * 20, "c": [0, 1] * 20}
    assert learn(columns).target_name == "c"
    preparation = learn(columns, target="b")
    assert (preparation.target_name, preparation.column_names) == ("b", ("a", "c"))
    assert learn(columns, drop=["c"]).target_name == "b"


def test_numbers_are_standardised_over_the_rows() -> None:
    x = np.random.default_rng(0).normal(5, 3, 50)
    y = np.random.default_rng(1).normal(-2, 7, 50)
    table = read_table({"x": x, "y": y})
    preparation = Preparation.learn(table)
    X = preparation.transform_features(table)
    np.testing.assert_allclose(X[:, 0], (x - x.mean()) / x.std(), rtol=1e-13)
    assert X.mean() == pytest.approx(0, abs=1e-14)
    assert X.std() == pytest.approx(1)
    target = preparation.transform_target(table)
    np.testing.assert_allclose(target[:, 0], (y - y.mean()) / y.std(), rtol=1e-13)
    np.testing.assert_allclose(preparation.decode(target), y, rtol=1e-13)
    np.testing.assert_array_equal(preparation.target_values(table), y)


def test_numbers_may_stay_as_they_are() -> None:
    table = read_table({"x": [1.5, 2.5, 4], "y": [0.1, 0.2, 0.7]})
    preparation = Preparation.learn(table, standardise=False)
    assert preparation.transform_features(table).tolist() == [[1.5], [2.5], [4]]
    assert preparation.transform_target(table).tolist() == [[0.1], [0.2], [0.7]]


def test_means_come_from_the_training_rows_and_categories_from_all() -> None:
    table = read_table({"x": [1.0, 3, 100], "c": ["a", "b", "new"], "y": [0.0, 2, 50]})
    rows = np.array([0, 1])
    preparation = Preparation.learn(table, task="regression", rows=rows)
    assert preparation.feature_names == ("x", "c=a", "c=b", "c=new")
    assert preparation.transform_features(table.take(rows))[:, 0].tolist() == [-1, 1]
    assert preparation.transform_target(table.take(rows))[:, 0].tolist() == [-1, 1]
    assert preparation.transform_features(table)[2].tolist() == [98, 0, 0, 1]


def test_a_constant_feature_becomes_zero_with_a_note() -> None:
    table = read_table({"x": [0.1] * 30, "z": FEATURE[:30], "y": [0, 1] * 15})
    preparation = Preparation.learn(table)
    assert preparation.transform_features(table)[:, 0].tolist() == [0.0] * 30
    (note,) = preparation.notes
    assert note == (
        "The column 'x' of the table has one value in all 30 rows, and tells the network nothing."
    )
    several = learn({"a": [1] * 4, "b": ["u"] * 4, "c": [2.5] * 4, "y": [0, 1, 0, 1]})
    assert several.notes[0] == (
        "The columns 'a', 'b' and 'c' of the table have one value each in all 4 rows, and tell the "
        "network nothing."
    )


def test_a_column_that_counts_the_rows_is_noted() -> None:
    preparation = learn({"id": list(range(1, 31)), "y": [0, 1] * 15})
    (note,) = preparation.notes
    assert note == (
        "The column 'id' of the table counts the rows, so the network may learn their order; if it "
        "is only a row number, leave it out with drop=['id']."
    )


def test_a_mark_for_missing_among_words_is_noted() -> None:
    preparation = learn({"c": ["u", "v", "?"] * 10, "y": [0, 1] * 15})
    assert preparation.feature_names == ("c=?", "c=u", "c=v")
    assert preparation.notes == (
        "The column 'c' of the table has '?' in 10 rows; it counts as a category of its own.",
    )
    (both,) = learn({"c": ["u", "n/a", "?"] * 10, "y": [0, 1] * 15}).notes
    assert both == (
        "The column 'c' of the table has 'n/a' in 10 rows and '?' in 10 rows; each counts as a "
        "category of its own."
    )


def test_marks_for_missing_in_many_columns_have_one_note() -> None:
    columns = {f"c{i}": ["u", "v", "?", "none"] * 5 for i in range(40)}
    (note,) = learn({**columns, "y": [0, 1] * 10}).notes
    assert note == (
        "The columns 'c0', 'c1', 'c2', 'c3', 'c4' and 35 more of the table have '?' or 'none', "
        "which often stands for a missing value; it counts as a category of its own."
    )


def test_categories_are_one_hot_in_sorted_order() -> None:
    columns = {"c": ["b", "a", "c", "a"], "t": [True, False, True, True], "y": [0, 1, 0, 1]}
    table = read_table(columns)
    preparation = Preparation.learn(table)
    assert preparation.feature_names == ("c=a", "c=b", "c=c", "t=false", "t=true")
    assert preparation.transform_features(table).tolist() == [
        [0, 1, 0, 0, 1],
        [1, 0, 0, 1, 0],
        [0, 0, 1, 0, 1],
        [1, 0, 0, 0, 1],
    ]


def test_numbers_may_be_declared_categories() -> None:
    table = read_table({"zip": ["010", "9", "010", "9"], "n": [2, 10, 2, 10], "y": [0, 1, 0, 1]})
    preparation = Preparation.learn(table, categorical=["zip", "n"])
    assert preparation.feature_names == ("zip=9", "zip=010", "n=2", "n=10")
    assert preparation.transform_features(table)[0].tolist() == [0, 1, 1, 0]
    # An array of numbers holds the same categories as a file of texts.
    same = read_table({"zip": ["010"], "n": [10.0]})
    assert preparation.transform_features(same).tolist() == [[0, 1, 0, 1]]


def test_a_column_declared_a_category_may_mix_numbers_and_words() -> None:
    columns = {"size": ["1", "2", "3", "XL"] * 5, "y": [0, 1] * 10}
    preparation = learn(columns, categorical=["size"])
    assert preparation.feature_names == ("size=1", "size=2", "size=3", "size=XL")


def test_booleans_are_the_same_in_every_spelling() -> None:
    preparation = learn({"t": [True, False] * 3, "y": [0, 1] * 3})
    for spelling in (["true", "FALSE"], [1, 0], [1.0, 0.0], ["1", "0"], [True, False]):
        X = preparation.transform_features(read_table({"t": spelling}))
        assert X.tolist() == [[0, 1], [1, 0]]


def test_numbers_and_booleans_in_the_place_of_numbers() -> None:
    preparation = learn({"x": [0, 1, 3, 4], "y": [0, 1, 0, 1]}, standardise=False)
    assert preparation.transform_features(read_table({"x": [True, False]})).tolist() == [[1], [0]]
    assert preparation.transform_features(read_table({"x": ["1e3", " 2"]})).tolist() == [
        [1000],
        [2],
    ]


def test_order_and_further_columns_do_not_matter() -> None:
    columns: dict[str, list[Any]] = {"a": [1, 2, 4], "b": ["u", "v", "u"], "y": [0, 1, 0]}
    preparation = learn(columns)
    X = preparation.transform_features(read_table(columns))
    shuffled = {"more": [None, "?", "x"], "y": [None] * 3, "b": columns["b"], "a": columns["a"]}
    np.testing.assert_array_equal(preparation.transform_features(read_table(shuffled)), X)
    assert preparation.has_target(read_table(columns))
    assert not preparation.has_target(read_table({"a": [1]}))


def test_labels_and_probabilities_of_two_classes() -> None:
    preparation = learn({"x": [1, 2, 4, 3], "y": ["no", "yes", "no", "yes"]})
    outputs = np.array([[0.2], [0.5], [0.51]])
    assert preparation.decode(outputs).tolist() == ["no", "no", "yes"]
    assert preparation.decode(outputs[:, 0]).tolist() == ["no", "no", "yes"]
    table = preparation.probabilities(outputs)
    assert list(table) == ["no", "yes"]
    np.testing.assert_array_equal(table["yes"], [0.2, 0.5, 0.51])
    np.testing.assert_array_equal(table["no"], 1 - table["yes"])


def test_labels_and_probabilities_of_three_classes() -> None:
    preparation = learn({"x": FEATURE[:9], "y": [5, 7, 9] * 3}, task="classification")
    assert preparation.transform_target(read_table({"y": [9, 5]})).tolist() == [
        [0, 0, 1],
        [1, 0, 0],
    ]
    outputs = np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]])
    assert preparation.decode(outputs).tolist() == [7, 5]
    assert preparation.probabilities(outputs)[9].tolist() == [0.3, 0.3]


def test_outputs_that_cannot_be_decoded() -> None:
    preparation = learn({"x": [1, 2, 4, 3], "y": ["no", "yes", "no", "yes"]})
    with pytest.raises(DataError, match=r"shape \(3, 2\), and the target 'y' needs \(n, 1\)"):
        preparation.decode(np.zeros((3, 2)))
    with pytest.raises(DataError, match="not a number in row 2, the first of 1 such rows of 3"):
        preparation.decode(np.array([0, np.nan, 1]))
    with pytest.raises(DataError, match="The target 'y' is a number: it has no probabilities"):
        learn({"x": [1, 2, 4], "y": [0.5, 1, 2]}).probabilities(np.zeros(3))


WORDS = st.text(max_size=5).map(lambda text: f"w{text}w")
LABELS = {
    "texts": WORDS,
    "booleans": st.booleans(),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(-1e9, 1e9),
}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """A table of a number, a whole number, a category, a boolean, and a target of any kind."""
    n = draw(st.integers(8, 24))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    labels = draw(
        st.lists(LABELS[draw(st.sampled_from(sorted(LABELS)))], min_size=2, max_size=3, unique=True)
    )
    return {
        "real": column(st.floats(-1e100, 1e100)),
        "tiny": column(st.floats(-1e-300, 1e-300)),
        "whole": column(st.integers(-(2**63), 2**63 - 1)),
        "word": column(st.sampled_from(draw(st.lists(WORDS, min_size=1, max_size=4)))),
        "truth": column(st.booleans()),
        "y": [*labels, *column(st.sampled_from(labels))][:n],
    }


@given(tables())
def test_a_saved_preparation_does_the_same_to_the_last_bit(columns: dict[str, list[Any]]) -> None:
    table = read_table(columns)
    preparation = Preparation.learn(table)
    X, y = preparation.transform_features(table), preparation.transform_target(table)
    assert X.shape == (len(columns["y"]), preparation.input_count)
    assert np.isfinite(X).all()
    assert np.isfinite(y).all()
    again = Preparation.from_json(json.loads(json.dumps(preparation.to_json())))
    assert again == preparation
    assert again.transform_features(table).tobytes() == X.tobytes()
    assert again.transform_target(table).tobytes() == y.tobytes()


@given(tables())
def test_decoding_the_target_gives_the_labels_back(columns: dict[str, list[Any]]) -> None:
    table = read_table(columns)
    preparation = Preparation.learn(table, task="classification")
    decoded = preparation.decode(preparation.transform_target(table)).tolist()
    assert decoded == [v.strip() if isinstance(v, str) else v for v in columns["y"]]
    assert decoded == preparation.target_values(table).tolist()


SAVED = learn(
    {"x": [1, 2, 4, 3], "c": ["u", "v", "u", "v"], "y": ["no", "yes", "no", "yes"]}
).to_json()


def replaced(path: tuple[Any, ...], value: Any) -> Any:
    """The saved preparation with another value in one place."""
    data = json.loads(json.dumps(SAVED))
    place = data
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("features",), None, "it lacks 'features'"),
        (("more",), 1, "it has the unknown 'more'"),
        (("features",), {}, "features is an object and must be a list"),
        (("features",), [], "features must have names that differ, at least one"),
        (("features", 0), 3, "features[0].kind is null and must be 'number' or 'category'"),
        (("features", 0, "kind"), "code", "features[0].kind is 'code' and must be 'number' or"),
        (("features", 0, "mean"), "3", "features[0].mean is '3' and must be a number"),
        (("features", 0, "mean"), True, "features[0].mean is True and must be a number"),
        (("features", 0, "mean"), 1e999, "features[0].mean is inf and must be a finite number"),
        (("features", 0, "mean"), 10**400, "and must be a finite number"),
        (("features", 0, "scale"), 0, "scale is 0 and must be a finite number above zero"),
        (("features", 0, "name"), 5, "features[0].name is 5 and must be a text"),
        (("features", 0, "more"), 5, "features[0] has the unknown 'more'"),
        (("features", 1, "categories"), [], "categories must be different texts, at least one"),
        (("features", 1, "categories"), ["u", "u"], "categories must be different texts"),
        (("features", 1, "categories"), ["u", 3], "features[1].categories[1] is 3 and must be"),
        (("features", 1, "categories"), [True, False], "categories[0] is True and must be a text"),
        (("features", 1, "name"), "x", "features must have names that differ"),
        (("target", "name"), "x", "features must have names that differ"),
        (("target", "labels"), ["no"], "target.labels must be two or more texts or numbers"),
        (("target", "labels"), ["no", 1], "target.labels must be two or more texts or numbers"),
        (("target", "labels"), [[], []], "target.labels must be two or more texts or numbers"),
        (("target", "labels"), ["a", "a"], "target.labels must differ"),
        (("target", "labels"), [True, False], "target.labels must differ, in the order"),
        (("target", "labels"), [0.5, 1e999], "target.labels[1] is inf and must be a finite"),
        (("target", "kind"), "number", "target lacks 'mean' and 'scale'"),
        (("target",), [], "target.kind is null and must be 'class' or 'number'"),
        (("notes",), [1], "notes[0] is 1 and must be a text"),
        (("task_reason",), 1, "task_reason is 1 and must be a text"),
    ],
)
def test_a_damaged_preparation_is_refused(path: tuple[Any, ...], value: Any, says: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        Preparation.from_json(replaced(path, value))
    text = str(caught.value)
    assert text.startswith("The saved preparation of the data is damaged: ")
    assert says in text
    assert text.endswith("Train and save the model again.")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["features", "target", "task_reason", "notes", "kind", "name"]),
                inner,
            )
        ),
        max_leaves=8,
    )
)
def test_any_other_data_is_refused(data: Any) -> None:
    with pytest.raises(ModelFileError):
        Preparation.from_json(data)
