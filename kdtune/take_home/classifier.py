"""Export the student of a ``DistilledClassifier``: the same files as of a sweep's, but for what only a sweep knows."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from kdtune.data.encoding import FrameEncoder, NumberColumn
from kdtune.data.mapped_examples import Scaling
from kdtune.take_home.classifier_card import write_classifier_card
from kdtune.take_home.documents import describe_file, name_input, to_json, write_script
from kdtune.take_home.network_code import to_torch_layers, write_layers
from kdtune.take_home.onnx_files import make_onnx_file
from kdtune.take_home.preprocessing import ArrayPreprocessing, Preprocessing, TablePreprocessing
from kdtune.take_home.writing import CARD, LABELS, ONNX, PREPROCESSING, SCRIPT, WEIGHTS, check_folder, write_folder

N_DRAWN_ROWS = 1000  # on which the exported network is compared with the classifier, which keeps no rows itself


@dataclass(frozen=True)
class ClassifierExport:
    """What was exported of a classifier.

    Attributes
    ----------
    folder, files : where it lies, and the files in it.
    temperature : T that the student was distilled at.
    difference : the largest difference of a probability from the classifier's, which computes in float64, on random
        rows with the mean and the standard deviation of the training rows.
    onnx_difference : the largest difference of a logit between ONNX and PyTorch on these rows; None without a file.
    notes : sentences about what was assumed or left out.
    """

    folder: Path
    files: tuple[str, ...]
    temperature: float
    difference: float
    onnx_difference: float | None
    notes: tuple[str, ...]


def export_classifier(classifier: Any, folder: Path, force: bool) -> ClassifierExport:
    """Export the student of a fitted ``DistilledClassifier`` into a folder.

    Parameters
    ----------
    classifier : the fitted classifier.
    folder : where the files are written; it is created.
    force : replace the files of an earlier export.

    Raises
    ------
    RequestError
        If the folder holds files; nothing was written.
    StorageError
        If the folder cannot be written.
    """
    from safetensors.torch import save

    check_folder(folder, force)
    standardize, student = classifier.student_
    network = to_torch_layers(copy.deepcopy(student).float())
    mean, scale = standardize.mean.numpy(), standardize.scale.numpy()
    preprocessing = _describe_scaling(classifier, mean, scale)
    rows = mean + scale * np.random.default_rng(0).normal(size=(N_DRAWN_ROWS, len(mean)))
    with torch.inference_mode():
        logits = network(torch.from_numpy(((rows - mean) / scale).astype(np.float32)))
        exact_probabilities = torch.softmax(classifier.student_(torch.from_numpy(rows)), dim=1)
    difference = float((torch.softmax(logits, dim=1) - exact_probabilities).abs().max())
    classes = classifier.classes_.tolist()
    is_table = isinstance(preprocessing, TablePreprocessing)
    examples = pd.DataFrame(rows, columns=list(preprocessing.columns)) if is_table else rows  # type: ignore[union-attr]
    rows_name = f"{N_DRAWN_ROWS:,} random rows"
    onnx = make_onnx_file(network, preprocessing, 1.0, classes, [examples], logits.numpy(), rows_name)
    contents = {
        WEIGHTS: save(network.state_dict(), metadata={"format": "pt"}),
        **({ONNX: onnx.content} if onnx.content else {}),
        PREPROCESSING: to_json({**preprocessing.to_json(), "temperature": 1.0}),
        LABELS: to_json({"classes": classes}),
        SCRIPT: write_script(write_layers(network), preprocessing),
    }
    note = (
        f"The files compute in float32, the classifier in float64: on {rows_name} with the mean and the standard "
        f"deviation of the training rows, probabilities differ by at most {difference:.2g}."
    )
    files = {name: describe_file(name) for name in [*contents, CARD]}
    contents[CARD] = write_classifier_card(
        classifier, preprocessing, name_input(preprocessing), files, [note, onnx.sentence]
    ).encode()
    write_folder(folder, contents)
    return ClassifierExport(
        folder=folder,
        files=tuple(sorted(contents)),
        temperature=float(classifier.best_T_),
        difference=difference,
        onnx_difference=onnx.difference,
        notes=(note, onnx.sentence),
    )


def _describe_scaling(classifier: Any, mean: Any, scale: Any) -> Preprocessing:
    """Return the standardisation of a classifier: of columns by name, if it was fitted on a frame."""
    shape = (len(mean),)
    if not hasattr(classifier, "feature_names_in_"):
        return ArrayPreprocessing(shape, "float64", Scaling(mean, scale))
    names = tuple(map(str, classifier.feature_names_in_))
    columns = [
        NumberColumn(name, float(center), float(spread), None)
        for name, center, spread in zip(names, mean, scale, strict=True)
    ]
    return TablePreprocessing(shape, names, FrameEncoder(tuple(columns), ()))
