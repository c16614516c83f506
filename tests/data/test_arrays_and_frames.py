"""Tables from Parquet and NumPy files, arrays, mappings and data frames."""

import datetime
import decimal
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from chainrule.data import Preparation, Table, read_table
from chainrule.data.columns import NumberColumn, RefusedColumn, WordColumn

pd = pytest.importorskip("pandas")

Write = Callable[[str, str | bytes], str]
Message = Callable[..., str]


def numbers(table: Table, name: str) -> list[float]:
    column = table.columns[name]
    assert isinstance(column, NumberColumn)
    return column.values.tolist()


def words(table: Table, name: str) -> list[Any]:
    column = table.columns[name]
    assert isinstance(column, WordColumn)
    return [None if code < 0 else column.words[code] for code in column.codes]


MIXED = {
    "whole": [3, 1, 2],
    "real": [0.5, None, -1.0],
    "city": ["Lyon", None, "Nice"],
    "ill": [True, False, True],
}


def test_parquet_and_a_polars_frame_and_csv_give_the_same_table(folder: Path) -> None:
    frame = pl.DataFrame(MIXED)
    frame.write_parquet(folder / "a.parquet")
    frame.write_csv(folder / "a.csv")
    for source in ("a.parquet", frame, "a.csv", MIXED):
        table = read_table(source)
        assert table.column_names == ("whole", "real", "city", "ill")
        assert table.row_count == 3
        assert numbers(table, "whole") == [3, 1, 2]
        np.testing.assert_array_equal(numbers(table, "real"), [0.5, np.nan, -1.0])
        assert words(table, "city") == ["Lyon", None, "Nice"]
        assert words(table, "ill") == [True, False, True]


def test_polars_types() -> None:
    frame = pl.DataFrame(
        {
            "small": pl.Series([1, None, 3], dtype=pl.Int8),
            "large": pl.Series([1, 2, 2**63], dtype=pl.UInt64),
            "half": pl.Series([0.5, 1, 2], dtype=pl.Float32),
            "money": pl.Series([decimal.Decimal("1.25")] * 3),
            "nothing": pl.Series([None] * 3),
            "maybe": pl.Series([True, None, False]),
            "size": pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "a", "z"])),
            "kind": pl.Series(["b", "a", None], dtype=pl.Categorical),
            "digits": pl.Series(["1", "2", "1"], dtype=pl.Categorical),
            "day": pl.Series([datetime.date(2024, 1, 1)] * 3),
            "list": pl.Series([[1, 2]] * 3),
            "bytes": pl.Series([b"a"] * 3),
        }
    )
    table = read_table(frame)
    np.testing.assert_array_equal(numbers(table, "small"), [1, np.nan, 3])
    assert numbers(table, "large") == [1, 2, 2**63]
    assert numbers(table, "half") == [0.5, 1, 2]
    assert numbers(table, "money") == [1.25] * 3
    assert np.isnan(numbers(table, "nothing")).all()
    assert words(table, "maybe") == [True, None, False]
    assert words(table, "size") == ["b", "a", "b"]
    assert words(table, "kind") == ["b", "a", None]
    assert words(table, "digits") == ["1", "2", "1"]
    assert all(isinstance(table.columns[n], RefusedColumn) for n in ("day", "list", "bytes"))


def test_a_declared_category_keeps_its_order_and_stays_a_category() -> None:
    frame = pl.DataFrame(
        {
            "size": pl.Series(["b", "a", "b", "a"], dtype=pl.Enum(["b", "a", "z"])),
            "digit": pl.Series(["2", "10", "2", "10"], dtype=pl.Categorical),
            "y": [0, 1, 1, 0],
        }
    )
    preparation = Preparation.learn(read_table(frame))
    assert preparation.feature_names == ("size=b", "size=a", "digit=10", "digit=2")


def test_pandas_types() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "real": [0.5, None, 2.0],
            "text": ["a", None, "b"],
            "object": pd.Series([1, 2.5, decimal.Decimal("3")], dtype=object),
            "truth": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "kind": pd.Categorical(["b", "a", None], categories=["b", "a", "z"]),
            "day": pd.to_datetime(["2024-01-01"] * 3),
            "span": pd.to_timedelta([1, 2, 3]),
            "list": [[1], [2], [3]],
            5: [1, 2, 3],
        },
    )
    frame.index = [7, 8, 9]
    before = frame.copy()
    table = read_table(frame)
    assert table.column_names[-1] == "5"
    assert numbers(table, "whole") == [1, 2, 3]
    np.testing.assert_array_equal(numbers(table, "nullable"), [1, np.nan, 3])
    np.testing.assert_array_equal(numbers(table, "real"), [0.5, np.nan, 2])
    assert words(table, "text") == ["a", None, "b"]
    assert numbers(table, "object") == [1, 2.5, 3]
    assert words(table, "truth") == [True, False, True]
    assert words(table, "maybe") == [True, None, False]
    assert words(table, "kind") == ["b", "a", None]
    assert all(isinstance(table.columns[n], RefusedColumn) for n in ("day", "span", "list"))
    pd.testing.assert_frame_equal(frame, before)


