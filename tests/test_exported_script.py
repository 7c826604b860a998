"""``predict.py`` as its users meet it: files that cannot be read, other shapes, tables as people write them."""

from __future__ import annotations

import importlib.util
import io
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

import kdtune
from kdtune.number_styles import STYLES, NumberStyle, list_readings
from kdtune.take_home import onnx_files
from tests.test_export import TRAIN, compute_probabilities, make_command, predict, run_script, run_sweep

ONE_EPOCH = {"epochs": 1, "batch_size": 50}


@pytest.fixture(scope="module", autouse=True)
def without_onnx() -> Any:
    """As if the packages of the extra were not installed: this is about ``predict.py`` alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_files, "list_missing_packages", lambda: ["onnx"])
        yield


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An exported student of windows of a sensor: three channels, sixteen samples."""
    folder = tmp_path_factory.mktemp("windows")
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3, 16)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", (x[:, 0].mean(axis=1) > 0).astype(int))
    sweep = {
        "name": "windows",
        "dataset": {"x": str(folder / "x.npy"), "y": str(folder / "y.npy")},
        "teacher": {"hidden": [4]},
        "student": {"hidden": [4]},
        "distill": {"T": {"grid_search": [1, 4]}},
        "train": ONE_EPOCH,
    }
    return kdtune.export(run_sweep(folder, sweep), folder / "out")


def make_windows(windows: Any) -> Any:
    return np.load(windows.folder.parent / "x.npy")


