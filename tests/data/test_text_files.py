"""Reading CSV: separators, quotes, names, lines and encodings, against Python's own reader."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Preparation, Table, read_table
from chainrule.data.columns import NumberColumn, WordColumn
from chainrule.errors import DataError, SettingError

Write = Callable[[str, str | bytes], str]
Message = Callable[..., str]


def cells(table: Table, name: str) -> list[str | None]:
    """A column as the texts that stood in the file, None where there is none."""
    column = table.columns[name]
    assert isinstance(column, NumberColumn | WordColumn)
    words = column.as_words()
    return [None if code < 0 else str(words.words[code]) for code in words.codes]


@pytest.mark.parametrize(
    ("separator", "name"), [(",", "a.csv"), (";", "a.csv"), ("\t", "a.tsv"), ("|", "a.txt")]
)
def test_the_separator_is_found(write: Write, people: str, separator: str, name: str) -> None:
    table = read_table(write(name, people.replace(",", separator)))
    assert table.column_names == ("age", "city", "label")
    assert table.row_count == 12
    assert table.name == f"the file {name}"
    assert table.from_file


def test_the_separator_is_not_a_comma_within_the_fields(write: Write) -> None:
    table = read_table(write("a.csv", 'a;b\n1;"x, y, z"\n2;"x, y"\n'))
    assert cells(table, "b") == ["x, y, z", "x, y"]


def test_numbers_stay_whole_and_words_keep_their_spelling(write: Write) -> None:
    table = read_table(write("a.csv", "n,zip,f\n1,01234,1e3\n-2,00999,.5\n"))
    number, code, real = (table.columns[name] for name in ("n", "zip", "f"))
    assert isinstance(number, NumberColumn)
    assert number.values.tolist() == [1, -2]
    assert number.values.dtype == np.int64
    assert isinstance(code, NumberColumn)
    assert code.as_words().words == ("01234", "00999")
    assert isinstance(real, NumberColumn)
    assert real.values.tolist() == [1000.0, 0.5]


def test_spaces_around_fields_do_not_count(write: Write) -> None:
    table = read_table(write("a.csv", "a , b, y\n 1 , x ,0\n2,x ,1\n"))
    assert table.column_names == ("a", "b", "y")
    assert isinstance(table.columns["a"], NumberColumn)
    assert cells(table, "b") == ["x", "x"]


def test_truth_values_of_any_spelling_are_booleans(write: Write) -> None:
    column = read_table(write("a.csv", "a,y\nTrue,0\nfalse,1\nTRUE,0\n")).columns["a"]
    assert isinstance(column, WordColumn)
    assert column.boolean
    assert column.codes.tolist() == [1, 0, 1]


def test_quoted_fields_may_hold_separators_newlines_and_quotes(write: Write) -> None:
    table = read_table(write("a.csv", 'a,b\n1,"x, y"\n2,"two\nlines"\n3,"say ""hi"""\n4,5" pipe\n'))
    assert cells(table, "b") == ["x, y", "two\nlines", 'say "hi"', '5" pipe']


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", [True, False])
def test_any_line_end_is_read(write: Write, people: str, newline: str, end: bool) -> None:
    text = people if end else people.rstrip("\n")
    table = read_table(write("a.csv", text.replace("\n", newline).encode()))
    assert table.row_count == 12
    assert set(cells(table, "label")) == {"no", "yes"}


def test_blank_lines_do_not_count_and_rows_keep_their_lines(write: Write) -> None:
    table = read_table(write("a.csv", '\na,b\n1,2\n\n\n3,"4\n"\n   \n5,6\n\n'))
    assert table.row_count == 3
    assert [table.place(row) for row in range(3)] == [
        "row 1 (line 3)",
        "row 2 (line 6)",
        "row 3 (line 9)",
    ]


def test_taken_rows_keep_their_place_in_the_file(write: Write, people: str) -> None:
    table = read_table(write("a.csv", people)).take(np.array([3, 7, 9])).take(np.array([1, 2]))
    assert table.row_count == 2
    assert table.place(0) == "row 8 (line 9)"
    assert cells(table, "age") == ["27", "29"]


FIELD = st.text(st.sampled_from('ab1 ,;"\n.é-'), max_size=6)