def test_a_pair_and_its_names() -> None:
    X, y = np.arange(6.0).reshape(3, 2), np.array(["a", "b", "a"])
    table = read_table((X, y))
    assert table.column_names == ("x1", "x2", "y")
    assert table.target == "y"
    assert words(table, "y") == ["a", "b", "a"]
    assert read_table((X, y.reshape(-1, 1))).column_names == ("x1", "x2", "y")
    frame = pd.DataFrame({"y": [1, 2, 3], "b": [4, 5, 6]})
    assert read_table((frame, y)).column_names == ("y", "b", "target")
    assert read_table((frame, pd.Series([0, 1, 0], name="ill"))).target == "ill"
    assert read_table((frame, pd.DataFrame({"ill": [0, 1, 0]}))).target == "ill"
    assert read_table((pl.DataFrame({"a": [1, 2, 3]}), pl.Series("t", [1, 2, 3]))).target == "t"
    assert read_table((X.tolist(), [0, 1, 0])).column_names == ("x1", "x2", "y")


def test_arrays_of_every_type() -> None:
    assert numbers(read_table(np.array([[1, 2]], np.uint8)), "x2") == [2]
    assert numbers(read_table(np.array([[0.5]], np.float16)), "x1") == [0.5]
    assert words(read_table(np.array([[True], [False]])), "x1") == [True, False]
    assert words(read_table(np.array([["a", "1"], ["b", "2"]])), "x1") == ["a", "b"]
    assert numbers(read_table(np.array([["a", "1"], ["b", "2"]])), "x2") == [1, 2]
    assert words(read_table(np.array([[b"a"], [b"b"]])), "x1") == ["a", "b"]
    masked = np.ma.array([[1.0], [2.0]], mask=[[False], [True]])
    np.testing.assert_array_equal(numbers(read_table(masked), "x1"), [1, np.nan])
    record = np.array([(1, "a"), (2, "b")], dtype=[("n", "i4"), ("w", "U1")])
    assert read_table(record).column_names == ("n", "w")
    for array in (np.zeros((2, 1), complex), np.zeros((2, 1), "M8[D]")):
        assert isinstance(read_table(array).columns["x1"], RefusedColumn)
    objects = {
        "big": [2**70, 1],
        "none": [None, None],
        "nested": [{}, {}],
        "time": [datetime.time()] * 2,
    }
    table = read_table(objects)
    assert numbers(table, "big") == [2.0**70, 1]
    assert np.isnan(numbers(table, "none")).all()
    assert isinstance(table.columns["nested"], RefusedColumn)
    assert isinstance(table.columns["time"], RefusedColumn)


def test_the_table_does_not_change_with_the_array() -> None:
    X = np.arange(6.0).reshape(3, 2)
    table = read_table(X)
    X[:] = 0
    assert numbers(table, "x2") == [1, 3, 5]


def test_npz_and_npy(folder: Path) -> None:
    X, y = np.arange(8.0).reshape(4, 2), np.array(["a", "b", "a", "b"])
    np.savez(folder / "pair.npz", X=X, y=y, extra=y)
    table = read_table("pair.npz")
    assert (table.column_names, table.target) == (("x1", "x2", "y"), "y")
    assert table.notes == ("The file pair.npz has other arrays, which are not read: 'extra'.",)
    np.savez(folder / "one.npz", X)
    assert read_table("one.npz").column_names == ("x1", "x2")
    np.savez_compressed(folder / "columns.npz", a=X[:, 0], b=y)
    assert words(read_table("columns.npz"), "b") == y.tolist()
    np.save(folder / "a.npy", X)
    assert numbers(read_table("a.npy"), "x2") == [1, 3, 5, 7]
    assert read_table(folder / "a.npy").place(0) == "row 1"


def test_refused_arrays(message: Message) -> None:
    assert message(np.arange(4.0)) == (
        "The table is an array of shape (4,), and a table is 2-D (rows, columns): reshape a lone "
        "feature with x.reshape(-1, 1)."
    )
    assert "(5, 8, 8), and a table is 2-D (rows, columns): flatten each sample" in (
        message((np.zeros((5, 8, 8)), np.arange(5)))
    )
    assert message(np.zeros((0, 3))) == "The table is an array of shape (0, 3): it is empty."
    assert message((np.eye(3), np.arange(4))) == (
        "The table has 3 rows in X and 4 values in y: give one value for each row."
    )
    assert "y of shape (3, 3), and a target is one column, (n,) or (n, 1)" in (
        message((np.eye(3), np.eye(3)))
    )
    assert message({"a": [1, 2], "b": [1, 2, 3]}) == (
        "The column 'a' has 2 values and the column 'b' has 3: make them equal."
    )
    assert "The column 'a' has the shape (2, 2), and a column is 1-D" in message({"a": np.eye(2)})
    assert message({}) == "The table has no columns: it is empty."
    assert message({"a": []}) == "The table has columns and no rows: add rows of values."
    assert message((np.eye(2), np.eye(2), 3)) == "A tuple of 3 is no table: give a pair (X, y)."
    assert message([[1, 2], [3]]) == "The rows of the list differ in length: make them equal."
    assert "An object of the type int is no table: give a path, a 2-D NumPy" in message(5)
    assert "is a lazy polars frame: call its collect() first" in message(pl.LazyFrame({"a": [1]}))
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"])
    assert "The table has 2 columns called 'a', the 1st and 3rd" in message(frame)
    sparse = pytest.importorskip("scipy.sparse").csr_array(np.eye(2))
    assert message(sparse) == "The table is a sparse matrix: call its toarray() first."


