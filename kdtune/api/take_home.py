"""Export a network from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from kdtune.api.arguments import to_path
from kdtune.api.option_names import rename_options
from kdtune.errors import RequestError
from kdtune.text import describe_value

if TYPE_CHECKING:
    from kdtune.estimator import DistilledClassifier
    from kdtune.take_home.classifier import ClassifierExport
    from kdtune.take_home.export import Export, ExportOptions


@overload
def export(
    results: str | Path,
    output: str | Path,
    *,
    cell: Mapping[str, Any] | None = None,
    id: str | None = None,
    force: bool = False,
    temperature_scaled: bool = False,
    measure: bool = False,
    data_root: str | Path | None = None,
) -> Export: ...


@overload
def export(results: DistilledClassifier, output: str | Path, *, force: bool = False) -> ClassifierExport: ...


def export(
    results: str | Path | DistilledClassifier,
    output: str | Path,
    *,
    cell: Mapping[str, Any] | None = None,
    id: str | None = None,
    force: bool = False,
    temperature_scaled: bool = False,
    measure: bool = False,
    data_root: str | Path | None = None,
) -> Export | ClassifierExport:
    """Write a student's weights, ONNX file, model card and a page of code that uses it without kdtune.

    Parameters
    ----------
    results : a sweep's folder, or its name under results/; or a fitted ``DistilledClassifier``, of which all other
        arguments but ``force`` say nothing.
    output : the folder for the files; it is created.
    cell : the setting whose student is taken, as in ``{"width": 16}``; needed where the sweep has several. The student
        is that of the answer's T; of its replicates the best on the validation split.
    id : the id of a network that is taken instead, a baseline or a teacher too.
    force : replace the files of an earlier export in that folder.
    temperature_scaled : fit a temperature for honest probabilities on the validation split.
    measure : time the network and its teacher on this machine.
    data_root : the folder of the data sets' files, if it has changed.

    Returns
    -------
    The folder, the network's id, its figures, and notes on what was assumed or left out; of a classifier there is no
    id, and no figures, since it keeps no rows to count errors on.

    Raises
    ------
    RequestError
        If the request is wrong, or the network cannot be had; nothing was written.
    StorageError
        If the folder cannot be written.
    """
    from kdtune.take_home.export import ExportOptions, export_network

    if cell is not None and not isinstance(cell, Mapping):
        raise RequestError(f'cell: must be a mapping, as in cell={{"width": 16}}, not {describe_value(cell)}')
    options = ExportOptions(
        dict(cell or {}),
        id,
        force,
        temperature_scaled,
        measure,
        None if data_root is None else to_path("data_root", data_root),
    )
    try:
        if isinstance(results, str | Path):
            return export_network(to_path("results", results), to_path("output", output), options, _write_cell)
        return _export_classifier(results, to_path("output", output), options)
    except RequestError as error:
        error.args = (rename_options(str(error)).replace("--force", "force=True"),)
        raise


def _export_classifier(classifier: Any, folder: Path, options: ExportOptions) -> ClassifierExport:
    """Export the student of a classifier; RequestError if it is none that is fitted, or is asked for more."""
    from kdtune.estimator import DistilledClassifier
    from kdtune.take_home.classifier import export_classifier

    if not isinstance(classifier, DistilledClassifier):
        raise RequestError(
            f"results: must be a path, as in results='results/mine', or a fitted DistilledClassifier, not "
            f"{describe_value(classifier)}; of a pipeline, give its last step"
        )
    if not hasattr(classifier, "student_"):
        raise RequestError("results: the DistilledClassifier is not fitted; call its fit first")
    for name, value in vars(options).items():
        if value and name != "force":
            raise RequestError(f"{name}: goes with a sweep, not with a DistilledClassifier; leave it out")
    return export_classifier(classifier, folder, options.force)


def _write_cell(settings: Mapping[str, Any]) -> str:
    """Write the settings of a cell as an argument."""
    return f"cell={dict(settings)!r}"