@given(data=st.data(), width=st.integers(2, 4), height=st.integers(1, 8), quote=st.booleans())
def test_what_python_writes_is_read_cell_by_cell(
    data: st.DataObject,
    width: int,
    height: int,
    quote: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = [[data.draw(FIELD) for _ in range(width)] for _ in range(height)]
    stream = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
    writer = csv.writer(stream, quoting=quoting, lineterminator="\n")
    names = [f"name {place}" for place in range(width)]
    writer.writerows([names, *rows])
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text(stream.getvalue(), encoding="utf-8", newline="")
    table = read_table(path)
    assert table.column_names == tuple(names)
    assert table.row_count == height
    lines = [1]
    reader = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    for _ in reader:
        lines.append(reader.line_num + 1)
    for place, name in enumerate(names):
        assert cells(table, name) == [row[place].strip() or None for row in rows]
    for row in range(height):
        assert table.place(row) in (f"row {row + 1} (line {lines[row + 1]})", f"row {row + 1}")


def test_a_file_without_names_is_told_from_its_numbers(write: Write) -> None:
    table = read_table(write("a.csv", "5.1,3.5,setosa\n4.9,3.0,setosa\n7.0,3.2,other\n"))
    assert table.column_names == ("x1", "x2", "x3")
    assert table.row_count == 3
    assert table.notes == (
        "The file a.csv has no line of column names: its columns are called x1 to x3.",
    )
    assert table.place(0) == "row 1 (line 1)"


@pytest.mark.parametrize(
    "first", ["0,1,2,3,4,5", "1,2,3,4,5,6", "2000,2001,2002,2003,2004,2005", "a,b,c,d,e,1"]
)
def test_names_that_are_numbers_counting_up_are_names(write: Write, first: str) -> None:
    table = read_table(write("a.csv", f"{first}\n.1,.2,.3,.4,.5,.6\n"))
    assert table.column_names == tuple(first.split(","))


def test_whether_there_are_names_may_be_said(write: Write) -> None:
    path = write("a.csv", "1,2\n2,4\n3,6\n")
    assert read_table(path, header=True).row_count == 2
    assert read_table(path, header=False).row_count == 3
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert str(caught.value) == (
        "The first line of the file a.csv ('1' and '2') may be column names or values: put a line "
        "of names in words above it."
    )


def test_an_index_without_a_name_is_left_out_with_a_note(write: Write) -> None:
    table = read_table(write("a.csv", ",a,y\n0,5,1\n1,6,0\n2,7,1\n"))
    assert table.column_names == ("a", "y")
    assert table.notes == (
        "The 1st column of the file a.csv, which has no name and counts the rows, is left out.",
    )


def test_a_separator_at_the_end_of_each_line_is_left_out_with_a_note(write: Write) -> None:
    table = read_table(write("a.csv", "a,y,\n5,1,\n6,0,\n"))
    assert table.column_names == ("a", "y")
    assert "3rd column of the file a.csv, which has no name and no values" in table.notes[0]


def test_another_column_without_a_name_is_refused(write: Write, message: Message) -> None:
    assert message(write("a.csv", "a,,y\n5,8,1\n6,9,0\n")) == (
        "The file a.csv has no name for its 2nd column, though it has for others ('a'): write one "
        "into the first line."
    )


def test_empty_files(write: Write, message: Message) -> None:
    says = "The file a.csv is empty: it needs column names and rows of values."
    assert message(write("a.csv", "")) == says
    assert message(write("a.csv", "\n \n")) == says
    assert message(write("a.csv", "a,b,y\n")) == (
        "The file a.csv has a line of column names and no rows below it: add rows of values."
    )


def test_ragged_rows(write: Write, people: str, message: Message) -> None:
    short = people.replace("25,Lyon,yes", "25,Lyon").replace("27,Lyon,yes", "27")
    assert message(write("a.csv", short)) == (
        "The file a.csv has 2 values in row 6 (line 7) where the line of names has 3, the first of "
        "2 such rows of 12: separate the values of each row by 2 commas, and put quotation marks "
        "around a text that has one in it."
    )
    long = people.replace("25,Lyon,yes", "25,Lyon,yes,no").replace(",", ";")
    assert (
        "has 4 values in row 6 (line 7) where the line of names has 3, the only such row of 12: "
        "separate the values of each row by 2 semicolons"
    ) in message(write("a.csv", long))


def test_a_short_row_is_found_beside_missing_values(write: Write, message: Message) -> None:
    assert "has 1 value in row 3 (line 4)" in message(write("a.csv", "a,y\n1,\n2,0\n3\n4,1\n"))


def test_an_open_quotation_mark(write: Write, people: str, message: Message) -> None:
    assert message(write("a.csv", people.replace("25,Lyon", '25,"Lyon'))) == (
        "The file a.csv opens a quotation mark in the record at line 7 and never closes it: close "
        "it, or write it twice where it is part of a text."
    )


def test_duplicate_names(write: Write, message: Message) -> None:
    assert message(write("a.csv", "a,b,a,b,y\n1,2,3,4,0\n2,3,4,5,1\n")) == (
        "The file a.csv has 2 columns called 'a', the 1st and 3rd (and 1 other name too): give "
        "every column a name of its own."
    )


def test_latin_1_is_named_and_then_read(write: Write, people: str, message: Message) -> None:
    path = write("a.csv", people.replace("Nice", "Orléans").encode("latin-1"))
    assert message(path) == (
        "The file a.csv is not UTF-8 text: byte 22 (0xE9, in line 2, one of 4 that are not ASCII) "
        "does not decode, and the text around it would be '20,Orléans,no' in latin-1: try "
        "--encoding latin-1, or save the file as UTF-8."
    )
    assert cells(read_table(path, encoding="latin-1"), "city")[0] == "Orléans"


def test_windows_text_is_named(write: Write, people: str, message: Message) -> None:
    path = write("a.csv", people.replace("Nice", "5€").encode("cp1252"))
    assert "would be '20,5€,no' in cp1252: try --encoding cp1252" in message(path)
    assert cells(read_table(path, encoding="cp1252"), "city")[0] == "5€"


def test_utf_16_is_named_and_then_read(write: Write, people: str, message: Message) -> None:
    path = write("a.csv", people.encode("utf-16"))
    assert message(path) == (
        "The file a.csv is UTF-16 text, as its first bytes say, and was to be read as UTF-8: add "
        "--encoding utf-16."
    )
    assert read_table(path, encoding="utf-16").column_names == ("age", "city", "label")
    assert "every other byte is zero, and was to be read as UTF-8: try --encoding utf-16-be" in (
        message(write("b.csv", people.encode("utf-16-be")))
    )


def test_a_byte_order_mark_is_no_part_of_the_first_name(write: Write, people: str) -> None:
    table = read_table(write("a.csv", people.encode("utf-8-sig")))
    assert table.column_names[0] == "age"


def test_other_encodings(write: Write, people: str, message: Message) -> None:
    path = write("a.csv", people.replace("Nice", "Orléans"))
    assert "is not ascii text: its byte 22 does not decode" in message(path, encoding="ascii")
    for encoding in ("latin-99", "hex"):
        with pytest.raises(SettingError) as caught:
            read_table(path, encoding=encoding)
        assert f"There is no text encoding '{encoding}': the common ones" in str(caught.value)


def test_bytes_that_are_no_text(write: Write, people: str, message: Message) -> None:
    assert message(write("a.csv", people.encode().replace(b"25", b"2\x005"))) == (
        "The file a.csv is not text: it has 1 zero bytes, the first at byte 74 (line 7): save the "
        "table as CSV again."
    )
    assert message(write("a.csv", b"PAR1....PAR1")) == (
        "The file a.csv is not text but a Parquet file: give it the ending .parquet."
    )
    assert "is not text but a zip archive, such as an Excel workbook" in (
        message(write("a.csv", b"PK\x03\x04...."))
    )


def test_files_that_are_not_there(
    write: Write, folder: Path, people: str, message: Message
) -> None:
    assert message("irs.csv") == "There is no file irs.csv; in this folder is no data file."
    write("wine.csv", people)
    assert message("irs.csv") == (
        "There is no file irs.csv; the one data file in this folder is 'wine.csv'."
    )
    write("iris.csv", people)
    assert message("irs.csv") == (
        "There is no file irs.csv; the data files in this folder are 'iris.csv' and 'wine.csv', "
        "the closest name first."
    )
    assert message("nowhere/irs.csv") == (
        "There is no file nowhere/irs.csv, nor a folder nowhere: check the path."
    )
    assert "There is no file and no built-in data set xr: the data sets are 'xor'," in message("xr")
    assert message(str(folder)) == (
        f"{folder} is a folder: name a data file in it, such as 'iris.csv' or 'wine.csv'."
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.xlsx", "ends in .xlsx; what can be read is CSV (.csv, .tsv, .txt), Parquet (.parquet)"),
        ("a.xlsx", "in the spreadsheet program, save the sheet as CSV"),
        ("a.csv.gz", "decompress it first"),
        ("a.pkl", "a pickle can run any program, so it is never read"),
        ("a", "has no ending; what can be read"),
    ],
)
def test_files_of_another_kind(write: Write, message: Message, name: str, says: str) -> None:
    assert says in message(write(name, "x"))


