"""The settings of teachers that are given as their outputs: logits or probabilities, a row for each example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from kdtune.inputs.array_sets import read_array_file
from kdtune.inputs.arrays import Array, ArrayInput, find_bad_row, iterate_chunks, open_array
from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import PartName
from kdtune.inputs.reader import InputReader
from kdtune.settings.base import EXCLUDE_FROM_HASH, Settings, make_rule_error
from kdtune.settings.given import get_reader
from kdtune.settings.models import UnlayeredShape

SUM_TOLERANCE = 1e-3  # The probabilities of an example may add up to 1 only so exactly: float16 rounds.
Floor = Annotated[float, Field(gt=0, le=0.01)]


class SplitOutputs(Settings):
    """The files of a teacher's outputs on each split."""

    train: str
    """The file of the outputs on the training split."""
    val: str | None = None
    """The file of the outputs on the validation split, where one is given."""
    test: str
    """The file of the outputs on the test split."""


class GivenOutputs(UnlayeredShape):
    """Outputs of a teacher that was trained elsewhere: a row for each example, in the order of the data.

    ``outputs`` names one file for a set that is split here, or a file for each given split.
    """

    kind: Literal["logits", "probabilities"]
    """Outputs of a teacher that was trained elsewhere."""
    outputs: str | SplitOutputs = Field(json_schema_extra=EXCLUDE_FROM_HASH)
    """One file for a set that is split here, or a file for each given split. A row for each example, in the order of
    the data."""
    agreement: Literal["checked", "any"] = Field("checked", json_schema_extra=EXCLUDE_FROM_HASH)
    """Outputs that agree with fewer labels than the most frequent class has are refused, as their rows may be in
    another order; `any` accepts them."""
    _arrays: dict[PartName, ArrayInput] = PrivateAttr()

    is_trained_by_steps: ClassVar[bool] = False
    is_redrawn: ClassVar[bool] = False

    @property
    def arrays(self) -> dict[PartName, ArrayInput]:
        """The outputs by part of the data, (examples, classes) each; ``all`` for a set that is split here."""
        return self._arrays

    def to_columns(self) -> dict[str, Any]:
        """Return the values for the table's columns."""
        return {"architecture": self.kind, "outputs": self.outputs_name}

    @property
    def outputs_name(self) -> str:
        """The file of the outputs as it is written, which tells the teachers of a grid apart."""
        return self.outputs if isinstance(self.outputs, str) else self.outputs.train

    def list_file_hashes(self) -> dict[str, Any]:
        """Return the hash of the outputs on each part."""
        return {"content": {name: array.content for name, array in self._arrays.items()}}

    def list_stored_paths(self) -> list[str]:
        """List the paths of the outputs that the sweep writes before it trains."""
        return [array.path for array in self._arrays.values() if array.modified_ns is None]

    @model_validator(mode="after")
    def _resolve(self, info: ValidationInfo) -> GivenOutputs:
        reader = get_reader(info)
        key = ("outputs", self.kind, str(self.outputs))
        try:
            self._arrays = reader.read_once(key, lambda: self._read(reader))
        except InputError as error:
            raise make_rule_error(str(error), error.setting) from None
        return self

    def _read(self, reader: InputReader) -> dict[PartName, ArrayInput]:
        """Look at the files of the outputs, and check their values."""
        arrays: dict[PartName, ArrayInput] = {}
        for name, path, setting in self._list_files():
            array = read_array_file(reader.locate(path, setting), reader.inputs_folder, setting, name)
            self._check_values(array, setting)
            arrays[name] = array
        return arrays

    def _list_files(self) -> Iterator[tuple[PartName, str, str]]:
        """Yield the part, the path and the setting of each file."""
        if isinstance(self.outputs, str):
            yield "all", self.outputs, "outputs"
            return
        for name in ("train", "val", "test"):
            path = getattr(self.outputs, name)
            if path is not None:
                yield name, path, f"outputs.{name}"

    def _check_values(self, array: ArrayInput, setting: str) -> None:
        """Raise InputError if outputs are no numbers of the right form."""
        if len(array.shape) != 2 or 0 in array.shape:
            raise InputError(f"has shape {array.shape}; outputs are (examples, classes)", setting)
        values = open_array(array)
        if values.dtype.kind not in "fiu":
            raise InputError(f"holds values of type {values.dtype}; outputs are numbers", setting)
        bad_row = find_bad_row(values)
        if bad_row is not None:
            raise InputError(f"row {bad_row} (counted from 0) holds NaN, or a number that float32 cannot hold", setting)
        if self.kind == "logits":
            if _is_made_of_probabilities(values):
                raise InputError(
                    "holds values from 0 to 1 that add up to 1 in each row, so these are probabilities: write "
                    "`kind: probabilities`",
                    setting,
                )
            return
        for start, stop in iterate_chunks(values):
            chunk = values[start:stop].astype("float64")
            is_negative = (chunk < 0).any(axis=1)
            if is_negative.any():
                row = start + int(is_negative.argmax())
                raise InputError(
                    f"row {row} (counted from 0) holds a value below 0, so these are no probabilities; of logits, "
                    f"write `kind: logits`",
                    setting,
                )
            is_wrong = abs(chunk.sum(axis=1) - 1) > SUM_TOLERANCE
            if is_wrong.any():
                row = start + int(is_wrong.argmax())
                total = float(chunk[row - start].sum())
                raise InputError(
                    f"row {row} (counted from 0) adds up to {total:.4g}; the probabilities of an example add up to 1",
                    setting,
                )


def _is_made_of_probabilities(values: Array) -> bool:
    """Return whether each row holds values from 0 to 1 that add up to 1."""
    return all(
        bool(((chunk >= 0) & (chunk <= 1)).all() and (abs(chunk.sum(axis=1) - 1) <= SUM_TOLERANCE).all())
        for start, stop in iterate_chunks(values)
        for chunk in [values[start:stop].astype("float64")]
    )


class GivenLogits(GivenOutputs):
    """Logits of a teacher that was trained elsewhere."""

    kind: Literal["logits"]
    """Logits of a teacher that was trained elsewhere."""


class GivenProbabilities(GivenOutputs):
    """Probabilities of a teacher that was trained elsewhere; T acts on their logarithms."""

    kind: Literal["probabilities"]
    """Probabilities of a teacher that was trained elsewhere; T acts on their logarithms."""
    floor: Floor = 1e-4
    """Probabilities below this are raised to it, as 0 has no logarithm."""

    def to_columns(self) -> dict[str, Any]:
        """Return the values for the table's columns."""
        return super().to_columns() | {"floor": self.floor}
