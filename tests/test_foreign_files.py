"""Tables as text: the same table comes back whatever its dress, and what is no table is refused with the remedy."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from contextlib import suppress
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kdtune.columns import ID, TEACHER_ID
from kdtune.errors import RequestError
from kdtune.foreign import text_files, text_rows
from kdtune.foreign.files import read_file

TABLE = "temp,width,seed,num_error\n1,10,0,178\n2.5,10,1,149\n4,20,0,150\n"
FRAME = pd.DataFrame({"temp": [1, 2.5, 4], "width": [10, 10, 20], "seed": [0, 1, 0], "num_error": [178, 149, 150]})
ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def read(tmp_path):
    """Read a text or bytes as a file."""

    def read_content(content, name="own.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_file(path)

    return read_content


def refuse(read, content, name="own.csv"):
    """Return the message that refuses a file, without its folder."""
    with pytest.raises(RequestError) as error:
        read(content, name)
    message = str(error.value)
    return message[message.index(name) :]


# Dresses of one table.

_TEXTS = st.text("abz é,;|'\t", min_size=1, max_size=6).map(lambda text: f"x{text}y")
_ROW = st.tuples(
    st.integers(-8, 4000).map(lambda number: number / 4),
    st.none() | st.integers(-3, 10**6),
    st.none() | _TEXTS,
    st.integers(0, 99),
    st.booleans(),
)
_TABLES = st.lists(_ROW, min_size=1, max_size=8)


@st.composite
def dresses(draw):
    """Draw how a table is written as text."""
    separator = draw(st.sampled_from(",;\t|"))
    quotes_all = draw(st.booleans())
    return {
        "separator": separator,
        "quoting": csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL,
        "decimal": draw(st.sampled_from(".,")),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be-sig", "utf-32"])),
        "line_end": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "has_last_end": draw(st.booleans()),
        "blank_rows": draw(st.lists(st.sampled_from(["", " ", "separators"]), max_size=3)),
        "blank_places": draw(st.lists(st.integers(0, 8), min_size=3, max_size=3)),
        "padding": draw(st.sampled_from(["", " ", "  "])),
        "null": draw(st.sampled_from(["", "NA", "nan", "null", "None"])),
        "repeats_header": draw(st.booleans()),
        "has_last_separator": draw(st.booleans()),
        "title": draw(st.sampled_from(["", "Results", "# made, by me"])),
        "declares": draw(st.booleans()),
        "name": draw(st.sampled_from(["own.csv", "own.tsv", "own.txt", "own"])),
        "compression": draw(st.sampled_from(["", "gzip", "zip"])),
        "reader": draw(st.sampled_from(["text", "numbers", "records"])),
    }


def write_text(rows, dress):
    """Return a table as the bytes of a file in a dress."""
    separator = dress["separator"]

    def format_value(value):
        if value is None:
            return dress["null"]
        return str(value).replace(".", dress["decimal"]) if isinstance(value, float) else str(value)

    table = [["temp", "width", "name", "num_error", "done"], *([format_value(value) for value in row] for row in rows)]
    if dress["repeats_header"]:
        table.append(table[0])
    lines = []
    for row in table:
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=separator, quoting=dress["quoting"], lineterminator="").writerow(row)
        line = buffer.getvalue()
        if dress["padding"] and separator != "\t" and not any(separator in value for value in row):
            line = line.replace(separator, dress["padding"] + separator + dress["padding"])
        lines.append(line + separator * dress["has_last_separator"])
    for blank, place in zip(dress["blank_rows"], dress["blank_places"], strict=False):
        lines.insert(1 + place % len(lines), separator * 4 if blank == "separators" else blank)
    if dress["title"]:
        lines.insert(0, dress["title"])
    if dress["declares"]:
        lines.insert(0, f"sep={separator}")
    text = dress["line_end"].join(lines) + dress["line_end"] * dress["has_last_end"]
    content = (
        ("\ufeff" + text).encode("utf-16-be")
        if dress["encoding"] == "utf-16-be-sig"
        else text.encode(dress["encoding"])
    )
    if dress["compression"] == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("table.csv", content)
        return buffer.getvalue()
    return gzip.compress(content) if dress["compression"] == "gzip" else content


def expect_frame(rows):
    """Return the frame that a table must come back as, made without any reader."""
    temp, width, name, num_error, done = zip(*rows, strict=True)
    widths = pd.Series(width, dtype="Int64")
    if all(value is None for value in width):
        widths = pd.Series(np.nan, index=range(len(rows)))
    elif None not in width:
        widths = widths.astype("int64")
    has_names = any(value is not None for value in name)
    names = pd.Series(name, dtype="str") if has_names else pd.Series(np.nan, index=range(len(rows)))
    return pd.DataFrame({"temp": temp, "width": widths, "name": names, "num_error": num_error, "done": done})


@given(rows=_TABLES, dress=dresses())
@settings(ANY_FOLDER, max_examples=120)
def test_the_same_table_comes_back_whatever_its_dress(tmp_path, rows, dress):
    path = tmp_path / dress["name"]
    path.write_bytes(write_text(rows, dress))
    large = 0 if dress["reader"] == "numbers" else 1 << 40
    regular_reader = (lambda *arguments: None) if dress["reader"] == "records" else text_rows._read_regular_rows
    with (
        mock.patch.object(text_files, "_LARGE", large),
        mock.patch.object(text_rows, "_read_regular_rows", regular_reader),
    ):
        table = read_file(path)
    pd.testing.assert_frame_equal(table.frame, expect_frame(rows), check_exact=True)
    notes = " ".join(table.notes)
    assert ("separator" in notes) == (dress["separator"] != ",")
    assert ("Decimals have commas" in notes) == (dress["decimal"] == ",")
    assert ("encoded" in notes) == (dress["encoding"] not in ("utf-8", "utf-8-sig"))
    assert ("once more" in notes) == dress["repeats_header"]
    if dress["has_last_end"]:  # Else an empty last row is none.
        assert ("empty row" in notes) == bool(dress["blank_rows"])
    assert ("Results" in notes) == (dress["title"] == "Results")


@given(
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=5), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)
)
@settings(ANY_FOLDER)
@example([1e308, float("inf")], [2**53 + 1])
def test_numbers_come_back_to_the_last_bit(tmp_path, floats, integers):
    floats = (floats * len(integers))[: len(integers)]
    frame = pd.DataFrame({"a": floats, "b": integers})
    frame.to_csv(tmp_path / "own.csv", index=False)
    pd.testing.assert_frame_equal(read_file(tmp_path / "own.csv").frame, frame, check_exact=True)


@given(
    st.binary(max_size=200)
    | st.text(max_size=80).map(str.encode)
    | st.text('ab1.,;\t|"\n #-[]{}:', max_size=80).map(str.encode)
)
@settings(ANY_FOLDER, max_examples=150)
def test_any_file_is_read_or_refused(tmp_path, content):
    path = tmp_path / "own.csv"
    path.write_bytes(content)
    with suppress(RequestError):
        table = read_file(path)
        assert len(table.frame)
        assert table.frame.columns.is_unique


# What is said and what is refused.


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (TABLE.replace(",", ";"), "The separator is a semicolon (;)."),
        (TABLE.replace(",", "\t"), "The separator is a tab."),
        (TABLE.replace(",", "   "), "The separator is one or more spaces."),
        (TABLE.replace(",", "|"), "The separator is a bar (|)."),
        ('"sep=\t"\n' + TABLE.replace(",", "\t"), "The separator is a tab."),
        ("sep=^\n" + TABLE.replace(",", "^"), "The separator is '^'."),
        (TABLE + ",,,\n\n \n", "Left out: 3 empty rows."),
        (TABLE + TABLE[:26] + "# done, at last\n# bye\n",
         "Left out: 1 row with the names of the columns once more and 2 lines that begin with #."),
        ("# " + TABLE, None),
        ("# one comment\n# " + TABLE.replace(",", " "), "Left out: 1 line that begins with #."),
        (TABLE + "#8,10,0,150\n", "Left out: 1 line that begins with #."),
        ("Results of May\n\n" + TABLE, "Left out above the names of the columns: 'Results of May'."),
        ("Results of May,,,\n,,,\n" + TABLE, "Left out above the names of the columns: 'Results of May'."),
        (TABLE.replace("\n", ",\n"), "Left out: 1 empty column without a name."),
        (TABLE.replace("\n", ",,\n"), "Left out: 2 empty columns without a name."),
        (TABLE.replace("\n", ",\n").replace("error,", "error"), "Left out: 1 empty column without a name."),
        (TABLE.replace("error", "error,"), None),
        ("| " + TABLE.replace(",", " | ").replace("\n", " |\n| ").replace("|\n", "|\n|---|:--:|--|-|\n", 1)[:-3], None),
        (TABLE.replace(",", " | ").replace("\n", "\n------+---+-----+--\n", 1), None),
    ],
)  # fmt: skip
def test_what_is_left_out_is_said(read, text, note):
    table = read(text, "own.txt")
    pd.testing.assert_frame_equal(table.frame, FRAME)
    if note is not None:
        assert note in table.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE + "1,2,3,4,5\n", "own.csv:5: the row has 5 values, but the first row names 4 columns; "),
        (TABLE + "\n1,2,3\n", "own.csv:6: the row has 3 values, but the first row names 4 columns; complete it"),
        ("x,y,z\n1,5,10,17,25\n2,0,10,15,5\n", "own.csv:2: the row has 5 values, but the first row names 3 columns"),
        ('t,note,e\n1,"a\nb",3\n1,2\n', "own.csv:4: the row has 2 values"),
        ("1,2,3\n4,5,6\n", "own.csv:1: the first row must name the columns, but it holds numbers; write the names"),
        ("student,2,3\nstudent,5,6\n", "own.csv:1: the first row must name the columns"),
        ("1.0e+00 2.0e+00\n4.0e+00 5.0e+00\n", "own.csv:1: the first row must name the columns"),
        ("temp,num_error\n", "own.csv:1: the table has no rows below the names of its columns (temp and num_error)"),
        ("temp,num_error\n,\n\n", "own.csv:1: the table has no rows below the names of its columns"),
        ("temp,width,e\n,px,count\n1,2,3\n4,5,6\n", "own.csv:2: the row below the names of the columns has no numbers"),
        (",val,val\ntemp,e,loss\n1,2,3\n4,5,6\n", "own.csv:2: the row below the names of the columns has no numbers"),
        ('t,note,e\n1,"abc,2\n2,x,3\n4,y,3\n', "own.csv:2: a quote opens in this row and is not closed before line 3"),
        ('t,note,e\n1,"abc,2\n2,x,3\n4,y",3\n7,y,3\n', "own.csv:2: a quote opens in this row and is not closed before"),
        ("num_error\n1\n2\n", "own.csv: this is not a table: with no separator"),
        ("I ran a sweep.\nT = 4 was best for width 10.\nNo more.\n", "own.csv: this is not a table: with no separator"),
        ("a b c\n5 1 2 3\n9 1 2 3\n", "own.csv: this is not a table: with no separator"),
        ("a b c\n1 2 3\n1 2 3\n 2 3\n", "own.csv:4: the row has 2 values, but the first row names 3 columns"),
        ("a b c\n1 2 3\n1 2 3\n5 1 2 3\n", "own.csv:4: the row has 4 values, but the first row names 3 columns"),
        ("\n\n", "own.csv: the file is empty"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line_and_remedy(read, text, message):
    assert refuse(read, text).startswith(message)


def test_rows_that_are_numbered_only_at_first_are_refused(read):
    text = "t e\n" + "".join(f"{number} 4 {number}\n" for number in range(9999)) + "7 4 5\n"
    assert "do not number the rows" in refuse(read, text)


@pytest.mark.parametrize(
    "text",
    [
        FRAME.to_string(),
        '"temp" "width" "seed" "num_error"\n"1" 1 10 0 178\n"2" 2.5 10 1 149\n"3" 4 20 0 150\n',
    ],
)
def test_row_numbers_without_a_name_are_left_out(read, text):
    table = read(text, "own.txt")
    pd.testing.assert_frame_equal(table.frame, FRAME)
    assert any("numbers the row" in note for note in table.notes)


def test_columns_without_a_name_and_with_one_name_are_said(read):
    table = read("," + TABLE.replace("\n", "\n7,").replace("width", "temp")[:-2])
    assert list(table.frame.columns) == ["Unnamed: 0", "temp", "temp (2)", "seed", "num_error"]
    assert any("No name stands above column 1 ('Unnamed: 0')" in note for note in table.notes)
    assert any('"temp (2)"' in note for note in table.notes)


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("größe;höhe\n1;2\n", "latin-1", "cp1252"),
        ("température;élève\n1;2\n", "cp1252", "cp1252"),
        ("año,tamaño\n1,2\n", "cp1252", "cp1252"),
        ("температура,ошибка\n1,2\n", "cp1251", "cp1251"),
        ("温度,誤差\n1,2\n", "cp932", "cp932"),
        ("温度,错误,宽度\n1,2,3\n", "gb18030", "gb18030"),
    ],
)
def test_other_encodings_are_read_and_said(read, text, encoding, found):
    table = read(text.encode(encoding))
    assert list(table.frame.columns) == text.splitlines()[0].replace(";", ",").split(",")
    assert any(f"encoded in {found}" in note for note in table.notes)


def test_utf_16_without_a_mark_is_read(read):
    for encoding in ("utf-16-le", "utf-16-be"):
        pd.testing.assert_frame_equal(read(TABLE.encode(encoding)).frame, FRAME)


@pytest.mark.parametrize("content", [TABLE.encode() + bytes(20), bytes(range(256)) * 9, b"\xff\xfe1\x00\n"])
def test_binary_content_is_refused(read, content):
    assert "own.csv: the file" in refuse(read, content)


# How numbers are written.


def read_column(read, *values):
    table = read("x;e\n" + "".join(f"{value};{number / 2}\n" for number, value in enumerate(values)))
    return table.frame["x"], table.notes


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("own.csv", "my width,1,2\n10,3,4\n20,5,6\n", ["my width", "1", "2"]),
        ("own.csv", "a, b;t\nx, y;1\nz;2\nu, v;3\nu, v;4\n", ["a, b", "t"]),
        ("own.csv", "a,b\tc,d\nx,1\t2,y\n", ["a", "b\tc", "d"]),
        ("own.tsv", "a,b\tc,d\nx,1\t2,y\n", ["a,b", "c,d"]),
        ("own.csv", "t e;u\n1,5 2;3\n2,5 2;3\n", ["t e", "u"]),
        ("own.csv", "t;e\n1,5;2\n2,5;3\n", ["t", "e"]),
        ("own.csv", "name;e\na,b;1\nc,d;2\n", ["name", "e"]),
        ("own.csv", "t e\n1,5 2\n2,5 3\n3,5 3\n", ["t", "e"]),
    ],
)
def test_the_separator_is_the_one_that_makes_a_table(read, name, text, names):
    assert list(read(text, name).frame.columns) == names


def test_a_space_in_each_row_does_not_hide_a_comma_where_one_row_is_wrong(read):
    text = "my temp,e\n" + "a b,2\n" * 9 + "a b,2,3\n"
    assert refuse(read, text).startswith("own.csv:11: the row has 3 values, but the first row names 2 columns")


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["1,5", "2", "3,25"], [1.5, 2, 3.25]),
        (["1.234,5", "2"], [1234.5, 2]),
        (["1,234.5", "2,000"], [1234.5, 2000]),
        (["1 234", "12"], [1234, 12]),
        (["1\u202f234,5", "12"], [1234.5, 12]),
        (["1'234.5", "12"], [1234.5, 12]),
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["1.234.567", "1.234"], [1234567, 1234]),
        (["0,512", "1,234"], [0.512, 1.234]),
        (["−1", "+2"], [-1, 2]),
        (["1e3", "inf"], [1000, np.inf]),
        (["1,5e-3", "2"], [0.0015, 2]),
    ],
)
def test_numbers_are_read_as_people_write_them(read, values, numbers):
    column, _ = read_column(read, *values)
    assert column.tolist() == numbers


@pytest.mark.parametrize("values", [["1,234", "2,345"], ["1,234", "950"], ["-1,000"]])
def test_numbers_that_can_be_read_in_two_ways_stay_text(read, values):
    column, notes = read_column(read, *values)
    assert column.tolist() == values
    assert any(note.startswith(f"x is left as text: in {values[0]!r}") for note in notes)


def test_other_columns_show_what_a_comma_is(read):
    table = read("t;e;f\n1,000;17,5;2.000\n1,778;18;3.000\n")
    assert table.frame["t"].tolist() == [1, 1.778]
    assert table.frame["f"].tolist() == ["2.000", "3.000"]
    assert any(note.startswith("f is left as text") for note in table.notes)
    # A semicolon alone makes points doubtful, and a clear point makes them decimal.
    assert read("t;e\n1.000;17\n1.778;18\n").frame["t"].tolist() == ["1.000", "1.778"]
    assert read("t;e\n1.000;17\n-;18\n").frame["t"].tolist() == ["1.000", "-"]
    assert read("t;e\n1.000;0.5\n1.778;18\n").frame["t"].tolist() == [1, 1.778]
    assert read("t,e\n1.000,17\n-,18\n").frame["t"].tolist()[0] == 1
    mixed = read("t;e;f\n1,000;17,5;2.05\n1,778;18;3.5\n").frame
    assert mixed["t"].tolist() == ["1,000", "1,778"]
    assert mixed["f"].tolist() == [2.05, 3.5]


@pytest.mark.parametrize(
    "values",
    [
        ["007", "12"], ["00.5", "1.5"], ["-01", "2"], ["0x1F", "2"], ["1_0", "2"], ["1e400", "1"], ["1,5", "2.5"],
        ["18446744073709551616", "1"],
        ["18446744073709551617", "1.5"], ["9" * 5000, "1"], ["12,34,5", "1"], ["-", "--"], ["82 %", "3%"], ["1;", "2"],
        ["12:30", "1"], ["٣", "1"],
    ],
)  # fmt: skip
def test_what_is_no_plain_number_stays_text(read, values):
    quoted = [f'"{value}"' for value in values]
    column, _ = read_column(read, *quoted)
    assert column.str.replace(" ", "").tolist() == [value.replace(" ", "") for value in values]


@pytest.mark.parametrize("late", ["18446744073709551617", "1e400", "007", "0x1F", "x"])
def test_one_late_code_makes_a_column_text(read, late):
    column, _ = read_column(read, *["1"] * 200, late)
    assert column.tolist() == ["1"] * 200 + [late]


def test_percents_with_decimal_commas_get_points(read):
    column, notes = read_column(read, "82,5 %", "3%")
    assert column.tolist() == ["82.5%", "3.0%"]
    assert any("Decimals have commas" in note for note in notes)


def test_dashes_among_numbers_are_missing_values_and_said(read):
    column, notes = read_column(read, "1", "-", "—", "NAN", "3")
    assert column.isna().tolist() == [False, True, True, True, False]
    assert "'-' is read as a missing value in x (1 row)." in notes


def test_true_and_false_become_truths_and_yes_and_no_stay_text(read):
    table = read("a,b,c,d\ntrue,TRUE,yes,NA\nfalse,,no,x\n").frame
    assert table["a"].tolist() == [True, False]
    assert table["b"].tolist() == [True, None]
    assert table["c"].tolist() == ["yes", "no"]
    assert table["d"].isna().tolist() == [True, False]


def test_ids_stay_text_if_one_of_them_is(read):
    frame = read(f"{ID},{TEACHER_ID},e\n12,,1\nab,12,2\n").frame
    assert frame[ID].tolist() == ["12", "ab"]
    assert frame[TEACHER_ID].tolist()[1] == "12"


@pytest.mark.parametrize("late", ["-", "x", "1e400", "1,5", "18446744073709551617"])
@pytest.mark.parametrize("last_row", ["{},1,3\n", "2.5,{},3\n", "2.5,1,{}\n"])
def test_large_tables_are_read_as_small_ones(read, monkeypatch, late, last_row):
    text = "t,u,e\n" + "1.5,2,3\n" * 9000 + last_row.format(f'"{late}"')
    small = read(text)
    monkeypatch.setattr(text_files, "_LARGE", 0)
    large = read(text)
    pd.testing.assert_frame_equal(large.frame, small.frame)
    assert large.notes == small.notes


def test_points_beside_decimal_commas_are_looked_at_in_large_tables_too(read, monkeypatch):
    text = "t,e\n" + '1.234,"2,5"\n' * 100
    monkeypatch.setattr(text_files, "_LARGE", 0)
    assert set(read(text).frame["t"]) == {"1.234"}


@pytest.mark.parametrize("late", ["1,2\n", "1,2,3,4\n", '"1,2\n3,4,5\n', "# comment\n", ",,\n"])
def test_a_late_row_is_looked_at_as_an_early_one(read, late):
    text = "t,u,e\n" + "1.5,2,3\n" * 9000 + late + "1.5,2,3\n"
    if late[0] in "#,":
        assert len(read(text).frame) == 9001
    else:
        assert refuse(read, text).startswith("own.csv:9,002: ")
