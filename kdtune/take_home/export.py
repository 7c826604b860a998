"""Export a network: choose it, load or train it, check it, and write what it takes to use it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdtune.analysis.answer import Answer, analyze_table
from kdtune.analysis.file_problems import SWEEP_FILE, TABLE_FILE
from kdtune.analysis.table_files import locate_table, read_sweep_table
from kdtune.columns import ID, MODEL, NUM_ERROR, STUDENT
from kdtune.errors import RequestError
from kdtune.errors_by_example import read_errors_by_example
from kdtune.settings import GivenDataset, ModuleShape
from kdtune.table_facts import find_facts, find_select, read_versions
from kdtune.take_home.calibration import Calibration, calibrate
from kdtune.take_home.card import write_card
from kdtune.take_home.card_facts import CardFacts
from kdtune.take_home.choice import Choice, choose_by_cell, choose_by_id
from kdtune.take_home.distillation_doubt import describe_doubt
from kdtune.take_home.documents import (
    describe_file,
    name_input,
    to_json,
    write_network_code,
    write_script,
    write_weights,
)
from kdtune.take_home.figures import SplitFigures, measure_test
from kdtune.take_home.networks import SweepFolder, TakenNetwork, take_network
from kdtune.take_home.onnx_files import make_onnx_file
from kdtune.take_home.preprocessing import find_preprocessing, iterate_user_examples
from kdtune.take_home.replicate_facts import find_replicate_facts
from kdtune.take_home.speed import Timings, time_module
from kdtune.take_home.teacher_speed import time_teacher
from kdtune.take_home.user_code import describe_code, read_code
from kdtune.take_home.writing import (
    CARD,
    LABELS,
    ONNX,
    PREPROCESSING,
    SCRIPT,
    SWEEP,
    WEIGHTS,
    check_folder,
    write_folder,
)

# So many errors more or fewer, and this share of the test examples, come from another machine's rounding.
MIN_TOLERATED_ERRORS = 3
TOLERATED_ERRORS = 0.005


@dataclass(frozen=True)
class ExportOptions:
    """What the user asks for.

    Attributes
    ----------
    cell : columns with values that name a setting of the sweep.
    id : the id of a network, in place of a setting.
    force : replace the files of an earlier export.
    temperature_scaled : fit a temperature for calibration.
    measure : time the network and its teacher.
    data_root : the folder where the files of given data lie now.
    """

    cell: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    force: bool = False
    temperature_scaled: bool = False
    measure: bool = False
    data_root: Path | None = None


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes
    ----------
    folder, files : where it lies, and the files in it.
    id : the network's id.
    temperature : T that it was distilled at; None if it was not.
    figures : errors, nll and ece on the test split.
    calibration : the fitted temperature, and what it is worth; None if none was asked for.
    onnx_difference : the largest difference between ONNX and PyTorch on the test split; None without a file.
    timings, teacher_timings : microseconds for each example by batch; None if not measured.
    notes : sentences about what was assumed or left out.
    """

    folder: Path
    files: tuple[str, ...]
    id: str
    temperature: float | None
    figures: SplitFigures
    calibration: Calibration | None
    onnx_difference: float | None
    timings: Timings | None
    teacher_timings: Timings | None
    notes: tuple[str, ...]


def export_network(
    results: str | Path, folder: Path, options: ExportOptions, write_cell: Callable[[Mapping[str, Any]], str]
) -> Export:
    """Export a network of a sweep into a folder.

    Parameters
    ----------
    results : a sweep's folder, or its name under results/.
    folder : where the files are written; it is created.
    options : what the user asks for.
    write_cell : writes the settings of a cell as the user gives them, for messages.

    Raises
    ------
    RequestError
        If the request is wrong, or the network cannot be had; nothing was written.
    StorageError
        If the folder cannot be written.
    """
    if options.cell and options.id:
        raise RequestError("cell and id name a network each; give one of them")
    path = _locate_sweep(results)
    table = read_sweep_table(path)
    if options.id is None:
        _check_students(table, path)
    answer, choice = _choose(table, path.parent, find_select(path) or NUM_ERROR, options, write_cell)
    check_folder(folder, options.force)
    sweep = SweepFolder(path.parent, options.data_root)
    taken = take_network(sweep, choice.row)
    calibration = _calibrate(taken) if options.temperature_scaled else None
    temperature = calibration.temperature if calibration else 1.0
    test_logits = taken.compute_logits("test")
    figures = measure_test(test_logits / np.float32(temperature), taken.data)
    _check_errors(figures, taken, choice)
    settings = taken.data_draw.settings
    preprocessing = find_preprocessing(settings, taken.data)
    classes, class_names = _list_classes(taken)
    examples = iterate_user_examples(settings, taken.data, "test", preprocessing)
    onnx = make_onnx_file(taken.rows_module, preprocessing, temperature, classes, examples, test_logits)
    timings, teacher_timings, timing_sentences = _measure(sweep, taken, choice) if options.measure else (None, None, [])
    code = read_code(taken.shape) if isinstance(taken.shape, ModuleShape) else {}
    notes = [*taken.notes, *describe_doubt(answer, choice)]
    code_lines = describe_code(taken.shape, code) if isinstance(taken.shape, ModuleShape) else []
    contents = {
        WEIGHTS: write_weights(taken, choice.row),
        **({ONNX: onnx.content} if onnx.content else {}),
        PREPROCESSING: to_json({**preprocessing.to_json(), "temperature": temperature}),
        LABELS: to_json({"classes": classes, **({"names": class_names} if class_names else {})}),
        SCRIPT: write_script(write_network_code(taken), preprocessing, isinstance(taken.shape, ModuleShape)),
        SWEEP: (path.parent / SWEEP_FILE).read_bytes(),
        **code,
    }
    facts = CardFacts(
        sweep_name=path.parent.name,
        taken=taken,
        choice=choice,
        answer=answer,
        replicates=find_replicate_facts(table, answer, choice, settings),
        preprocessing=preprocessing,
        classes=classes,
        class_names=class_names,
        figures=figures,
        calibration=calibration,
        inputs=name_input(preprocessing),
        files={name: describe_file(name) for name in [*contents, CARD]},
        onnx=onnx.sentence,
        code_lines=code_lines,
        options=_list_options(options, choice),
        versions=read_versions(path),
        notes=notes,
        timings=timings,
        teacher_timings=teacher_timings,
        timing_sentences=timing_sentences,
    )
    contents[CARD] = write_card(facts).encode()
    write_folder(folder, contents)
    return Export(
        folder=folder,
        files=tuple(sorted(contents)),
        id=taken.id,
        temperature=choice.row["temp"] if choice.row[MODEL] == STUDENT else None,
        figures=figures,
        calibration=calibration,
        onnx_difference=onnx.difference,
        timings=timings,
        teacher_timings=teacher_timings,
        notes=(*notes, *code_lines, onnx.sentence, *timing_sentences),
    )


