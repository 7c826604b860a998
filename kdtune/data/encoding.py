"""Features of a table: numeric columns standardised, others one-hot encoded, both by the training rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from kdtune.data.splits import Features, SplitRows
from kdtune.inputs.frames import FrameInput, open_frame
from kdtune.inputs.given_data import Part, PartName

Matrix = npt.NDArray[np.float32]
_NUMBERS, _TEXTS, _FILL = "numbers", "texts", "fill"  # the names of steps in scikit-learn's transformers
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class NumberColumn:
    """A numeric column: its feature is (value - mean) / scale.

    Attributes
    ----------
    name : the column.
    mean, scale : mean and standard deviation over the training rows. A scale of 0 stands for a column that is constant
        there; its feature is 0, whatever the value.
    fill : what a missing value is taken for; None if none may be missing.
    """

    name: str
    mean: float
    scale: float
    fill: float | None


@dataclass(frozen=True)
class TextColumn:
    """A text column: one feature for each category, 1 for examples of it and 0 for others.

    Attributes
    ----------
    name : the column.
    categories : the value that each feature stands for; None where no training row has it, whose feature is always 0.
    fill : the value that a missing one is taken for; None if it is none of them.
    """

    name: str
    categories: tuple[str | None, ...]
    fill: str | None


@dataclass(frozen=True)
class FrameEncoder:
    """How the columns of a table become features; plain numbers and text, so that it can be exported.

    The features are those of the numeric columns, then those of the text columns, in the order of the columns.
    """

    numbers: tuple[NumberColumn, ...]
    texts: tuple[TextColumn, ...]

    @property
    def n_features(self) -> int:
        """The number of features."""
        return len(self.numbers) + sum(len(column.categories) for column in self.texts)

    def encode(self, frame: pd.DataFrame) -> Matrix:
        """Return the features of each row, (rows, features); text that is no known category gives 0 everywhere."""
        features = np.zeros((len(frame), self.n_features), dtype=np.float32)
        for position, number in enumerate(self.numbers):
            if number.scale == 0:
                continue
            values = frame[number.name].to_numpy(dtype=np.float64, na_value=np.nan)
            if number.fill is not None:
                values = np.where(np.isnan(values), number.fill, values)
            # A column that hardly varies in the training rows may give others numbers that float32 cannot hold.
            features[:, position] = np.clip((values - number.mean) / number.scale, -_LARGEST, _LARGEST)
        start = len(self.numbers)
        for text in self.texts:
            positions = {value: index for index, value in enumerate(text.categories) if value is not None}
            codes, distinct_values = pd.factorize(frame[text.name])  # The code of a missing value is -1.
            columns = [positions.get(value, -1) for value in distinct_values]
            columns.append(-1 if text.fill is None else positions[text.fill])
            row_columns = np.array(columns, dtype=np.intp)[codes]
            is_known = row_columns >= 0
            features[np.flatnonzero(is_known), start + row_columns[is_known]] = 1
            start += len(text.categories)
        return features

    def to_json(self) -> dict[str, Any]:
        """Return the encoder as what JSON can hold; ``from_json`` makes the same one of it, to the bit."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FrameEncoder:
        """Make the encoder that ``to_json`` wrote."""
        texts = [{**column, "categories": tuple(column["categories"])} for column in document["texts"]]
        return cls(
            numbers=tuple(NumberColumn(**column) for column in document["numbers"]),
            texts=tuple(TextColumn(**column) for column in texts),
        )


def fit_encoder(frame_input: FrameInput, train_frame: pd.DataFrame) -> FrameEncoder:
    """Fit an encoder with scikit-learn.

    Parameters
    ----------
    frame_input : which columns are numeric, the categories of the others, and how missing values are filled.
    train_frame : the training rows.
    """
    transformer = make_transformer(frame_input).fit(prepare_frame(frame_input, train_frame))
    return FrameEncoder(
        _describe_numbers(frame_input, transformer, train_frame), _describe_texts(frame_input, transformer)
    )


