"""Data sets from Python, in all forms that libraries have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from kdtune.inputs.arrays import ArrayInput, open_array
from kdtune.inputs.convert_data import convert_data
from kdtune.inputs.errors import InputError
from kdtune.inputs.frames import FrameInput
from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.objects import convert_examples, convert_label_column
from kdtune.inputs.python_data import read_object_data, read_python_data

X = np.arange(24, dtype=np.float32).reshape(8, 3) ** 2
Y = np.array([0, 1, 2, 0, 1, 2, 0, 1])
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
LABELLED_FRAME = FRAME.assign(kind=Y)


def read(source: Any, **options: Any) -> GivenData:
    options.setdefault("notes", [])
    return read_object_data(source, folder=Path("/nowhere"), **options)


def get_x(data: GivenData, part: PartName = "all") -> np.ndarray:
    x = data.parts[part].x
    assert isinstance(x, ArrayInput)
    return np.asarray(open_array(x))


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor(X),
        torch.tensor(X, requires_grad=True),
        X.tolist(),
        tuple(map(tuple, X)),
        list(torch.tensor(X)),
        list(X),
        scipy.sparse.csr_matrix(X),
        scipy.sparse.coo_array(X),
        np.ma.masked_array(X, mask=False),
        X.astype(np.float64).astype(object).astype(np.float32),
    ],
)
def test_forms_of_arrays(x: Any) -> None:
    values = convert_examples(x, [])
    assert isinstance(values, np.ndarray)
    np.testing.assert_array_equal(values, X)


@pytest.mark.parametrize(
    "x",
    [
        FRAME,
        pl.DataFrame({name: FRAME[name].to_numpy() for name in FRAME}),
        pl.LazyFrame({name: FRAME[name].to_numpy() for name in FRAME}),
        pa.table({name: FRAME[name].to_numpy() for name in FRAME}),
    ],
)
def test_forms_of_frames(x: Any) -> None:
    values = convert_examples(x, [])
    assert isinstance(values, pd.DataFrame)
    pd.testing.assert_frame_equal(values, FRAME)


def test_bfloat16_sparse_and_mixed_arrays() -> None:
    np.testing.assert_array_equal(convert_examples(torch.tensor(X[:2]).bfloat16(), []), X[:2])
    notes: list[str] = []
    convert_examples(scipy.sparse.csr_matrix(X), notes)
    assert notes == ["A sparse matrix of 8 x 3 is held with its zeros."]
    mixed = convert_examples(np.array([["a", 1], ["b", 2]], dtype=object), [])
    assert isinstance(mixed, pd.DataFrame)
    assert mixed[1].dtype.kind == "i"


@pytest.mark.parametrize(
    "y",
    [
        Y,
        torch.tensor(Y),
        Y.tolist(),
        pd.Series(Y, index=Y + 9),
        pl.Series(Y),
        Y[:, None],
        pd.DataFrame({"y": Y}),
        list(torch.tensor(Y)),
    ],
)
def test_forms_of_labels(y: Any) -> None:
    column = convert_label_column(y)
    assert column.tolist() == Y.tolist()
    assert column.index.tolist() == list(range(8))


def test_text_labels() -> None:
    texts = ["u", "v", "w", "u", "v", "w", "u", "v"]
    forms = [
        texts,
        np.array(texts),
        np.array(texts, dtype=object),
        pd.Series(texts, dtype="category"),
        pd.Categorical(texts),
        pl.Series(texts),
        pl.Series(texts, dtype=pl.Categorical),
    ]
    for y in forms:
        data = read((X, y))
        assert data.classes == ("u", "v", "w")
        assert data.content == read((X, texts)).content
    assert read((X, pd.Series(Y == 0))).classes == ("False", "True")


class Squares(Dataset[Any]):
    """Images as torchvision's data sets give them, with a transform or without."""

    def __init__(self, transform: Callable[[Any], Any] = lambda image: image, mode: str = "L") -> None:
        self.transform = transform
        self.mode = mode

    def __len__(self) -> int:
        return 6

    def __getitem__(self, row: int) -> Any:
        return self.transform(Image.new(self.mode, (5, 4), row)), row % 2


