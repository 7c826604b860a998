"""The model card of an exported network, in Hugging Face's form: a block of YAML, then Markdown."""

from __future__ import annotations

import io
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from ruamel.yaml import YAML

from kdtune.analysis.answer import Answer
from kdtune.analysis.temperature_texts import format_interval, format_temperature, format_temperatures
from kdtune.columns import (
    BALANCED_ERROR,
    BASELINE,
    ECE,
    HARD_WEIGHT,
    MODEL,
    MULTIPLY_ADDS,
    N_PARAMS,
    N_TEST,
    N_TRAIN,
    N_VAL,
    NLL,
    NUM_ERROR,
    REPLICATE,
    STUDENT,
    TEACHER,
    TEMP,
)
from kdtune.take_home.calibration import Calibration
from kdtune.take_home.choice import Choice, Row
from kdtune.take_home.figures import TestFigures
from kdtune.take_home.networks import TakenNetwork
from kdtune.take_home.preprocessing import ArrayPreprocessing, Preprocessing
from kdtune.take_home.speed import Timings
from kdtune.text import NOTHING, join_names, pluralize


@dataclass(frozen=True)
class CardFacts:
    """All that a card says."""

    sweep_name: str
    taken: TakenNetwork
    choice: Choice
    answer: Answer | None
    preprocessing: Preprocessing
    classes: Sequence[Any]
    class_names: Sequence[str]
    figures: TestFigures
    calibration: Calibration | None
    inputs: str
    """What ``predict.py`` is given in an example."""
    files: Mapping[str, str]
    onnx: str
    code_lines: Sequence[str]
    options: Sequence[str]
    versions: Mapping[str, str]
    notes: Sequence[str]
    timings: Timings | None = None
    teacher_timings: Timings | None = None
    timing_sentences: Sequence[str] = field(default_factory=list)


