"""The settings of data sets. Those of given data know their sizes once they are checked: the files are looked at."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from kdtune.files.images import CLASSES, ImageFiles, Split, find_image_files
from kdtune.settings.base import (
    UNHASHED,
    Part,
    Positive,
    Settings,
    Size,
    Whole,
    count_examples,
    count_split,
    make_rule_error,
    unhashed_while,
)

Image = tuple[int, int, int]  # channels, height, width
Jitter = Annotated[Whole, Field(ge=0)]  # pixels


class MakeClassification(Settings):
    """scikit-learn's ``make_classification``, with the tutorial's values as defaults."""

    kind: Literal["make_classification"]
    n_samples: Positive = 50_000
    n_features: Size = 100
    n_classes: Annotated[Whole, Field(ge=2, le=10**6)] = 10
    n_clusters_per_class: Size = 1
    class_sep: Annotated[float, Field(gt=0)] = 1.0
    p_informative: Annotated[float, Field(gt=0, le=1)] = 1.0
    flip_y: Annotated[float, Field(ge=0, lt=1)] = 0.01
    test_size: Part = 0.2
    val_size: Part | None = None

    jitter: ClassVar[int] = 0

    @property
    def image(self) -> None:
        """No images: features in no order."""
        return None

    @property
    def n_informative(self) -> int:
        return round(self.p_informative * self.n_features)

    @property
    def n_train(self) -> int:
        return self.n_samples - int(self.test_size)

    @model_validator(mode="after")
    def _resolve(self) -> MakeClassification:
        clusters = self.n_classes * self.n_clusters_per_class
        needed = math.ceil(math.log2(clusters))
        if self.n_informative < needed:
            raise make_rule_error(
                f"p_informative {self.p_informative:g} of {self.n_features} features leaves "
                f"{self.n_informative} informative, too few for {clusters} clusters; "
                f"at least {needed} are needed",
                "p_informative",
            )
        self.test_size = count_split("test_size", self.test_size, self.n_samples)
        # Validation data are generated in addition, so that training stays as large as the tutorial's.
        self.val_size = (
            self.test_size if self.val_size is None else max(1, count_examples(self.val_size, self.n_samples))
        )
        return self


class Digits(Settings):
    """scikit-learn's ``load_digits``: 1,797 images of 8 x 8 pixels, which ship with the library."""

    kind: Literal["digits"]
    test_size: Part = 0.2
    val_size: Part = 0.1
    jitter: Jitter = Field(0, json_schema_extra=unhashed_while(0))

    @property
    def image(self) -> Image:
        return 1, 8, 8

    @property
    def n_samples(self) -> int:
        return 1797

    @property
    def n_features(self) -> int:
        return 64

    @property
    def n_classes(self) -> int:
        return 10

    @property
    def n_train(self) -> int:
        return self.n_samples - int(self.test_size) - int(self.val_size)

    @model_validator(mode="after")
    def _resolve(self) -> Digits:
        self.test_size = count_split("test_size", self.test_size, self.n_samples)
        self.val_size = count_split("val_size", self.val_size, self.n_samples - self.test_size)
        # Both splits are stratified, which takes at least one example of every class in each part.
        if min(self.test_size, self.val_size, self.n_train) < self.n_classes:
            raise make_rule_error(
                f"{self.n_train} training, {self.val_size} validation and {self.test_size} test examples; "
                f"each part needs at least {self.n_classes}, one of every class",
                "test_size",
            )
        _check_jitter(self.jitter, self.image)
        return self


class Torchvision(Settings):
    """Images in torchvision's files: MNIST and the sets of its form. Pixels are scaled from 0..255 to 0..1."""

    kind: Literal["torchvision"]
    name: Literal["MNIST", "FashionMNIST", "KMNIST", "EMNIST"]
    split: Split | None = None
    # Where the files lie; the validation context's data_root goes before it. Their content names the data.
    root: str | None = Field(None, json_schema_extra=UNHASHED)
    val_size: Part | None = None
    jitter: Jitter = 0
    _files: ImageFiles = PrivateAttr()

    @property
    def image(self) -> Image:
        return self._files.image

    @property
    def n_features(self) -> int:
        return math.prod(self.image)

    @property
    def n_classes(self) -> int:
        return CLASSES[self.split or self.name]

    @property
    def n_train(self) -> int:
        return sum(self._files.counts) - int(self.val_size or 0)

    @property
    def test_size(self) -> int:
        return self._files.n_test

    def class_count(self, label: int) -> int:
        """Images of a class that are not the test set's."""
        return self._files.counts[label]

    def beside(self) -> dict[str, Any]:
        return {"content": self._files.content}

    @model_validator(mode="after")
    def _resolve(self, info: ValidationInfo) -> Torchvision:
        if (self.split is not None) != (self.name == "EMNIST"):
            known = ", ".join(get_args(Split))
            raise make_rule_error(f"{self.name} has no splits; leave it out" if self.split else
                        f"is missing: EMNIST comes in several; one of {known}", "split")  # fmt: skip
        try:
            self._files = find_image_files(self.name, self.split, (info.context or {}).get("data_root"), self.root)
        except ValueError as error:
            raise make_rule_error(str(error), "root") from None
        self.root = str(self._files.root)
        there, classes = sum(self._files.counts), sum(count > 0 for count in self._files.counts)
        if self.val_size is None:
            self.val_size = 5000 if self.name == "MNIST" and there == 60_000 else 0.1
        self.val_size = count_split("val_size", self.val_size, there)
        if min(self.val_size, self.n_train) < classes or 1 in self._files.counts:
            raise make_rule_error(
                f"{self.n_train} training and {self.val_size} validation images of {classes} classes; "
                f"each part needs at least one of every class",
                "val_size",
            )
        _check_jitter(self.jitter, self.image)
        return self


def _check_jitter(jitter: int, image: Image) -> None:
    if jitter >= min(image[1:]):
        raise make_rule_error(f"{jitter} pixels shift images of {image[1]} x {image[2]} out of sight", "jitter")


Dataset = Annotated[MakeClassification | Digits | Torchvision, Field(discriminator="kind")]
# One of them, as a type.
AnyDataset = MakeClassification | Digits | Torchvision
