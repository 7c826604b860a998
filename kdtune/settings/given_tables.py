"""The settings of data that users bring as tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.null_words import note_null_words
from kdtune.inputs.reader import InputReader
from kdtune.inputs.table_files import read_table_file
from kdtune.inputs.tables import read_table_data
from kdtune.settings.base import EXCLUDE_FROM_HASH
from kdtune.settings.given import GivenDataset, name_after_path

Impute = Literal["median", "most_frequent"]


class TableFile(GivenDataset):
    """A table in a file, CSV or Parquet: one column is the class, the others are features.

    Numbers are standardised and text is one-hot encoded, both fitted on the training part alone.
    """

    kind: Literal["table"] = Field(json_schema_extra=EXCLUDE_FROM_HASH)
    """A table in a file: `.csv`, `.tsv` or `.parquet`."""
    file: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The file of one set, which is split here, or by the column `split`."""
    train: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The file of the training split."""
    val: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The file of the validation split; without it, it is cut from the training split."""
    test: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The file of the test split."""
    target: str = Field(json_schema_extra=EXCLUDE_FROM_HASH)
    """The column with the class."""
    drop: list[str] = Field(default_factory=list, json_schema_extra=EXCLUDE_FROM_HASH)
    """The columns that are no features."""
    split: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """A column that says `train`, `val` or `test` in each row."""
    impute: Impute | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)  # The content of the features covers it.
    """What stands for a missing value: the median (text: the most frequent value), or the most frequent value. Without
    it, missing values are refused."""

    jitter: int = Field(0, le=0, json_schema_extra=EXCLUDE_FROM_HASH)
    """Only 0: rows of a table are not shifted."""

    def read(self, reader: InputReader) -> GivenData:
        """Read the tables."""
        files = self.list_part_paths("file", self.file, self.train, self.val, self.test)
        key = ("table", tuple(files.items()), self.target, tuple(self.drop), self.split, self.impute, self.n_classes)
        return reader.read_once(key, lambda: self._read(reader, files))

    def get_default_name(self) -> str:
        """Return a name after the file."""
        return name_after_path(self.file or self.train or "")

    def _read(self, reader: InputReader, files: dict[PartName, str]) -> GivenData:
        frames, names = {}, {}
        for part, path in files.items():
            names[part] = "file" if part == "all" else part
            located_path = reader.locate(path, names[part])
            try:
                frames[part] = read_table_file(located_path, reader.notes)
            except InputError as error:
                raise InputError(str(error), names[part]) from None
            if self.impute is not None:
                note_null_words(located_path, frames[part], [self.target, *self.drop], reader.notes)
        return read_table_data(
            frames,
            self.target,
            drop=self.drop,
            impute=self.impute,
            split=self.split,
            folder=reader.inputs_folder,
            n_classes=self.n_classes or None,
            names=names,
            notes=reader.notes,
        )