def test_datasets_of_pytorch() -> None:
    data = read(TensorDataset(torch.tensor(X), torch.tensor(Y)))
    assert data.content == read((X, Y)).content
    assert get_x(read(Squares())).shape == (6, 1, 4, 5)
    assert get_x(read(Squares(mode="RGB"))).shape == (6, 3, 4, 5)
    assert get_x(read(Squares()))[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    tensors = get_x(read(Squares(lambda image: torch.tensor(np.asarray(image) / 255)[None])))
    assert tensors.shape == (6, 1, 4, 5)
    assert tensors.dtype == np.float64
    splits = read({"train": Subset(Squares(), [3, 2, 1, 0]), "test": Subset(Squares(), [5, 4])})
    assert get_x(splits, "train")[:, 0, 0, 0].tolist() == [3, 2, 1, 0]
    assert get_x(splits, "test")[:, 0, 0, 0].tolist() == [5, 4]


def test_forms_of_data_sets() -> None:
    content = read((X, Y)).content
    for source in (
        [X, Y],
        {"x": X, "y": Y},
        {"X": X, "Y": Y},
        {"data": X, "target": Y},
    ):
        assert read(source).content == content, source
    split_content = read({"train": (X, Y), "test": (X[:4], Y[:4])}).content
    for source in (
        {"test": (X[:4], Y[:4]), "train": (X, Y)},
        {"train": {"x": X, "y": Y}, "test": {"x": X[:4], "y": Y[:4]}},
        {"x_train": X, "y_train": Y, "x_test": X[:4], "y_test": Y[:4]},
        {"X_train": X, "y_train": Y, "X_test": X[:4], "y_test": Y[:4]},
        {"train_x": X, "train_y": Y, "test_x": X[:4], "test_y": Y[:4]},
        ((X, Y), (X[:4], Y[:4])),
        {"train": TensorDataset(torch.tensor(X), torch.tensor(Y)), "test": (X[:4], Y[:4])},
    ):
        assert read(source).content == split_content, source
    three = read({"train": (X, Y), "validation": (X[:5], Y[:5]), "test": (X[:4], Y[:4])})
    assert list(three.parts) == ["train", "val", "test"]


def test_what_is_assumed_or_left_out_is_said() -> None:
    notes: list[str] = []
    read(((X, Y), (X, Y)), notes=notes)
    read({"x": X, "y": Y, "extra": 1}, notes=notes)
    read({"train": (X, Y), "test": (X, Y), "unsupervised": X}, notes=notes)
    assert notes == [
        "Of two pairs (X, y), the first was taken for training, the second for test.",
        "Of the data, 'extra' was left out.",
        "Of the data, 'unsupervised' was left out.",
    ]


def test_frames_become_tables() -> None:
    data = read((FRAME.assign(text=list("ababbaab")), Y))
    x = data.parts["all"].x
    assert isinstance(x, FrameInput)
    assert x.numeric == ("a", "b", "c")
    assert x.categories == {"text": ("a", "b")}
    assert data.classes == (0, 1, 2)
    content = read((FRAME, Y)).content
    assert read(LABELLED_FRAME, target="kind").content == content
    assert (
        read(pl.DataFrame(LABELLED_FRAME.to_dict("list")), target="kind").content
        == read(LABELLED_FRAME.astype(dict.fromkeys("abc", np.float64)), target="kind").content
    )
    assert read((FRAME.assign(more=1), Y), drop=["more"]).content == content
    splits = read({"train": LABELLED_FRAME, "test": LABELLED_FRAME[:3]}, target="kind")
    assert splits.parts["test"].n_examples == 3
    unlabelled = read({"train": FRAME, "val": (FRAME, Y), "test": (FRAME, Y)})
    assert unlabelled.parts["train"].y is None
    assert unlabelled.classes == (0, 1, 2)
    holes = FRAME.copy()
    holes.loc[2, "b"] = np.nan
    assert read((holes, Y), impute="median").parts["all"].n_examples == 8


def test_unlabelled_arrays() -> None:
    data = read({"train": X, "val": (X, Y), "test": (X, Y)})
    assert data.parts["train"].y is None


def test_scikit_learns_loaders() -> None:
    iris = read(load_iris())
    assert iris.classes == (0, 1, 2)
    assert iris.class_names == ("setosa", "versicolor", "virginica")
    assert iris.content == read(load_iris(return_X_y=True)).content
    # In the order of the labels, not of the alphabet.
    assert read(load_breast_cancer()).class_names == ("malignant", "benign")
    assert read(load_digits()).class_names == ()
    names = np.array(["u", "v", "w"])
    assert read({"data": X, "target": Y, "target_names": names}).class_names == ("u", "v", "w")
    assert read({"data": X, "target": Y + 1, "target_names": names}).class_names == ()
    assert read({"data": X, "target": Y, "target_names": ["kind"]}).class_names == ()
    assert isinstance(read(load_wine(as_frame=True)).parts["all"].x, FrameInput)
    with pytest.raises(InputError, match="different labels for 442 examples"):
        read(load_diabetes())


@settings(max_examples=50, deadline=None)
@given(numpy_strategies.arrays(np.float32, (6, 2), elements=st.floats(-100, 100, width=32)))
def test_the_form_does_not_matter(x: np.ndarray) -> None:
    y = np.array([0, 1, 0, 1, 1, 0])
    content = read((x, y)).content
    assert read({"x": torch.tensor(x), "y": torch.tensor(y)}).content == content
    assert read(TensorDataset(torch.tensor(x), torch.tensor(y))).content == content


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter([])


class Raising(Squares):
    def __getitem__(self, row: int) -> Any:
        raise KeyError("no file")


REFUSALS: list[tuple[Any, dict[str, Any], str, str]] = [
    (3, {}, "", "is of type int; give (X, y), {'train': (X, y)"),
    ("photos", {}, "", "is of type str; give (X, y)"),
    (Stream(), {}, "", "Stream; give (X, y)"),
    (DataLoader(Squares()), {}, "", "DataLoader; give (X, y)"),
    ((X, X, Y, Y), {}, "", "is a tuple of 4, whose order is not known"),
    ({"a": X, "b": Y}, {}, "", "is a mapping of 'a' and 'b'; give (X, y)"),
    ({}, {}, "", "is a mapping of nothing; give (X, y)"),
    ({"x": X}, {}, "y", "is missing: the label of each example"),
    (X, {}, "y", "is missing: the label of each example"),
    (FRAME, {}, "y", "is missing: the label of each example; `target` names the column with the class"),
    (LABELLED_FRAME, {"target": "kinds"}, "target", "there is no column 'kinds'; did you mean 'kind'?"),
    (X, {"target": "kind"}, "target", "names a column; these examples are an array"),
    ({"train": (X, Y)}, {}, "test", "is missing beside train"),
    ({"test": (X, Y), "val": (X, Y)}, {}, "train", "is missing beside"),
    ({"train": (X, Y), "test": X}, {}, "test.y", "is missing: the label of each example"),
    ({"train": (X, Y), "test": {"a": X}}, {}, "test", "is a mapping of 'a'; it needs x and y"),
    ({"train": (X, Y), "test": (3, Y)}, {}, "test.x", "is of type int; give a NumPy array"),
    ((X, 3), {}, "y", "is of type int; give one label for each example"),
    ((X, np.eye(8)), {}, "y", "has shape (8, 8); labels are one for each example; of one-hot labels"),
    ((X, pd.DataFrame(np.eye(8))), {}, "y", "has 8 columns; labels are one for each example"),
    ((X, [0, 1, None, 0, 1, 2, 0, 1]), {}, "y", "has no value in row 2 (counted from 0)"),
    ((X, Y / 2), {}, "y", "column 'y' has 0.5 in row 1 (counted from 0), so it measures something"),
    ((X, Y[:5]), {}, "y", "has 5 labels for the 8 examples of x"),
    ((FRAME, Y[:5]), {}, "y", "has 5 labels for the 8 examples of x"),
    ((FRAME[:0], Y[:0]), {}, "x", "has no rows"),
    (([[1, 2], [3]], [0, 1]), {}, "x", "has rows of different lengths"),
    (([torch.zeros(2), torch.zeros(3)], [0, 1]), {}, "x", "example 1 (counted from 0) has shape (3,), and the first"),
    ((np.ma.masked_array(X, mask=X > 3), Y), {}, "x", "has masked values"),
    ((X, Y), {"drop": ["a"]}, "drop", "goes with tables; these examples are arrays"),
    ((X, Y), {"impute": "median"}, "impute", "goes with tables; these examples are arrays"),
    ({"train": (FRAME, Y), "test": (X, Y)}, {}, "train.x", "is a table, and test.x an array; give both alike"),
    ({"train": (FRAME, Y), "test": (FRAME, list("abcabcab"))}, {}, "test.y", "has text as labels, and another part"),
    ({"train": (FRAME, Y), "test": (FRAME, Y + 1)}, {}, "test.y", "the class 3 of row 2 (counted from 0)"),
    (Raising(), {}, "", "test_inputs_objects.py:"),
    (Squares(lambda image: 1.0), {}, "x", "has shape (6,)"),
    ([(1, 2), (3, 4)], {}, "y", "is missing"),
    ({"train": (X, Y), "val": (X, Y), "dev": (X, Y), "test": (X, Y)}, {}, "", "has both 'val' and 'dev', which mean"),
    ({"x": X, "X": X, "y": Y}, {}, "", "has both 'x' and 'X'; give one of them"),
]


@pytest.mark.parametrize(("source", "options", "setting", "text"), REFUSALS)
def test_refusals(source: Any, options: dict[str, Any], setting: str, text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)) as caught:
        read(source, **options)
    assert caught.value.setting == setting
    assert "\n" not in str(caught.value)


