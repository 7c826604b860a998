"""The settings of data sets.

The sizes of image sets are read from their files when the settings are validated.
"The tutorial" is the 2018 Harvard tutorial that kdtune began from; the defaults are its values.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from kdtune.files.images import CLASS_COUNTS, ImageFiles, Split, find_image_files, list_image_files, read_labels
from kdtune.inputs.given_data import PartName
from kdtune.settings.base import (
    EXCLUDE_FROM_HASH,
    PositiveInt,
    Size,
    SplitSize,
    WholeNumber,
    count_examples,
    count_split_examples,
    exclude_from_hash_while,
    make_rule_error,
)
from kdtune.settings.dataset_base import DatasetSettings

Image = tuple[int, int, int]  # channels, height, width
Jitter = Annotated[WholeNumber, Field(ge=0)]  # The largest shift of an image, in pixels.


class MakeClassification(DatasetSettings):
    """Data from scikit-learn's ``make_classification``, with the tutorial's values as defaults."""

    kind: Literal["make_classification"]
    """Data that scikit-learn's `make_classification` generates."""
    n_samples: PositiveInt = 50_000
    """The number of training and test examples together."""
    n_features: Size = 100
    """The number of features."""
    n_classes: Annotated[WholeNumber, Field(ge=2, le=10**6)] = 10
    """The number of classes."""
    n_clusters_per_class: Size = 1
    """The number of clusters of each class."""
    class_sep: Annotated[float, Field(gt=0)] = 1.0
    """How far apart the classes lie; a larger value makes the data easier."""
    p_informative: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of the features that say something about the class."""
    flip_y: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """The share of the examples whose class is drawn at random."""
    test_size: SplitSize = 0.2
    """The size of the test split: a fraction, or a number of examples."""
    val_size: SplitSize | None = None
    """The size of the validation split, which is generated in addition; none stands for that of the test split."""

    jitter: ClassVar[int] = 0

    @property
    def image(self) -> None:
        """None: the features are in no order, as pixels are."""
        return None

    @property
    def n_informative(self) -> int:
        """The number of informative features."""
        return round(self.p_informative * self.n_features)

    @property
    def n_train(self) -> int:
        """The number of training examples."""
        return self.n_samples - int(self.test_size)

    @model_validator(mode="after")
    def _resolve(self) -> MakeClassification:
        n_clusters = self.n_classes * self.n_clusters_per_class
        min_informative = math.ceil(math.log2(n_clusters))  # scikit-learn puts the clusters on corners of a hypercube.
        if self.n_informative < min_informative:
            raise make_rule_error(
                f"{self.p_informative:g} of {self.n_features} features leaves {self.n_informative} informative, "
                f"too few for {n_clusters} clusters; at least {min_informative} are needed",
                "p_informative",
            )
        self.test_size = count_split_examples("test_size", self.test_size, self.n_samples)
        # Validation data are generated in addition, so that the training set stays as large as the tutorial's.
        if self.val_size is None:
            self.val_size = self.test_size
        else:
            self.val_size = max(1, count_examples(self.val_size, self.n_samples))
        return self


class Digits(DatasetSettings):
    """scikit-learn's ``load_digits``: 1,797 images of 8 x 8 pixels, which ship with the library."""

    kind: Literal["digits"]
    """The handwritten digits of scikit-learn's `load_digits`: 1,797 images of 8 x 8 pixels."""
    test_size: SplitSize = 0.2
    """The size of the test split: a fraction, or a number of images."""
    val_size: SplitSize = 0.1
    """The size of the validation split: a fraction of the rest, or a number of images."""
    jitter: Jitter = Field(0, json_schema_extra=exclude_from_hash_while(0))
    """The largest shift of a training image in pixels, drawn anew in each epoch."""

    @property
    def image(self) -> Image:
        """Channels, height and width of an image."""
        return 1, 8, 8

    @property
    def is_test_drawn(self) -> bool:
        """Whether the test split is drawn from one set of examples: it is."""
        return True

    def list_part_sizes(self) -> dict[PartName, int]:
        """Return the number of images of the whole set."""
        return {"all": self.n_samples}

    def read_part_labels(self, part: PartName) -> npt.NDArray[np.int64]:
        """Return the labels in the library's order."""
        from sklearn.datasets import load_digits  # It takes a second to import.

        return np.asarray(load_digits().target, np.int64)

    @property
    def n_samples(self) -> int:
        """The number of images that the library ships."""
        return 1797

    @property
    def n_features(self) -> int:
        """The number of pixels."""
        return 64

    @property
    def n_classes(self) -> int:
        """The number of classes: one for each digit."""
        return 10

    @property
    def n_train(self) -> int:
        """The number of training examples."""
        return self.n_samples - int(self.test_size) - int(self.val_size)

    @model_validator(mode="after")
    def _resolve(self) -> Digits:
        self.test_size = count_split_examples("test_size", self.test_size, self.n_samples)
        self.val_size = count_split_examples("val_size", self.val_size, self.n_samples - self.test_size)
        # Both splits are stratified, which takes at least one example of every class in each part.
        if min(self.test_size, self.val_size, self.n_train) < self.n_classes:
            raise make_rule_error(
                f"leaves {self.n_train} training, {self.val_size} validation and {self.test_size} test examples; "
                f"each part needs at least {self.n_classes}, one of every class",
                "test_size",
            )
        check_jitter(self.jitter, self.image)
        return self