def write_german(value: float) -> str:
    return f"{value:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def make_german_table() -> pd.DataFrame:
    """A table as spreadsheets write it in German, with a truth, texts, and some missing values."""
    random = np.random.default_rng(1)
    income = random.normal(2000, 600, 120).round(2)
    rate = random.normal(5, 2, 120).round(1)
    frame = pd.DataFrame(
        {
            "region": random.choice(["Nord", "Süd"], 120),
            " income ": [write_german(value) for value in income],
            "rate": [str(value).replace(".", ",") for value in rate],
            "age": random.integers(18, 80, 120),
            "has_car": random.random(120) < 0.5,
            "leaves": np.where(income + 100 * rate > 2500, "ja", "nein"),
        }
    )
    frame.loc[::9, "rate"] = None
    frame.loc[::13, "region"] = None
    return frame


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An exported student of a table whose values are separated by semicolons."""
    folder = tmp_path_factory.mktemp("german")
    make_german_table().to_csv(folder / "train.csv", sep=";", index=False, encoding="utf-8-sig")
    dataset = {"kind": "table", "file": str(folder / "train.csv"), "target": "leaves", "impute": "median"}
    teacher = {"kind": "sklearn", "factory": "sklearn.tree:DecisionTreeClassifier", "args": {"max_depth": 3}}
    sweep = {"name": "german", "dataset": dataset, "teacher": teacher, "student": {"hidden": [4]}, "distill": {"T": 2}}
    return kdtune.export(run_sweep(folder, {**sweep, "train": TRAIN}), folder / "out")


def test_help(windows: Any) -> None:
    result = run_script(windows.folder, "-h")
    assert (result.returncode, result.stderr) == (0, "")
    assert "python predict.py EXAMPLES.npy" in result.stdout


def test_a_reader_that_has_seen_enough(windows: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.repeat(make_windows(windows), 100, axis=0))  # more than a pipe holds
    command = make_command(windows.folder, tmp_path / "x.npy")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "label,p(0),p(1)\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_files_that_cannot_be_read_are_said_and_others_predicted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for index in range(60):
            path = tmp_path / part / ("cat" if index % 2 else "dog") / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (20, 20, 3)).astype(np.uint8)).save(path)
    dataset = {"kind": "image_folder", "train": str(tmp_path / "train"), "test": str(tmp_path / "test"), "size": 8}
    sweep = {"name": "pets", "dataset": dataset, "teacher": {"hidden": [4]}, "student": {"hidden": [4]},
             "distill": {"T": 2}, "train": ONE_EPOCH}  # fmt: skip
    folder = kdtune.export(run_sweep(tmp_path, sweep), tmp_path / "out").folder
    image = tmp_path / "test" / "dog" / "0.jpg"
    torn, text = tmp_path / "torn.jpg", tmp_path / "text.jpg"
    torn.write_bytes(image.read_bytes()[:700])
    text.write_text("no image")
    bad_files = [torn, tmp_path / "train", tmp_path / "missing.jpg", text]
    result = run_script(folder, *bad_files, image)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [str(path) for path in bad_files]
    assert "Is a directory" in lines[1]
    assert "No such file" in lines[2]
    header, row = result.stdout.splitlines()
    assert header == "file,label,p(cat),p(dog)"
    assert row.startswith(f"{image},")


def test_accepted_shapes(windows: Any, tmp_path: Path) -> None:
    x = make_windows(windows)
    np.save(tmp_path / "windows.npy", x)
    np.save(tmp_path / "rows.npy", x.reshape(-1, 48))
    results = windows.folder.parent / "results" / "windows"
    probabilities = compute_probabilities(results, windows.id, x.reshape(-1, 48))[1]
    printed = predict(windows.folder, tmp_path / "windows.npy", tmp_path / "rows.npy")
    np.testing.assert_allclose(printed.iloc[:, 1:], np.concatenate([probabilities] * 2), atol=1e-5)


@pytest.mark.parametrize(
    ("first_line", "is_header"),
    [("", False), (",".join(f"f{i}" for i in range(48)), True), (",".join(map(str, range(48))), True)],
)
def test_a_first_line_of_names_is_said_and_no_example_is_taken_for_one(
    windows: Any, tmp_path: Path, first_line: str, is_header: bool
) -> None:
    rows = [",".join(map(str, row)) for row in make_windows(windows)[:3].reshape(3, 48)]
    (tmp_path / "new.csv").write_text("\n".join([first_line, *rows] if is_header else rows))
    result = run_script(windows.folder, tmp_path / "new.csv")
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 1 + 3
    assert ("the first line is taken for the names of the columns" in result.stderr) == is_header


def test_a_first_example_with_a_missing_number_is_refused(windows: Any, tmp_path: Path) -> None:
    rows = [",".join(map(str, row)) for row in make_windows(windows)[:3].reshape(3, 48)]
    rows[0] = "," + rows[0].partition(",")[2]
    (tmp_path / "new.csv").write_text("\n".join(rows))
    result = run_script(windows.folder, tmp_path / "new.csv")
    assert result.returncode == 1
    assert "row 0" in result.stderr


def test_tables_of_numbers_with_more_than_the_features_are_refused_by_name(windows: Any, tmp_path: Path) -> None:
    x = make_windows(windows)[:4].reshape(4, 48)
    named = pd.DataFrame(x, columns=[f"f{i}" for i in range(48)])
    numbered = pd.DataFrame(x)
    broken = named.astype(object)
    broken.loc[2, "f5"] = "much"
    advice = "leave out columns that are no features, such as labels"
    index = "its first column has no name and is probably the index that pandas writes; leave it out, as to_csv(path, "
    tables = [
        (named.assign(kind="pine"), False, f"line 2, column 49 ('kind'): 'pine' is no number; {advice}"),
        (broken, False, "line 4, column 6 ('f5'): 'much' is no number"),
        (named, True, f"{index}index=False) does"),
        (numbered, True, f"{index}index=False) does"),
    ]
    paths = [tmp_path / f"{number}.csv" for number in range(len(tables))]
    for path, (table, has_index, _) in zip(paths, tables, strict=True):
        table.to_csv(path, index=has_index)
    np.savez(tmp_path / "x.npz", x=x)
    result = run_script(windows.folder, *paths, tmp_path / "x.npz")
    lines = [f"{path}: {text}" for path, (_, _, text) in zip(paths, tables, strict=True)]
    lines.append(f"{tmp_path / 'x.npz'}: only .npy and .csv files can be read; of .npz, save one array with np.save")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == lines


def test_a_feature_without_a_name_is_a_feature(windows: Any, tmp_path: Path) -> None:
    x = make_windows(windows)[:4].reshape(4, 48)
    pd.DataFrame(x, columns=["", *(f"f{i}" for i in range(1, 48))]).to_csv(tmp_path / "x.csv", index=False)
    np.save(tmp_path / "x.npy", x)
    printed = predict(windows.folder, tmp_path / "x.csv", tmp_path / "x.npy")
    np.testing.assert_allclose(printed.iloc[:4, 1:], printed.iloc[4:, 1:], atol=1e-6)


def test_refused_arrays(windows: Any, tmp_path: Path) -> None:
    shapes = [(200, 16, 3), (200, 2, 24), (200, 47), (3, 16), (48,), (2, 100, 48), ()]
    for shape in shapes:
        np.save(tmp_path / f"{shape}.npy", np.zeros(shape, np.float32))
    x = make_windows(windows)
    x[7, 1, 1] = np.nan
    np.save(tmp_path / "nan.npy", x)
    paths = [*(tmp_path / f"{shape}.npy" for shape in shapes), tmp_path / "nan.npy"]
    result = run_script(windows.folder, *paths)
    right = "(examples, 3, 16) or (examples, 48) would be right"
    hints = ["; np.moveaxis(x, -1, 1) puts the last axis first", *[""] * len(shapes)]
    problems = [f"its shape is {shape}; {right}{hint}" for shape, hint in zip(shapes, hints, strict=False)]
    problems.append("row 7 (counted from 0) holds NaN or an infinite number")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [f"{path}: {text}" for path, text in zip(paths, problems, strict=True)]


def test_card_names_no_task_for_windows(windows: Any) -> None:
    front_matter = YAML(typ="safe", pure=True).load((windows.folder / "model_card.md").read_text().split("---\n")[1])
    assert "pipeline_tag" not in front_matter


def test_the_training_table_itself(german: Any, tmp_path: Path) -> None:
    results = german.folder.parent / "results" / "german"
    paths = [tmp_path / f"{name}.csv" for name in ("semicolons", "commas", "tabs")]
    for path, separator in zip(paths, ";,\t", strict=True):
        make_german_table().to_csv(path, sep=separator, index=False, encoding="utf-8-sig")
    data = kdtune.load_data(results, german.id)
    assert data.rows is not None
    probabilities = compute_probabilities(results, german.id, data.x_test)[1]
    result = run_script(german.folder, *paths)
    assert result.returncode == 0
    printed = pd.read_csv(io.StringIO(result.stdout))
    for path in paths:
        rows = printed[printed["file"] == str(path)].iloc[data.rows["test"].indices]
        np.testing.assert_allclose(rows.iloc[:, 2:], probabilities, atol=1e-5)
        assert f"{path}: column 'rate': 14 missing, taken for " in result.stderr
        assert f"{path}: column 'region': 10 missing, taken for " in result.stderr


def test_texts_that_the_training_data_did_not_have(german: Any, tmp_path: Path) -> None:
    frame = make_german_table()[1:9]
    frame.loc[[3, 5], "region"] = "Ost"
    frame.to_csv(tmp_path / "new.csv", index=False)
    result = run_script(german.folder, tmp_path / "new.csv")
    assert result.returncode == 0
    assert result.stderr == f"{tmp_path / 'new.csv'}: column 'region': 2 not in the training data, as 'Ost'\n"


def test_refused_tables(german: Any, tmp_path: Path) -> None:
    frame = make_german_table()[1:9].astype(object).reset_index(drop=True)
    head, _, rows = frame.to_csv(sep=";", index=False).partition("\n")
    problems = {}
    for column, value in {"age": "9,35", "has_car": "yes", " income ": "1,234.5"}.items():
        wrong = frame.copy()
        wrong.loc[2, column] = value
        text = f"column '{column.strip()}': row 2 (counted from 0) has '{value}', which is no finite number"
        problems[text] = wrong.to_csv(sep=";", index=False)
    longer_rows = "\n".join(f"5;{row}" for row in rows.splitlines())
    problems["its first line names 6 columns, and other lines have more values"] = f"{head}\n{longer_rows}"
    for names, text in ((["age"], "column age is"), (["rate", "age"], "columns rate, age are")):
        problems[f"the {text} missing; columns are found by their names"] = frame.drop(columns=names).to_csv(
            index=False
        )
    paths = [tmp_path / f"{index}.csv" for index in range(len(problems))]
    for path, text in zip(paths, problems.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    result = run_script(german.folder, *paths)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [f"{path}: {text}" for path, text in zip(paths, problems, strict=True)]


@pytest.fixture(scope="module")
def script(german: Any) -> ModuleType:
    spec = importlib.util.spec_from_file_location("exported_predict", german.folder / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_number(value: float, style: NumberStyle) -> str:
    text = f"{value:,.2f}" if style.group else f"{value:.2f}"
    return text.translate(str.maketrans({",": style.group, ".": style.decimal}))


@given(st.lists(st.floats(-1e7, 1e7), min_size=1), st.sampled_from(STYLES))
@settings(max_examples=100, deadline=None)
def test_numbers_are_read_as_training_reads_them(script: ModuleType, values: list[float], style: NumberStyle) -> None:
    texts = [write_number(value, style) for value in [*values, 1234567.25]]
    readings = list_readings(texts)
    assert style in readings
    script.PREPROCESSING["styles"]["x"] = list(style)
    numbers = script.read_numbers(pd.Series(texts, dtype=object), "x")
    np.testing.assert_array_equal(numbers, readings[style])
