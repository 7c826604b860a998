"""All kinds of data sets as one type."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from kdtune.inputs.given_data import ClassName
from kdtune.settings.data import Digits, MakeClassification, Torchvision
from kdtune.settings.given import GivenDataset
from kdtune.settings.given_arrays import Arrays, insert_kind
from kdtune.settings.given_images import ImageFolder
from kdtune.settings.given_python import PythonData
from kdtune.settings.given_tables import TableFile

# The kinds of data sets by their names in a sweep file.
DATASET_KINDS: dict[str, Any] = {
    "make_classification": MakeClassification,
    "digits": Digits,
    "torchvision": Torchvision,
    "arrays": Arrays,
    "table": TableFile,
    "image_folder": ImageFolder,
    "python": PythonData,
}
# The type for annotations, and the type that pydantic validates.
Dataset = MakeClassification | Digits | Torchvision | Arrays | TableFile | ImageFolder | PythonData
DatasetSetting = Annotated[
    Annotated[Dataset, Field(discriminator="kind")],
    BeforeValidator(insert_kind),
]


def list_classes(dataset: Dataset) -> list[ClassName]:
    """Return the label of each class in the order of their numbers; numbers where data are no user's."""
    return list(dataset.given.classes) if isinstance(dataset, GivenDataset) else list(range(dataset.n_classes))