def test_a_file_that_may_not_be_read(
    write: Write, people: str, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("a.csv", people)

    def refuse(_: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "The file a.csv may not be read by this user: change its permissions" in message(path)


def test_a_path_that_cannot_be_one(folder: Path, message: Message) -> None:
    assert message("a\0b.csv") == r"There is no file 'a\x00b.csv'; in this folder is no data file."
    assert "cannot be read (file name too long): check the path" in message("x" * 5000 + ".csv")


def test_speed_of_ten_thousand_mixed_rows(write: Write) -> None:
    import time

    rng = np.random.default_rng(0)
    names = [f"n{i}" for i in range(8)] + ["c1", "c2", "c3", "y"]
    numbers = rng.normal(size=(10_000, 8)).round(4).astype(str)
    words = np.array(["red", "green", "dark blue"])[rng.integers(0, 3, (10_000, 4))]
    rows = np.concatenate([numbers, words], axis=1)
    path = write("a.csv", "\n".join(",".join(row) for row in [names, *rows.tolist()]))
    times: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        table = read_table(path)
        preparation = Preparation.learn(table)
        X, y = preparation.transform_features(table), preparation.transform_target(table)
        times.append(time.perf_counter() - start)
        assert X.shape == (10_000, 17)
        assert y.shape == (10_000, 3)
    # The fastest of three, since other work on the machine is not this function's.
    assert min(times) < 0.3