class Torchvision(DatasetSettings):
    """An image set in torchvision's files: MNIST or a set of the same form. Pixels are scaled from 0..255 to 0..1."""

    kind: Literal["torchvision"]
    """An image set in the files of torchvision."""
    name: Literal["MNIST", "FashionMNIST", "KMNIST", "EMNIST"]
    """The name of the image set."""
    split: Split | None = None
    """Which split of EMNIST; other sets have none."""
    # Not hashed, since the id of the data depends on the content of the files.
    root: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The folder of the files, as in `ROOT/MNIST/raw`. `--data-root` comes first; without both it is $KDTUNE_DATA, or
    a cache folder."""
    val_size: SplitSize | None = None
    """The size of the validation split, cut from the training images; none stands for 5,000 of MNIST, and for a tenth
    of other sets."""
    jitter: Jitter = 0
    """The largest shift of a training image in pixels, drawn anew in each epoch."""
    _files: ImageFiles = PrivateAttr()

    @property
    def image(self) -> Image:
        """Channels, height and width of an image."""
        return self._files.image

    @property
    def n_features(self) -> int:
        """The number of values in one image."""
        return math.prod(self.image)

    @property
    def n_classes(self) -> int:
        """The number of classes that labels may have."""
        return CLASS_COUNTS[self.split or self.name]

    @property
    def n_train(self) -> int:
        """The number of training images, without the validation split."""
        return sum(self._files.images_per_class) - int(self.val_size or 0)

    @property
    def test_size(self) -> int:
        """The number of test images."""
        return self._files.n_test

    def list_part_sizes(self) -> dict[PartName, int]:
        """Return the numbers of training and test images, as the files hold them."""
        return {"train": sum(self._files.images_per_class), "test": self._files.n_test}

    def read_part_labels(self, part: PartName) -> npt.NDArray[np.int64]:
        """Return the labels of training or test images in the order of the files."""
        _, train_labels, _, test_labels = list_image_files(self.name, self.split, self._files.root)
        return read_labels(train_labels if part == "train" else test_labels).astype(np.int64)

    def count_examples_of_class(self, label: int) -> int:
        """Count the images of a class in the training files, so without the test set."""
        return self._files.images_per_class[label]

    def list_file_hashes(self) -> dict[str, Any]:
        """Return the hash of the four files."""
        return {"content": self._files.content_hash}

    @model_validator(mode="after")
    def _resolve(self, info: ValidationInfo) -> Torchvision:
        if self.split is not None and self.name != "EMNIST":
            raise make_rule_error(f"{self.name} has no splits; leave it out", "split")
        if self.split is None and self.name == "EMNIST":
            valid_splits = ", ".join(get_args(Split))
            raise make_rule_error(f"is missing: EMNIST comes in several splits; choose from {valid_splits}", "split")
        self._files = self._find_files(info.context or {})
        self.root = str(self._files.root)
        images_per_class = self._files.images_per_class
        n_images = sum(images_per_class)
        n_nonempty_classes = sum(count > 0 for count in images_per_class)
        if self.val_size is None:
            self.val_size = 5000 if self.name == "MNIST" and n_images == 60_000 else 0.1
        self.val_size = count_split_examples("val_size", self.val_size, n_images)
        if min(self.val_size, self.n_train) < n_nonempty_classes or 1 in images_per_class:
            raise make_rule_error(
                f"leaves {self.n_train} training and {self.val_size} validation images of {n_nonempty_classes} "
                f"classes; each part needs at least one of every class",
                "val_size",
            )
        check_jitter(self.jitter, self.image)
        return self

    def _find_files(self, context: dict[str, Any]) -> ImageFiles:
        """Inspect the files of the data set.

        Parameters
        ----------
        context : The dict that was handed to pydantic, as by ``BlockValidator``: "data_root", "allow_download",
            and "file_errors", in which errors are kept. Without them, each variant of a data set would wait for
            the same download to fail.
        """
        errors = context.get("file_errors", {})
        key = self.name, self.split, self.root
        if key in errors:
            raise make_rule_error(errors[key], "root")
        try:
            return find_image_files(
                self.name, self.split, context.get("data_root"), self.root, context.get("allow_download", True)
            )
        except ValueError as error:
            errors[key] = str(error)
            raise make_rule_error(str(error), "root") from None


def check_jitter(jitter: int, image: Image) -> None:
    """Raise the error of a rule if shifts would move images out of sight."""
    _, height, width = image
    largest = min(height, width) - 1
    if jitter > largest:
        message = f"{jitter} pixels shift images of {height} x {width} out of sight; at most {largest} is right"
        raise make_rule_error(message, "jitter")