def make_transformer(frame_input: FrameInput) -> ColumnTransformer:
    """Return the transformer that an encoder takes its numbers from, not yet fitted."""
    number_steps: list[tuple[str, Any]] = [("scale", StandardScaler())]
    text_steps: list[tuple[str, Any]] = [("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False))]
    if frame_input.impute is not None:
        # Columns without any value in these training rows are kept, so that the number of features stays.
        strategies = {"keep_empty_features": True}
        number_steps.insert(0, (_FILL, SimpleImputer(strategy=frame_input.impute, **strategies)))
        text_steps.insert(0, (_FILL, SimpleImputer(strategy="most_frequent", **strategies)))
    steps = [
        (_NUMBERS, Pipeline(number_steps), list(frame_input.numeric)),
        (_TEXTS, Pipeline(text_steps), list(frame_input.categories)),
    ]
    return ColumnTransformer([step for step in steps if step[2]])


def prepare_frame(frame_input: FrameInput, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame in the types that scikit-learn's transformers know: float64, and objects with NaN."""
    columns: dict[str, Any] = {}
    for name in frame_input.numeric:
        columns[name] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    for name in frame_input.categories:
        columns[name] = frame[name].astype(object).where(frame[name].notna(), np.nan).to_numpy()
    return pd.DataFrame(columns, copy=False)


def _describe_numbers(
    frame_input: FrameInput, transformer: ColumnTransformer, train_frame: pd.DataFrame
) -> tuple[NumberColumn, ...]:
    if not frame_input.numeric:
        return ()
    pipeline = transformer.named_transformers_[_NUMBERS]
    fills = _list_fills(pipeline, len(frame_input.numeric))
    numbers = []
    for index, name in enumerate(frame_input.numeric):
        values = train_frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        fill = None if fills[index] is None else float(fills[index])
        values = values if fill is None else np.where(np.isnan(values), fill, values)
        scaler = pipeline["scale"]
        # scikit-learn divides a constant column by 1, which leaves other values in later rows as large as they are.
        scale = 0.0 if (values == values[0]).all() else float(scaler.scale_[index])
        numbers.append(NumberColumn(name, float(scaler.mean_[index]), scale, fill))
    return tuple(numbers)


def _describe_texts(frame_input: FrameInput, transformer: ColumnTransformer) -> tuple[TextColumn, ...]:
    if not frame_input.categories:
        return ()
    pipeline = transformer.named_transformers_[_TEXTS]
    fills = _list_fills(pipeline, len(frame_input.categories))
    texts = []
    for index, (name, categories) in enumerate(frame_input.categories.items()):
        known_values = set(pipeline["encode"].categories_[index])
        known_categories = tuple(value if value in known_values else None for value in categories)
        # Of a column without any value, scikit-learn's fill is no category.
        fill = fills[index] if fills[index] in known_categories else None
        texts.append(TextColumn(name, known_categories, fill))
    return tuple(texts)


def _list_fills(pipeline: Pipeline, n_columns: int) -> list[Any]:
    """Return what each column is filled with; None where nothing is missing."""
    return pipeline[_FILL].statistics_.tolist() if _FILL in pipeline.named_steps else [None] * n_columns


def fit_part_encoder(parts: Mapping[PartName, Part], train_rows: SplitRows) -> FrameEncoder:
    """Fit an encoder on the training rows of a data set that the user gave as tables."""
    frame_input = _get_frame_input(parts[train_rows.part])
    return fit_encoder(frame_input, open_frame(frame_input).iloc[train_rows.indices])


def encode_splits(parts: Mapping[PartName, Part], rows: Mapping[str, SplitRows]) -> dict[str, Features]:
    """Return the features of each split of a data set that the user gave as tables.

    Parameters
    ----------
    parts : the parts of the data set.
    rows : the rows of each split; those of ``train`` are what the encoder is fitted on.
    """
    encoder = fit_part_encoder(parts, rows["train"])
    frames = {part: open_frame(_get_frame_input(parts[part])) for part in {split.part for split in rows.values()}}
    return {name: encoder.encode(frames[split.part].iloc[split.indices]) for name, split in rows.items()}


def _get_frame_input(part: Part) -> FrameInput:
    assert isinstance(part.x, FrameInput), "only tables are encoded"
    return part.x