def _locate_sweep(results: str | Path) -> Path:
    """Return the table of a sweep; RequestError if it lies in no folder of kdtune's."""
    path = locate_table(results)
    if path.name != TABLE_FILE or not (path.parent / SWEEP_FILE).is_file():
        raise RequestError(f"{results}: export needs a folder that kdtune swept, with {TABLE_FILE} and {SWEEP_FILE}")
    return path


def _check_students(table: pd.DataFrame, path: Path) -> None:
    """Raise RequestError if the sweep has not come to its first distilled student."""
    facts = find_facts(path)
    if facts is not None and STUDENT not in set(table[MODEL]):
        facts = facts.count_missing(len(table))
        if facts.n_missing:
            raise RequestError(facts.describe_no_students())


def _choose(
    table: pd.DataFrame,
    folder: Path,
    select: str,
    options: ExportOptions,
    write_cell: Callable[[Mapping[str, Any]], str],
) -> tuple[Answer | None, Choice]:
    """Analyze a table and choose a network; one that is named by its id needs no answer."""
    try:
        errors = read_errors_by_example(folder)
        answer = analyze_table(table, select=select, facts=find_facts(table), errors_by_example=errors)
    except RequestError:
        if options.id is None:
            raise
        return None, choose_by_id(table, None, options.id)
    if options.id is not None:
        return answer, choose_by_id(table, answer, options.id)
    return answer, choose_by_cell(table, answer, options.cell, write_cell)


def _check_errors(figures: SplitFigures, taken: TakenNetwork, choice: Choice) -> None:
    """Raise RequestError if kept weights make other errors than the table says, beyond those of rounding."""
    expected_errors = choice.row[NUM_ERROR]
    tolerance = max(MIN_TOLERATED_ERRORS, TOLERATED_ERRORS * figures.n_test)
    if not taken.was_trained_again and abs(figures.errors - expected_errors) > tolerance:
        raise RequestError(
            f"network {taken.id} makes {figures.errors:,} errors on the test data now, and {expected_errors:,.0f} in "
            f"the table: its code is not that which it was trained with; restore the code, or run the sweep again"
        )


def _calibrate(taken: TakenNetwork) -> Calibration:
    data = taken.data
    return calibrate(taken.compute_logits("val"), data.y_val, taken.compute_logits("test"), data.y_test)


def _list_classes(taken: TakenNetwork) -> tuple[list[Any], list[str]]:
    """Return the label of each class in order as the user writes them, and what the user calls them."""
    settings = taken.data_draw.settings
    if isinstance(settings, GivenDataset):
        return list(settings.given.classes), list(settings.given.class_names)
    return list(range(taken.n_classes)), []


def _measure(
    sweep: SweepFolder, taken: TakenNetwork, choice: Choice
) -> tuple[Timings | None, Timings | None, list[str]]:
    """Time a network and its teacher, and say what was timed."""
    shape = taken.input_shape if isinstance(taken.shape, ModuleShape) else (taken.data_draw.settings.n_features,)
    timings = time_module(taken.module, shape)
    teacher_timings, sentence = None, ""
    if choice.teacher_row is not None:
        teacher_timings, sentence = time_teacher(sweep, choice.teacher_row, taken)
    own = (
        "Times are medians on this machine, on one thread of a CPU, of the network in PyTorch alone, without its "
        "preprocessing."
    )
    return timings, teacher_timings, [own, *([sentence] if sentence else [])]


def _list_options(options: ExportOptions, choice: Choice) -> Sequence[str]:
    """Return the options of the command that exports the same network again."""
    texts = ["--id", choice.row[ID]]
    texts += ["--temperature-scaled"] * options.temperature_scaled
    return texts + ["--measure"] * options.measure
