"""Tables that users bring: what becomes a feature, what a label, and what is refused in which words."""

from __future__ import annotations

import datetime
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from kdtune.inputs.arrays import open_array
from kdtune.inputs.errors import InputError
from kdtune.inputs.frames import FrameInput, open_frame
from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.table_files import read_table_file
from kdtune.inputs.tables import read_table_data

CSV = """age,city,is_new,outcome
31,Rom,True,ill
25,Bonn,False,well
47,Rom,False,ill
52,Paris,True,well
"""


def read(frame: pd.DataFrame | dict[PartName, pd.DataFrame], target: str = "outcome", **options: Any) -> GivenData:
    frames: dict[PartName, pd.DataFrame] = {"all": frame} if isinstance(frame, pd.DataFrame) else frame
    names = options.pop("names", {part: "file" if part == "all" else part for part in frames})
    options.setdefault("notes", [])
    return read_table_data(frames, target, folder=Path("/nowhere"), names=names, **options)


def parse(text: str = CSV) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


def get_labels(data: GivenData, part: PartName = "all") -> list[Any]:
    y = data.parts[part].y
    assert y is not None
    return [data.classes[number] for number in open_array(y)]


def get_frame(data: GivenData, part: PartName = "all") -> tuple[FrameInput, pd.DataFrame]:
    x = data.parts[part].x
    assert isinstance(x, FrameInput)
    return x, open_frame(x)


def test_columns_and_labels() -> None:
    notes: list[str] = []
    data = read(parse(), notes=notes)
    x, frame = get_frame(data)
    assert x.numeric == ("age", "is_new")
    assert x.categories == {"city": ("Bonn", "Paris", "Rom")}
    assert frame["is_new"].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert frame["city"].tolist() == ["Rom", "Bonn", "Rom", "Paris"]
    assert data.classes == ("ill", "well")
    assert get_labels(data) == ["ill", "well", "ill", "well"]
    assert data.input_shape == (5,)
    assert data.parts["all"].class_counts == (2, 2)
    assert not notes
    assert x.impute is None


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([3, 1, 3, 1], (1, 3)),
        ([3.0, 1.0, 3.0, 1.0], (1, 3)),
        ([True, False, True, False], ("False", "True")),
        (pd.array([True, False, True, False], dtype="boolean"), ("False", "True")),
        (np.array([True, False, True, False], dtype=object), ("False", "True")),
        (["10", "2", "10", "2"], ("10", "2")),
        (pd.Categorical(["b", "a", "b", "a"], categories=["b", "a", "unused"]), ("a", "b")),
        (pd.Categorical([7, 5, 7, 5]), (5, 7)),
        (pd.array([7, 5, 7, 5], dtype="Int64"), (5, 7)),
    ],
)
def test_forms_of_labels(labels: Any, classes: tuple[Any, ...]) -> None:
    data = read(pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "outcome": labels}))
    assert data.classes == classes
    assert get_labels(data) == [classes[1 if classes[0] != "10" else 0], classes[0 if classes[0] != "10" else 1]] * 2


def test_content_follows_values_and_impute_alone() -> None:
    content = read(parse()).content
    assert read(parse().set_index(pd.Index([9, 8, 7, 6]))).content == content
    assert read(pl.DataFrame(parse().to_dict("list")).to_pandas()).content == content
    assert read(parse().assign(city=parse()["city"].astype("category"))).content == content
    assert read(parse().assign(age=[31, 25, 47, 53])).content != content
    assert read(parse().assign(junk=1.0), drop=["junk"]).content == content
    holes = parse().assign(age=[31, 25, None, 52])
    assert read(holes, impute="median").content != read(holes, impute="most_frequent").content
    assert read(parse(), impute="median").content == content


def test_columns_of_all_kinds() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None, 3, 4], dtype="Int64"),
            "o": np.array([True, None, False, True], dtype=object),
            "m": np.array([1, 2.5, None, 4], dtype=object),
            "c": pd.Categorical([3, 1, 3, None]),
            "constant": ["same"] * 4,
            7: [1, 1, 1, 1],
            "outcome": [0, 1, 0, 1],
        }
    )
    notes: list[str] = []
    data = read(frame, impute="most_frequent", notes=notes)
    x, stored_frame = get_frame(data)
    assert x.numeric == ("i", "o", "m", "7")
    assert x.categories == {"c": ("1", "3"), "constant": ("same",)}
    assert x.impute == "most_frequent"
    assert stored_frame["c"].tolist() == ["3", "1", "3", None]
    np.testing.assert_array_equal(stored_frame["o"], [1, np.nan, 0, 1])
    assert notes == [
        "Missing values are filled from the training rows: i (most frequent value, 1 row), o (most frequent value, "
        "1 row), m (most frequent value, 1 row) and c (most frequent value, 1 row)."
    ]