def make_environment() -> Environment:
    """Make the environment of the templates of this package."""
    return Environment(
        loader=PackageLoader("kdtune.take_home"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the texts are Markdown and Python, not HTML
    )


def write_card(facts: CardFacts) -> str:
    """Write the card."""
    row, teacher_row, settings = facts.choice.row, facts.choice.teacher_row, facts.taken.data_draw.settings
    name = f"{facts.sweep_name}: {_name_network(row)}"
    return make_environment().get_template("model_card.md.jinja").render(
        front_matter=_write_front_matter(facts, settings.dataset_name),
        title=name,
        summary=_write_summary(facts, settings.dataset_name),
        inputs=facts.inputs,
        is_image=isinstance(facts.preprocessing, ArrayPreprocessing) and facts.preprocessing.is_image,
        code_lines=facts.code_lines,
        onnx=facts.onnx,
        files=list(facts.files.items()),
        preprocessing=_describe_preprocessing(facts.preprocessing),
        classes=_describe_classes(facts),
        data=_describe_data(row, settings.dataset_name, settings),
        teacher=_describe_teacher(row, teacher_row),
        temperature=_describe_temperature(facts),
        results=_list_results(facts),
        result_sentences=_write_result_sentences(facts),
        calibration=_describe_calibration(facts),
        sizes=_list_sizes(facts),
        size_sentences=facts.timing_sentences,
        command=_write_command(facts),
        versions=_describe_versions(facts.versions),
        limits=_list_limits(facts),
    )


def _name_network(row: Row) -> str:
    if row[MODEL] == STUDENT:
        return f"a student distilled at T = {format_temperature(row[TEMP])}"
    return "a baseline without distillation" if row[MODEL] == BASELINE else "the teacher"


def _write_front_matter(facts: CardFacts, dataset: str) -> str:
    is_image = len(facts.preprocessing.shape) == 3
    task = "image-classification" if is_image else "tabular-classification"
    figures = facts.figures
    metrics = [
        {"type": "accuracy", "value": round(1 - figures.error, 6)},
        {"type": "nll", "name": "negative log-likelihood", "value": round(figures.nll, 6)},
        {"type": "ece", "name": "expected calibration error", "value": round(figures.ece, 6)},
    ]
    document = {
        "library_name": "pytorch",
        "pipeline_tag": task,
        "tags": ["knowledge-distillation", "kdtune"],
        "metrics": ["accuracy"],
        "model-index": [
            {
                "name": facts.sweep_name,
                "results": [
                    {
                        "task": {"type": task},
                        "dataset": {"name": dataset, "type": dataset, "split": "test"},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(document, stream)
    return f"---\n{stream.getvalue()}---\n"


def _write_summary(facts: CardFacts, dataset: str) -> str:
    row, figures = facts.choice.row, facts.figures
    sentence = f"This is {_name_network(row)}, for the {len(facts.classes)} classes of the data set {dataset}."
    errors = f"It is wrong on {figures.errors:,} of {figures.n_test:,} test examples ({figures.error:.2%})."
    return " ".join([sentence, errors, f"kdtune trained it (network `{row['id']}`).", *facts.notes])


def _describe_classes(facts: CardFacts) -> str:
    sentence = f"Classes in order: {join_names([f'`{label}`' for label in facts.classes])}."
    return f"{sentence} Their names: {join_names(list(facts.class_names))}." if facts.class_names else sentence


def _describe_preprocessing(preprocessing: Preprocessing) -> str:
    shape = " x ".join(map(str, preprocessing.shape))
    if isinstance(preprocessing, ArrayPreprocessing):
        scaling = preprocessing.scaling
        if scaling.is_identity:
            done = "taken as they are"
        elif isinstance(scaling.mean, float):
            done = f"divided by {scaling.scale:g}"
        else:
            done = "standardised: mean 0 and variance 1 of each feature over the training split"
        return (
            f"An example is {'an image' if len(preprocessing.shape) == 3 else 'an array'} of shape {shape}; its values "
            f"are {done}. `predict.py` and the ONNX file do that themselves: give them the values as they were in the "
            f"data. `preprocessing.json` has the numbers."
        )
    encoder = preprocessing.encoder
    sentences = [
        f"An example is a row of a table with the columns {join_names([f'`{name}`' for name in preprocessing.columns])}.",
    ]
    if encoder.numbers:
        sentences.append(f"Numbers are standardised: {join_names([f'`{column.name}`' for column in encoder.numbers])}.")
    if encoder.texts:
        sentences.append(
            f"Texts are one-hot encoded, an unknown one as none of them: "
            f"{join_names([f'`{column.name}`' for column in encoder.texts])}."
        )
    fills = [column.name for column in (*encoder.numbers, *encoder.texts) if column.fill is not None]
    if fills:
        sentences.append("Missing values are filled in, as `preprocessing.json` says.")
    sentences.append(
        "`predict.py` and the ONNX file do all of that themselves. The inputs of the ONNX file are `numbers` (float64, "
        "NaN for a missing one) and `texts` (strings, empty for a missing one), each with its columns in the order of "
        "`preprocessing.json`; an input without columns is left out."
    )
    return " ".join(sentences)


def _describe_data(row: Row, dataset: str, settings: Any) -> str:
    content = getattr(getattr(settings, "given", None), "content", None)
    known_by = f" Its content has the hash `{content}`." if content else ""
    return (
        f"{dataset}: {row[N_TRAIN]:,} training, {row[N_VAL]:,} validation and {row[N_TEST]:,} test examples; replicate "
        f"{row[REPLICATE]} of the sweep's draws.{known_by} T was chosen on the validation split; the results are those "
        f"of the test split, which nothing was trained or chosen on."
    )


def _describe_teacher(row: Row, teacher_row: Row | None) -> str:
    if row[MODEL] == TEACHER:
        return "This is the teacher itself."
    if teacher_row is None:
        return "It had no teacher: it was trained on the labels alone."
    kind = teacher_row.get("architecture")
    sizes = teacher_row.get("hidden") or teacher_row.get("channels")
    what = f"`{kind}`{f' ({sizes})' if sizes else ''}"
    if kind in ("logits", "probabilities"):
        what = f"A network that was trained elsewhere and is given by its {kind}"
    return f"{what}; its id in the sweep is `{teacher_row['id']}`. It has {teacher_row[NUM_ERROR]:,} test errors."


def _describe_temperature(facts: CardFacts) -> str:
    row, answer, position = facts.choice.row, facts.answer, facts.choice.position
    if row[MODEL] != STUDENT:
        return "It was not distilled, so it has no temperature."
    T = format_temperature(row[TEMP])
    weight = row.get(HARD_WEIGHT)
    loss = f"T = {T}, with the weight {weight:g} of the labels." if weight else f"T = {T}, on soft targets alone."
    if answer is None or position is None:
        return f"{loss} The network was named by its id; kdtune did not choose its T."
    optimum = answer.t_opt.iloc[position]
    grid = answer.cells[position].temperatures.tolist()
    best_T = format_temperature(optimum["T_opt"], grid)
    interval = format_interval(optimum["T_opt_low"], optimum["T_opt_high"], grid)
    setting = answer.cells[position].describe()
    others = [other for other in optimum["tied"] if other != optimum["T_opt"]]
    tied = (
        f"Statistically tied with it: T = {format_temperatures(others, grid)}."
        if others
        else "No other T is statistically tied with it."
    )
    tested = f"Tested were T = {join_names([format_temperature(T, grid) for T in grid])}."
    sentences = [
        loss,
        f"The sweep's answer is T = {best_T}{f' for {setting}' if setting else ''}: it has {answer.criterion}, over "
        f"{pluralize(int(optimum['replicates']), 'replicate')}; the 95 % interval of the best T: {interval}.",
        tied if len(grid) > 1 else "",
        tested,
    ]
    if facts.choice.n_candidates > 1:
        sentences.append(
            f"Of the {facts.choice.n_candidates} replicates at that T this one is the best by {answer.measure_name} on "
            f"the {answer.selection_split} split."
        )
    elif facts.choice.n_candidates == 0:
        sentences.append("The network itself was named by its id.")
    return " ".join(sentence for sentence in sentences if sentence)


def _list_results(facts: CardFacts) -> list[tuple[str, str, str]]:
    """List name, own figure and the teacher's for the table of results."""
    figures, teacher = facts.figures, facts.choice.teacher_row or {}
    interval = f"{figures.error_low:.2%} to {figures.error_high:.2%}"
    teacher_errors = teacher.get(NUM_ERROR)
    n_test = figures.n_test
    return [
        ("errors", f"{figures.errors:,} of {n_test:,}", _format(teacher_errors, ",")),
        ("error rate", f"{figures.error:.2%} (95 % interval {interval})",
         NOTHING if teacher_errors is None else f"{teacher_errors / n_test:.2%}"),
        ("balanced error", f"{figures.balanced_error:.4f}", _format(teacher.get(BALANCED_ERROR), ".4f")),
        ("negative log-likelihood (nats)", f"{figures.nll:.4f}", _format(teacher.get(NLL), ".4f")),
        ("expected calibration error", f"{figures.ece:.4f}", _format(teacher.get(ECE), ".4f")),
    ]  # fmt: skip


def _format(value: Any, form: str) -> str:
    return NOTHING if value is None or (isinstance(value, float) and math.isnan(value)) else format(value, form)


def _write_result_sentences(facts: CardFacts) -> list[str]:
    sentences = ["The interval of the error rate covers the draw of the test examples, not that of the training."]
    table_errors = facts.choice.row.get(NUM_ERROR)
    if table_errors is not None and int(table_errors) != facts.figures.errors:
        sentences.append(f"The sweep's table has {int(table_errors):,} errors for this network: last bits differ.")
    answer, position = facts.answer, facts.choice.position
    if answer is None or position is None or "student" not in answer.test.columns:
        return sentences
    test = answer.test.iloc[position]
    mean = f"Over the replicates at the chosen T, students have {test['student']:.1f} errors in the mean"
    if math.isfinite(test["student_low"]):
        mean += f" (95 % interval {test['student_low']:.1f} to {test['student_high']:.1f})"
    if not math.isnan(test["baseline"]):
        mean += f"; trained on labels alone, {test['baseline']:.1f}"
    return [*sentences, f"{mean}."]


def _describe_calibration(facts: CardFacts) -> str:
    calibration = facts.calibration
    if calibration is None:
        return (
            f"The expected calibration error (15 bins) is {facts.figures.ece:.4f} on the test split. The probabilities "
            f"are those of the softmax at T = 1; `kdtune export --temperature-scaled` fits a temperature to them."
        )
    return (
        f"Logits are divided by {calibration.temperature:.4g} before the softmax, which has the lowest negative "
        f"log-likelihood on the validation split (temperature scaling). On the test split the expected calibration "
        f"error (15 bins) is {calibration.ece_before:.4f} without it and {calibration.ece_after:.4f} with it, the "
        f"negative log-likelihood {calibration.nll_before:.4f} and {calibration.nll_after:.4f}. Labels do not change. "
        f"The results above are those with it."
    )


def _list_sizes(facts: CardFacts) -> list[tuple[str, str, str]]:
    """List name, own figure and the teacher's for the table of sizes and speeds."""
    row, teacher = facts.choice.row, facts.choice.teacher_row or {}
    rows = [
        ("parameters", _format(row.get(N_PARAMS), ","), _format(teacher.get(N_PARAMS), ",")),
        ("multiply-adds for one example", _format(row.get(MULTIPLY_ADDS), ","), _format(teacher.get(MULTIPLY_ADDS), ",")),
    ]
    for batch in facts.timings or {}:
        assert facts.timings is not None
        teacher_time = (facts.teacher_timings or {}).get(batch)
        name = f"microseconds for each example, in batches of {batch}"
        rows.append((name, f"{facts.timings[batch]:.3g}", _format(teacher_time, ".3g")))
    return rows


def _write_command(facts: CardFacts) -> str:
    sweep = shlex.join(["kdtune", "sweep", "sweep.yaml"])
    export = shlex.join(["kdtune", "export", f"results/{facts.sweep_name}", *facts.options, "-o", "student"])
    return f"{sweep}\n{export}"


def _describe_versions(versions: Mapping[str, str]) -> str:
    listed = join_names([f"{name} {version}" for name, version in versions.items()])
    return f"It was trained with {listed}." if versions else "The table does not say with which versions it was trained."


def _list_limits(facts: CardFacts) -> list[str]:
    row = facts.choice.row
    limits = [
        "The figures hold for examples like those of the test split; nothing is known of others.",
        "No licence is given: whoever publishes this adds one, and whether the data allow it.",
    ]
    if row.get("transfer"):
        limits.insert(0, f"It was trained without examples of some classes: {row['transfer']}.")
    if facts.choice.teacher_row is not None:
        limits.append("It repeats the teacher's mistakes and biases where its data do not contradict them.")
    return limits