def parquet_bytes() -> bytes:
    stream = io.BytesIO()
    pl.DataFrame({"a": list(range(50)), "y": ["no", "yes"] * 25}).write_parquet(stream)
    return stream.getvalue()


def test_damaged_parquet(write: Write, people: str, message: Message, capfd: Any) -> None:
    good = parquet_bytes()
    assert "is cut off: it begins as Parquet and does not end as Parquet" in (
        message(write("a.parquet", good[:-20]))
    )
    assert message(write("b.parquet", people)) == (
        "The file b.parquet is not Parquet; it begins with 'age,city,label\\n20,Ni': if it is CSV, "
        "give it the ending .csv."
    )
    assert message(write("c.parquet", "")) == "The file c.parquet is empty: it has no bytes at all."
    assert "is not Parquet but compressed with gzip" in message(write("d.parquet", b"\x1f\x8b123"))
    for place in range(4, len(good) - 12, 7):
        damaged = (
            good[:place]
            + bytes(byte ^ 0x55 for byte in good[place : place + 5])
            + good[place + 5 :]
        )
        try:
            read_table(write("e.parquet", damaged))
        except ValueError as error:
            assert "The file e.parquet" in str(error)  # noqa: PT017 - it may also be readable
    assert capfd.readouterr().err == ""
    frame = pl.DataFrame({"a": [], "y": []}, schema={"a": pl.Int64, "y": pl.String})
    stream = io.BytesIO()
    frame.write_parquet(stream)
    assert "has column names and no rows" in message(write("f.parquet", stream.getvalue()))


def test_damaged_numpy_files(write: Write, people: str, folder: Path, message: Message) -> None:
    np.savez(folder / "a.npz", X=np.eye(6), y=np.arange(6) % 2)
    data = (folder / "a.npz").read_bytes()
    assert "is a damaged or cut off .npz file" in message(write("b.npz", data[:200]))
    assert "is not an .npz file; it begins with" in message(write("c.npz", people))
    np.save(folder / "a.npy", np.eye(6))
    data = (folder / "a.npy").read_bytes()
    assert "is a damaged or cut off .npy file" in message(write("b.npy", data[:150]))
    assert "is a damaged or cut off .npy file" in message(write("c.npy", data[:20] + data[60:]))
    assert "is not an .npy file; it begins with" in message(write("d.npy", people))


def test_objects_in_numpy_files_are_never_loaded(folder: Path, message: Message) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (folder / "sprung",))

    objects = np.empty((2, 2), object)
    objects[:] = Trap()
    np.save(folder / "a.npy", objects)
    np.savez(folder / "a.npz", X=objects)
    for name in ("a.npy", "a.npz"):
        assert message(name) == (
            f"The file {name} holds Python objects, which could run any program and are never "
            "loaded: save arrays of numbers or of texts (dtype=str)."
        )
    assert not (folder / "sprung").exists()


def test_arrays_that_make_no_table(folder: Path, message: Message) -> None:
    np.savez(folder / "a.npz", a=np.eye(3), b=np.arange(4))
    assert message("a.npz") == (
        "The file a.npz has arrays that make no table ('a' (3, 3), 'b' (4,)): save a 2-D X and a "
        "1-D y, one 2-D array, or 1-D columns of one length."
    )
    np.savez(folder / "b.npz")
    assert "has no arrays in it" in message("b.npz")


def test_a_million_rows_of_parquet_are_prepared_without_a_loop(folder: Path) -> None:
    import time

    n = 1_000_000
    rng = np.random.default_rng(0)
    pl.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": np.array(["red", "green", "blue"])[rng.integers(0, 3, n)],
            "y": rng.integers(0, 2, n),
        }
    ).write_parquet(folder / "a.parquet")
    start = time.perf_counter()
    table = read_table("a.parquet")
    preparation = Preparation.learn(table)
    X = preparation.transform_features(table)
    assert time.perf_counter() - start < 3
    assert X.shape == (n, 4)
    np.testing.assert_array_equal(X[:, 1:].sum(axis=1), 1)


def test_importing_the_data_layer_loads_no_heavy_library() -> None:
    program = (
        "import sys, numpy as np, chainrule.data as d;"
        "t = d.read_table((np.eye(4), np.array(list('abab'))));"
        "d.Preparation.learn(t).transform_features(t); d.builtin('moons');"
        "print(sorted({'polars', 'pandas', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