def test_split_column() -> None:
    frame = pd.concat([parse()] * 3, ignore_index=True)
    frame["part"] = ["Training", "dev", "TEST", "train"] + ["Training", "Training", "TEST", "TEST"] + ["dev"] * 4
    notes: list[str] = []
    data = read(frame, split="part", notes=notes)
    assert {part: data.parts[part].n_examples for part in data.parts} == {"train": 4, "val": 5, "test": 3}
    assert get_frame(data, "test")[1]["age"].tolist() == [47, 47, 52]
    assert get_frame(data, "test")[0].categories == get_frame(data, "train")[0].categories
    assert "part" not in get_frame(data, "train")[1].columns
    assert notes[0] == (
        "The column 'part' names the split of each row: 3 rows of 'Training' as train, 5 rows of 'dev' as val, 3 rows "
        "of 'TEST' as test and 1 row of 'train'."
    )


def test_tables_are_matched_by_name() -> None:
    notes: list[str] = []
    test_frame = parse()[["outcome", "city", "is_new", "age"]]
    test_frame["city"] = ["Rom", "Oslo", "Rom", "Bonn"]
    data = read({"train": parse(), "test": test_frame}, notes=notes)
    assert get_frame(data, "test")[1].columns.tolist() == ["age", "city", "is_new"]
    assert get_frame(data, "train")[0].categories == {"city": ("Bonn", "Oslo", "Paris", "Rom")}
    assert notes == ["The column 'city' has values that no training row has, so they are encoded as nothing: Oslo."]


def test_a_text_that_few_rows_have_is_a_feature() -> None:
    x, _ = get_frame(read(parse().assign(city=[None, "Bonn", None, None], is_new=1), impute="median"))
    assert x.categories == {"city": ("Bonn",)}


def test_row_numbers_and_near_numbers_are_said() -> None:
    frame = pd.DataFrame({"id": range(5, 25), "outcome": [0, 1] * 10})
    frame["code"] = [str(number % 15) for number in range(19)] + ["x"]
    notes: list[str] = []
    read(frame, notes=notes)
    assert notes == [
        "The column 'id' counts the rows and is used as a feature; if it is an id, `drop: [id]` leaves it out.",
        "The column 'code' is read as text, one feature for each of its values, because of 'x' in row 19 (counted from "
        "0).",
    ]


def test_ids_of_whole_numbers_are_said() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"customer": random.permutation(10_000)[:120], "age": np.arange(120) % 70})
    notes: list[str] = []
    read(frame.assign(outcome=np.arange(120) % 2), notes=notes)
    assert notes == [
        "The column 'customer' has another whole number in each row and is used as a feature; if it is an id, "
        "`drop: [customer]` leaves it out."
    ]


def test_all_columns_that_cannot_be_used_are_named_at_once() -> None:
    frame = parse().assign(id=list("abcd"), day="2020-01-02", age=[1.0, None, 3.0, 4.0])
    with pytest.raises(InputError) as caught:
        read(frame)
    for text in (
        "'id' has another text in each row",
        "also: column 'age' has no value",
        "also: column 'day' holds dates",
    ):
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["3,14", "-2,5", "0,75", "3,14"], [3.14, -2.5, 0.75, 3.14]),
        (["1.234,5", "17,25", "2.000,0", None], [1234.5, 17.25, 2000.0, 17.25]),
        (["1'200.5", "17", "2.5", "17"], [1200.5, 17, 2.5, 17]),
        (["1.132", "1.536", "2", "1.132"], [1.132, 1.536, 2, 1.132]),
    ],
)
def test_numbers_with_decimal_commas_are_read_and_said(texts: list[Any], numbers: list[float]) -> None:
    notes: list[str] = []
    _, frame = get_frame(read(parse().assign(price=texts), impute="most_frequent", notes=notes))
    is_known = [text is not None for text in texts]
    assert frame["price"][is_known].tolist() == np.array(numbers)[is_known].tolist()
    assert notes[0] == f"The texts of the column 'price' are read as numbers: {texts[0]!r} as {numbers[0]:g}."


def test_words_for_missing_values_among_numbers_are_said() -> None:
    notes: list[str] = []
    read(parse().assign(price=["3,14", "-", "0,75", "2,5"]), impute="median", notes=notes)
    assert notes[0] == "The texts of the column 'price' are read as numbers: '3,14' as 3.14, '-' as a missing value."
    many = [f"{number},5" for number in range(59)]
    with pytest.raises(InputError, match=r"column 'a' holds numbers, but text in row 59 .*: '\?'"):
        read(ROOMS.assign(a=[*many, "?"], outcome=ROOMS["outcome"] % 2))


