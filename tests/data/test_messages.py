"""What a table that cannot be learned from, or not predicted with, is told: read whole."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.data import Preparation, read_table
from chainrule.errors import DataError

Write = Callable[[str, str | bytes], str]
Message = Callable[..., str]


def rows_of(row: Callable[[int], str], count: int = 12) -> str:
    """The rows of a CSV, from the function that gives a row by its number."""
    return "".join(f"{row(i)}\n" for i in range(count))


def test_a_missing_value(write: Write, people: str, message: Message) -> None:
    assert message(write("a.csv", people.replace("\n25,", "\n,"))) == (
        "The column 'age' of the file a.csv has no value in row 6 (line 7), the only such row of "
        "12: fill it in, remove that row, or leave the column out with --drop age."
    )


def test_missing_values_in_several_columns(write: Write, people: str, message: Message) -> None:
    text = people.replace("\n25,", "\nNaN,").replace("\n27,", "\n ,").replace("Nice", '""')
    assert message(write("a.csv", text)) == (
        "The column 'age' of the file a.csv has no value in row 6 (line 7), the first of 2 such "
        "rows of 12 ('city' lacks some too): fill them in, remove those rows, or leave the column "
        "out with --drop age."
    )


def test_missing_targets(write: Write, people: str, message: Message) -> None:
    assert message(write("a.csv", people.replace("yes", ""))) == (
        "The target column 'label' of the file a.csv has no value in row 2 (line 3), the first of "
        "6 such rows of 12: fill them in, remove those rows, or choose another target."
    )


def test_an_empty_column(write: Write, message: Message) -> None:
    assert message(write("a.csv", "a,b,y\n" + rows_of(lambda i: f"{i},,{i % 2}"))) == (
        "The column 'b' of the file a.csv has no value in all 12 rows, from row 1 (line 2) on: "
        "fill it in, or leave the column out with --drop b."
    )


def test_a_typo_among_numbers(write: Write, people: str, message: Message) -> None:
    assert message(write("a.csv", people.replace("\n25,", "\n2s5,"))) == (
        "The column 'age' of the file a.csv is one of numbers and has the text '2s5' in row 6 "
        "(line 7), the only such row of 12: correct it, say that it is a category with "
        "--categorical age, or leave the column out with --drop age."
    )


def test_marks_for_missing_among_numbers(write: Write, people: str, message: Message) -> None:
    text = people.replace("\n25,", "\nn/a,").replace("\n28,", "\nn/a,").replace("\n29,", "\n?,")
    assert message(write("a.csv", text)) == (
        "The column 'age' of the file a.csv is one of numbers and has the text 'n/a' in row 6 "
        "(line 7), the first of 3 such rows of 12 (also '?'): fill in numbers, remove those rows, "
        "or leave the column out with --drop age."
    )


@pytest.mark.parametrize("numbers", [1, 2, 5, 11])
def test_one_typo_never_makes_a_category(message: Message, numbers: int) -> None:
    column = [*(str(i) for i in range(numbers)), "x"]
    text = message({"a": column, "y": [*([0, 1] * 6)][: numbers + 1]})
    assert f"has the text 'x' in row {numbers + 1} (index {numbers})" in text
    assert "categorical=['a']" in text


def test_marks_that_outnumber_the_numbers_are_no_categories(message: Message) -> None:
    column = ["n/a"] * 10 + ["1.5", "2"]
    assert "fill in numbers, remove those rows" in message({"a": column, "y": [0, 1] * 6})


def test_a_typo_in_a_target(write: Write, message: Message) -> None:
    text = "a,price\n" + rows_of(lambda i: f"{i * 7 % 12},{i * 1.5}").replace("7.5", "x7.5")
    assert message(write("a.csv", text)) == (
        "The column 'price' of the file a.csv is one of numbers and has the text 'x7.5' in row 6 "
        "(line 7), the only such row of 12: correct it, say that it is one of classes with --task "
        "classification, or choose another target."
    )


def test_an_infinite_value(write: Write, people: str, message: Message) -> None:
    assert message(write("a.csv", people.replace("\n25,", "\n-inf,"))) == (
        "The column 'age' of the file a.csv has the value -inf, which is infinite, in row 6 (line "
        "7), the only such row of 12: correct it, remove that row, or leave the column out with "
        "--drop age."
    )
    assert "has the value 1e+200, which is larger than 1e+150 in size, in row 6 (line 7)" in (
        message(write("a.csv", people.replace("\n25,", "\n1e200,")))
    )
    assert "the first of 2 such rows of 3: correct them, remove those rows, or choose another" in (
        message({"x": [1.0, 2, 4], "y": [np.inf, 1.5, -np.inf]})
    )


def test_a_constant_target(write: Write, message: Message) -> None:
    assert message(write("a.csv", "a,y\n1,3\n2,3\n")) == (
        "The target column 'y' of the file a.csv has the one value 3 in all 2 rows, from row 1 on, "
        "so there is nothing to learn: choose another column with --target a or the like."
    )
    assert "has the one value 'no' in all 3 rows" in message({"a": [1, 2, 3], "y": ["no"] * 3})
    assert "has the one value True in all 3 rows" in message({"a": [1, 2, 3], "y": [True] * 3})
    assert message(write("b.csv", "a,y\n1,3\n")) == (
        "The file b.csv has only 1 row, so there is nothing to learn: add rows of values."
    )


def test_a_target_that_is_not_there(write: Write, people: str, message: Message) -> None:
    path = write("a.csv", people)
    assert message(path, target="lable") == (
        "The file a.csv has no column 'lable' to be the target; the closest is 'label', the others "
        "are 'age' and 'city'."
    )
    assert message(path, drop=["Age "]) == (
        "The file a.csv has no column 'Age ' to leave out; the closest is 'age', the others are "
        "'label' and 'city'."
    )
    assert "no column 'town', which was to be a category" in message(path, categorical=["town"])
    assert message(path, target="label", drop=["label"]) == (
        "The column 'label' of the file a.csv is both the target and left out: leave out another."
    )


def test_too_few_columns(write: Write, people: str, message: Message) -> None:
    assert message(write("a.csv", "age\n1\n2\n")) == (
        "The file a.csv has only one column, 'age': a network needs at least one feature beside "
        "the target."
    )
    assert "'a b y' (if its columns stand apart by another sign, write commas between them)" in (
        message(write("b.csv", "a b y\n1 2 0\n2 3 1\n"))
    )
    path = write("c.csv", people)
    assert message(path, drop=["age", "city"]) == (
        "The file c.csv has only the target column 'label' when the others are left out: leave out "
        "fewer."
    )
    assert message(path, drop=["age", "city", "label"]) == (
        "All columns of the file c.csv are left out: leave out fewer."
    )


def test_a_regression_on_texts(write: Write, people: str, message: Message) -> None:
    assert message(write("a.csv", people), task="regression") == (
        "The target column 'label' of the file a.csv has texts, such as 'no' in row 1 (line 2), in "
        "all 12 rows, and a regression needs numbers: use --task classification, or choose another "
        "target."
    )


def test_a_target_that_is_an_identifier(write: Write, message: Message) -> None:
    path = write("a.csv", "a,name\n" + rows_of(lambda i: f"{i % 5},n{i // 2 + 3 if i > 5 else i}"))
    assert message(path) == (
        "The target column 'name' of the file a.csv has 9 classes in 12 rows ('n0', 'n1', 'n2' and "
        "6 more), and 'n0' in row 1 (line 2) is the first of 6 that stand only once, too many to "
        "learn any: if it is a name or an identifier, choose another column with --target COLUMN; "
        "else add rows."
    )
    numbers = {"a": [0, 1] * 6, "y": [i * i for i in range(12)]}
    assert "use task='regression', or add rows" in message(numbers, task="classification")


def test_a_feature_that_is_an_identifier(write: Write, message: Message) -> None:
    assert message(write("a.csv", "name,a,y\n" + rows_of(lambda i: f"n{i},{i % 5},{i % 2}"))) == (
        "The column 'name' of the file a.csv has 12 different texts in 12 rows ('n0', 'n1', 'n2' "
        "and 9 more), as a name or an identifier has, and a network learns nothing general from "
        "these: leave the column out with --drop name, or say that it is a category with "
        "--categorical name."
    )
    many = write("b.csv", "name,a,y\n" + rows_of(lambda i: f"n{i % 1200},{i % 5},{i % 2}", 3000))
    for options in ({}, {"categorical": ["name"]}):
        assert (
            "leave the column out with --drop name, or group it into at most 1,000 categories."
        ) in message(many, **options)
    names = {"name": [f"n{i}" for i in range(12)], "y": [0, 1] * 6}
    assert Preparation.learn(read_table(names), categorical=["name"]).input_count == 12


def test_dates_in_texts(write: Write, message: Message) -> None:
    text = "the day,y\n" + rows_of(lambda i: f"2024-01-{i + 1:02d},{i % 2}")
    assert message(write("a.csv", text)) == (
        "The column 'the day' of the file a.csv holds dates or times, such as '2024-01-01', in all "
        "12 rows, from row 1 (line 2) on: turn it into numbers first, such as the year or the days "
        "since a date, leave the column out with --drop 'the day', or say that it is a category "
        "with --categorical 'the day'."
    )


@pytest.mark.parametrize(
    "form", ["{}/3/2024", "{}.3.24 10:30:00", "2024/3/{}T10:30Z", "1{}:30", "10:{}0:30.5"]
)
def test_other_dates_in_texts(message: Message, form: str) -> None:
    column = [form.format(i % 6 + 1) for i in range(12)]
    assert "holds dates or times" in message({"d": column, "y": [0, 1] * 6})


def test_refused_columns_may_be_left_out(message: Message) -> None:
    columns: dict[str, Any] = {
        "day": np.array(["2024-01-01"] * 4, "M8[D]"),
        "list": [[1]] * 4,
        "a": [1, 2, 4, 3],
        "y": [0, 1, 0, 1],
    }
    assert message(columns) == (
        "The column 'day' of the table holds dates or times, which cannot be learned from: turn it "
        "into numbers first, such as the year or the days since a date, or leave the column out "
        "with drop=['day']."
    )
    assert "holds lists or other nested values, which cannot be learned from: give each part a" in (
        message(columns, drop=["day"])
    )
    assert "or choose another target." in message(columns, target="day", drop=["list"])
    preparation = Preparation.learn(read_table(columns), drop=["day", "list"])
    assert preparation.column_names == ("a",)
    assert preparation.transform_features(read_table(columns)).shape == (4, 1)


def test_numbers_that_are_written_with_signs(write: Write, message: Message) -> None:
    text = "v;a;y\n" + rows_of(lambda i: f"{i},{i + 1};{i % 5};{i % 2}")
    assert message(write("a.csv", text)) == (
        "The column 'v' of the file a.csv writes numbers with commas, spaces or signs in them, as "
        "'0,1' in all 12 rows, from row 1 (line 2) on: write plain numbers with a decimal point "
        "(1234.5), leave the column out with --drop v, or say that it is a category with "
        "--categorical v."
    )
    for form in ("{}%", "${}.50", "{} €", "{} 000", "-{}'000"):
        column = [form.format(i + 1) for i in range(12)]
        text = message({"v": column, "y": [0, 1] * 6})
        assert "writes numbers with commas, spaces or signs" in text


def test_age_bands_are_categories() -> None:
    bands = ["18-25", "26-35", "36-50", "50+"] * 5
    preparation = Preparation.learn(read_table({"band": bands, "y": [0, 1] * 10}))
    assert preparation.input_count == 4


@pytest.fixture
def trained(write: Write, people: str) -> Preparation:
    return Preparation.learn(read_table(write("train.csv", people)))


@pytest.fixture
def prediction(trained: Preparation, write: Write) -> Callable[[str], str]:
    """The message that a file fails with when the preparation of `people` is applied to it."""

    def predict(text: str) -> str:
        with pytest.raises(DataError) as caught:
            trained.transform_features(read_table(write("new.csv", text)))
        return str(caught.value)

    return predict


def test_an_unseen_category(prediction: Callable[[str], str]) -> None:
    assert prediction("city,age\nLyon,3\nLyons,4\nRome,5\nLyons,5\n") == (
        "The column 'city' of the file new.csv has the category 'Lyons', which the model was not "
        "trained on, in row 2 (line 3), the first of 3 such rows of 4 (other new ones are 'Rome'); "
        "it knows 'Lyon' and 'Nice': correct such rows, remove them, or train on data that has "
        "them."
    )
    assert "has the category '5', which" in prediction("city,age\n5,3\n")


def test_an_unseen_class(trained: Preparation, write: Write) -> None:
    with pytest.raises(DataError) as caught:
        trained.transform_target(read_table(write("new.csv", "label\nyes\nmaybe\n")))
    assert "has the class 'maybe', which the model was not trained on, in row 2 (line 3)" in (
        str(caught.value)
    )
    with pytest.raises(DataError, match="no column 'label', which is the target; the only one is"):
        trained.transform_target(read_table({"age": [1]}))


def test_missing_columns(prediction: Callable[[str], str]) -> None:
    assert prediction("cty,age\nLyon,3\n") == (
        "The file new.csv lacks the column 'city', which the model was trained on: add it or "
        "correct the name; of its columns, the closest is 'cty', the other is 'age'."
    )
    assert prediction("cty,ages,z\nLyon,3,4\n") == (
        "The file new.csv lacks the columns 'age' and 'city' (2 in all), which the model was "
        "trained on: add it or correct the name; of its columns, the closest to 'age' is 'ages', "
        "the others are 'cty' and 'z'."
    )


def test_what_a_model_needs_cannot_be_left_out(prediction: Callable[[str], str]) -> None:
    assert prediction("city,age\nLyon,3\n,4\n") == (
        "The column 'city' of the file new.csv has no value in row 2 (line 3), the only such row "
        "of 2: fill it in, or remove that row."
    )
    assert prediction("city,age\nLyon,3o\nNice,x\n") == (
        "The column 'age' of the file new.csv is one of numbers and has the text '3o' in all 2 "
        "rows, from row 1 (line 2) on (also 'x'): correct them."
    )
    assert prediction("city,age\nLyon,inf\n") == (
        "The column 'age' of the file new.csv has the value inf, which is infinite, in row 1 (line "
        "2), the only row: correct it, or remove that row."
    )


def test_a_number_too_far_away() -> None:
    preparation = Preparation.learn(read_table({"x": [0, 1e-300, 3e-300], "y": [0, 1, 0]}))
    with pytest.raises(DataError) as caught:
        preparation.transform_features(read_table({"x": [0.0, 1e100]}))
    assert "has a number in row 2 (index 1), the first of 1 such rows of 2, that lies too far" in (
        str(caught.value)
    )


def test_names_with_quotes_and_newlines_stay_on_one_line(message: Message) -> None:
    columns = {"it's\nlong " + "x" * 80: [1, None], "y": [0, 1]}
    text = message(columns)
    assert """The column "it's\\nlong xxxxx""" in text
    assert "…" in text