def test_a_dataset_with_other_items() -> None:
    class Triples(Squares):
        def __getitem__(self, row: int) -> Any:
            return 1, 2, 3

    class Ragged(Squares):
        def __getitem__(self, row: int) -> Any:
            return np.zeros(1 + row // 4), 0

    with pytest.raises(InputError, match=r"example 0 \(counted from 0\) is of type tuple; each must be a pair"):
        read(Triples())
    with pytest.raises(InputError, match=r"example 4 \(counted from 0\) has shape \(2,\)") as caught:
        read({"train": Squares(), "test": Ragged()})
    assert caught.value.setting == "test"


def test_a_sparse_matrix_that_is_too_large() -> None:
    with pytest.raises(InputError, match="is sparse, and with its zeros takes 80000"):
        convert_examples(scipy.sparse.csr_matrix((10**7, 10**6)), [])


def test_factories_of_data(tmp_path: Path) -> None:
    (tmp_path / "mysets.py").write_text(
        "import numpy as np\n\n\ndef load(n=6):\n    return np.ones((n, 2)), np.arange(n) % 2\n\n\n"
        "def load_badly():\n    x, y = load()\n    x[3] = np.nan\n    return x, y\n\n\n"
        "def load_nothing():\n    return None\n"
    )

    def read_factory(name: str, **options: Any) -> GivenData:
        args = options.pop("args", {})
        return read_python_data(name, args, [tmp_path], folder=tmp_path / "inputs", notes=[], **options)

    assert read_factory("mysets:load", args={"n": 10}).parts["all"].n_examples == 10
    wine = read_factory("sklearn.datasets:load_wine", args={"return_X_y": True})
    assert wine.parts["all"].class_counts == (59, 71, 48)
    assert read_factory("sklearn.datasets:load_wine").content == wine.content
    assert read_factory("mysets:load", n_classes=3).classes == (0, 1, 2)
    for name, text in [
        ("mysets:loaded", "mysets has no 'loaded'; did you mean 'load'?"),
        ("mysets:load_badly", "of what mysets:load_badly returned, x row 3 (counted from 0) holds NaN"),
        ("mysets:load_nothing", "of what mysets:load_nothing returned, "),
    ]:
        with pytest.raises(InputError, match=re.escape(text)) as caught:
            read_factory(name)
        assert caught.value.setting == "factory"


def test_convert_data_gives_pairs() -> None:
    parts = convert_data({"train": (FRAME, Y), "test": (FRAME, Y)}, []).parts
    x, y = parts["train"]
    assert isinstance(x, pd.DataFrame)
    assert y is not None
    assert y.tolist() == Y.tolist()