def test_numbers_in_quotes_stay_codes() -> None:
    """Codes of streets and shops are written with digits, and are no quantities."""
    x, _ = get_frame(read(parse().assign(shop=["0012", "17", "0012", "17"])))
    assert x.categories["shop"] == ("0012", "17")


def change(column: str, row: int, value: Any) -> pd.DataFrame:
    frame = parse().astype({column: object})
    frame.loc[row, column] = value
    return frame


ROOMS = pd.DataFrame({"a": np.arange(60.0) ** 2, "outcome": np.arange(60)})


@pytest.mark.parametrize(
    ("frame", "options", "setting", "text"),
    [
        (parse(), {"target": "outcom"}, "target", "there is no column 'outcom'; did you mean 'outcome'?"),
        (parse(), {"target": "zzz"}, "target", "its columns are age, city, is_new and outcome"),
        (parse(), {"drop": ["outcome"]}, "drop", "'outcome' is the target, so it cannot be left out"),
        (parse(), {"drop": ["Age"]}, "drop", "names the column 'Age', which is not there; did you mean 'age'?"),
        (parse(), {"drop": ["age", "city", "is_new"]}, "file", "has no column left that could be a feature"),
        (parse(), {"split": "outcome"}, "split", "'outcome' is the target"),
        (parse(), {"split": "age", "drop": ["age"]}, "split", "'age' is left out by drop"),
        (parse(), {"split": "prt"}, "split", "there is no column 'prt'"),
        (parse(), {"split": "city"}, "split", "column 'city' has 'Rom' in row 0 (counted from 0); write train, val or"),
        (change("age", 2, None), {}, "file", "column 'age' has no value in row 2 (counted from 0); `impute: median`"),
        (
            change("city", 1, None),
            {},
            "file",
            "leaves the column out (in a .csv file, NA, None and the like are no values)",
        ),
        (
            parse().assign(city=list("abcd"), is_new=list("efgh")),
            {},
            "file",
            "'city' and 'is_new' have another text in each row, which names the row and is no feature; leave them "
            "out with `drop: [city, is_new]`",
        ),
        (change("age", 2, np.inf), {}, "file", "column 'age' holds an infinite number in row 2"),
        (change("age", 2, "?"), {}, "file", "column 'age' holds numbers, but text in row 2 (counted from 0): '?'"),
        (change("age", 2, "47"), {}, "file", "column 'age' holds some numbers as text"),
        (change("age", 2, [1]), {}, "file", "column 'age' holds values of type list (row 2 (counted from 0)"),
        (change("city", 2, "Oslo"), {}, "file", "'city' has another text in each row"),
        (change("outcome", 1, None), {}, "target", "column 'outcome' has no value in row 1 (counted from 0); remove"),
        (
            parse().assign(outcome=["ill", None, "ill", "well"]),
            {},
            "target",
            "remove such rows, or rename the class if it is called NA, None or null",
        ),
        (
            ROOMS.assign(a=[*map(str, range(30)), "n. a.", *map(str, range(31, 60))]),
            {},
            "file",
            "column 'a' holds numbers, but text in row 30 (counted from 0): 'n. a.'; write a number or nothing",
        ),
        (
            parse().assign(age=["1,234", "2,500", "3,111", "4,000"]),
            {},
            "file",
            "column 'age' has '1,234' in row 0 (counted from 0), in which decimals or thousands may follow the mark;",
        ),
        (
            parse().assign(**{"Unnamed: 0": list("efgh")}),
            {},
            "file",
            "leave it out with `drop: ['Unnamed: 0']`",
        ),
        (
            parse().assign(age=np.nan),
            {"impute": "median"},
            "file",
            "column 'age' has no value in any row; leave it out",
        ),
        (parse().assign(age=1j), {}, "file", "column 'age' holds complex numbers"),
        (parse().assign(city=pd.Timestamp("2020-01-02")), {}, "file", "holds dates or times, as '2020-01-02 00:00:00'"),
        (change("age", 0, datetime.date(2020, 1, 2)).assign(age=datetime.date(2020, 1, 2)), {}, "file", "holds dates"),
        (parse().assign(city="2020-01-02"), {}, "file", "column 'city' holds dates or times, as '2020-01-02' in row 0"),
        (parse().assign(outcome=pd.Timestamp("2020-01-02")), {}, "target", "; give the class of each row"),
        (parse().assign(outcome="ill"), {}, "target", "has one class only (ill)"),
        (
            parse().assign(outcome=[0.5, 1, 2, 0]),
            {},
            "target",
            "column 'outcome' has 0.5 in row 0 (counted from 0), so it",
        ),
        (parse().assign(outcome=[1, 2, 3, 4]), {}, "target", "has 4 different labels for 4 examples"),
        (ROOMS.assign(outcome=ROOMS["outcome"] // 2), {}, "target", "has 30 different labels for 60 examples, so it"),
        (parse().set_axis(["age", "age", "is_new", "outcome"], axis=1), {}, "file", "has two columns called 'age'"),
        ({"train": parse(), "test": parse()}, {"split": "age"}, "split", "goes with one table"),
        ({"train": parse(), "test": parse().drop(columns="age")}, {}, "test", "has no column 'age', and train has;"),
        (
            {"train": parse(), "test": change("age", 1, None)},
            {},
            "test",
            "column 'age' has no value in row 1 (counted from 0);",
        ),
        (
            {"train": parse().assign(age=np.nan), "test": parse()},
            {"impute": "median"},
            "train",
            "column 'age' has no value in any training row",
        ),
        (
            {"train": parse(), "test": change("outcome", 3, "dead")},
            {},
            "test",
            "the class 'dead' of row 3 (counted from 0) has no row for training;",
        ),
        (
            {"train": parse(), "test": change("outcome", 3, None)},
            {},
            "target",
            "column 'outcome' has no value in row 3 (counted from 0) of test;",
        ),
    ],
)
def test_refusals(frame: Any, options: dict[str, Any], setting: str, text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)) as caught:
        read(frame, **options)
    assert caught.value.setting == setting
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["train", None, "test", "test"], "column 'part' names no split in row 1 (counted from 0)"),
        (["train", "train", "val", "val"], "column 'part' names no test row"),
        (["test", "test", "val", "val"], "column 'part' names no train row"),
    ],
)
def test_refusals_of_split_columns(parts: list[Any], text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)) as caught:
        read(parse().assign(part=parts), split="part")
    assert caught.value.setting == "split"


