"""All kinds of data sets as one type."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from kdtune.settings.data import Digits, MakeClassification, Torchvision
from kdtune.settings.given import Arrays, insert_kind

# The same union twice: as a type for annotations, and as the type that pydantic validates.
Dataset = MakeClassification | Digits | Torchvision | Arrays
DatasetSetting = Annotated[
    Annotated[MakeClassification | Digits | Torchvision | Arrays, Field(discriminator="kind")],
    BeforeValidator(insert_kind),
]
