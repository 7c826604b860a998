"""The settings of data that a factory returns."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from kdtune.inputs.given_data import GivenData
from kdtune.inputs.python_data import read_python_data
from kdtune.inputs.reader import InputReader
from kdtune.inputs.scale_notes import note_forms
from kdtune.settings.base import EXCLUDE_FROM_HASH, WholeNumber, exclude_from_hash_while
from kdtune.settings.given import GivenDataset, Scale
from kdtune.settings.given_tables import Impute


class PythonData(GivenDataset):
    """Data that a function returns: one of the user's, or a loader of scikit-learn's.

    What it returned enters the ids, not its name or arguments. It is called once per command.
    """

    kind: Literal["python"] = Field(json_schema_extra=EXCLUDE_FROM_HASH)
    """Data that a function returns: one of your own, or a loader of scikit-learn's."""
    factory: str = Field(json_schema_extra=EXCLUDE_FROM_HASH)
    """The function, as in `module:function`, in a file beside the sweep file or an installed package. It is called
    once for each command."""
    args: dict[str, Any] = Field(default_factory=dict, json_schema_extra=EXCLUDE_FROM_HASH)
    """The arguments of the function; each may be a grid."""
    target: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The column with the class, where the function returns a table."""
    drop: list[str] = Field(default_factory=list, json_schema_extra=EXCLUDE_FROM_HASH)
    """The columns that are no features, where it returns a table."""
    impute: Impute | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)  # The content of the features covers it.
    """What stands for a missing value, where it returns a table; without it, missing values are refused."""
    scale: Scale | None = None
    """None takes values as they are; a number divides by it; `standard` gives each feature mean 0 and variance 1 over
    the training examples."""
    jitter: Annotated[WholeNumber, Field(ge=0)] = Field(0, json_schema_extra=exclude_from_hash_while(0))
    """The largest shift of a training image in pixels, drawn anew in each epoch."""

    def read(self, reader: InputReader) -> GivenData:
        """Call the factory, once for all variants that have the same arguments."""
        arguments = json.dumps(self.args, sort_keys=True)
        key = ("python", self.factory, arguments, self.target, tuple(self.drop), self.impute, self.n_classes)
        given = reader.read_once(
            key,
            lambda: read_python_data(
                self.factory,
                self.args,
                reader.search_folders,
                folder=reader.inputs_folder,
                notes=reader.notes,
                target=self.target,
                drop=self.drop,
                impute=self.impute,
                n_classes=self.n_classes or None,
            ),
        )
        reader.add_notes(note_forms(given, is_scaled=self.scale is not None))
        return given

    def get_default_name(self) -> str:
        """Return the function's name without what loaders are called by."""
        name = self.factory.rpartition(":")[2]
        return name.removeprefix("load_").removeprefix("fetch_")