def test_too_many_categories() -> None:
    frame = pd.DataFrame({"a": [str(number % 10_001) + "x" for number in range(20_002)], "outcome": [0, 1] * 10_001})
    with pytest.raises(InputError, match="column 'a' has 10,001 different values, and each would be a feature"):
        read(frame)


@pytest.mark.parametrize(
    ("text", "name", "notes"),
    [
        (CSV, "a.csv", []),
        ("\ufeff" + CSV, "a.csv", []),
        (CSV.replace(",", ", "), "a.csv", []),
        (CSV.replace(",", ";"), "a.csv", ["The values of a.csv are separated by semicolons."]),
        (CSV.replace(",", "\t"), "a.csv", ["The values of a.csv are separated by tabs."]),
        (CSV.replace(",", "\t"), "a.tsv", []),
        (CSV.replace("\n", "\r\n"), "a.csv", []),
    ],
)
def test_text_files(tmp_path: Path, text: str, name: str, notes: list[str]) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    read_notes: list[str] = []
    pd.testing.assert_frame_equal(read_table_file(path, read_notes), parse())
    assert read_notes == notes


def test_parquet_files(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    notes: list[str] = []
    parse().to_parquet(path)
    pd.testing.assert_frame_equal(read_table_file(path, notes), parse())
    assert not notes
    parse().set_index("age").to_parquet(path)
    assert read_table_file(path, notes).columns.tolist() == ["city", "is_new", "outcome"]
    assert notes == ["a.parquet was saved with row names (age), which are not used."]
    pl.DataFrame(parse().to_dict("list")).write_parquet(path)
    pd.testing.assert_frame_equal(read_table_file(path, notes), parse())
    whole = path.read_bytes()
    for n_bytes in (0, 10, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(InputError, match=r"a\.parquet cannot be read: the file is torn"):
            read_table_file(path, notes)


@pytest.mark.parametrize(
    ("content", "name", "text"),
    [
        (b"", "a.csv", "is empty"),
        (b"a,b\n", "a.csv", "has no rows below the names of its columns"),
        (b"a,b\n1,2,3\n", "a.csv", "names 2 columns in its first row and has 3 values in the next"),
        (b"a,b\n1,2\n1,2,3\n", "a.csv", "cannot be read: Expected 2 fields in line 3, saw 3"),
        (b'a,b\n1,"2\n3,4\n', "a.csv", "cannot be read: EOF inside string starting at row 1"),
        (b"a,a\n1,2\n", "a.csv", "has two columns called 'a'"),
        (b"a,b\n1,\xff\n", "a.csv", "is no UTF-8 text"),
        (b"a,b\n1,2\n", "a.xlsx", "is no table; give a file that ends in .csv, .tsv or .parquet"),
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(text)) as caught:
        read_table_file(path, [])
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet"):
        with pytest.raises(InputError, match="does not exist"):
            read_table_file(tmp_path / name, [])


def test_a_csv_that_was_cut_off_is_refused_by_its_last_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV[: CSV.rindex(",True,well")])
    with pytest.raises(InputError, match=re.escape("column 'is_new' has no value in row 3 (counted from 0)")):
        read(read_table_file(path, []), impute=None, target="city", drop=["outcome"])
