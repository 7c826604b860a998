"""The sentences of a model card."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kdtune.analysis.answer import Answer
from kdtune.analysis.temperature_texts import format_interval, format_temperature, format_temperatures
from kdtune.columns import (
    BASELINE,
    HARD_WEIGHT,
    MODEL,
    NUM_ERROR,
    STUDENT,
    TEMP,
)
from kdtune.take_home.card_facts import CardFacts
from kdtune.take_home.card_origins import describe_mean_errors
from kdtune.take_home.choice import Row
from kdtune.take_home.preprocessing import ArrayPreprocessing, Preprocessing
from kdtune.text import join_names, pluralize


def name_network(row: Row) -> str:
    """Say what a network is."""
    if row[MODEL] == STUDENT:
        return f"a student distilled at T = {format_temperature(row[TEMP])}"
    return "a baseline without distillation" if row[MODEL] == BASELINE else "the teacher"


def write_summary(facts: CardFacts, dataset: str) -> str:
    """Say what the network is, and how good."""
    row, figures = facts.choice.row, facts.figures
    sentence = f"This is {name_network(row)}, for the {len(facts.classes)} classes of the data set {dataset}."
    errors = f"It is wrong on {figures.errors:,} of {figures.n_test:,} test examples ({figures.error:.2%})."
    mean = describe_mean_errors(row, facts.replicates)
    return " ".join(
        [sentence, errors, *([mean] if mean else []), f"kdtune trained it (network `{row['id']}`).", *facts.notes]
    )


def describe_classes(facts: CardFacts) -> str:
    """List the classes in order."""
    sentence = f"Classes in order: {join_code(facts.classes)}."
    return f"{sentence} Their names: {join_names(list(facts.class_names))}." if facts.class_names else sentence


def describe_preprocessing(preprocessing: Preprocessing) -> str:
    """Say what an example is, and what is done to it."""
    shape = " x ".join(map(str, preprocessing.shape))
    if isinstance(preprocessing, ArrayPreprocessing):
        scaling = preprocessing.scaling
        if isinstance(scaling.mean, float):
            done = f"divided by {scaling.scale:g}"
        else:
            done = "standardised: mean 0 and variance 1 of each feature over the training split"
        example = f"An example is {'an image' if len(preprocessing.shape) == 3 else 'an array'} of shape {shape}"
        if scaling.is_identity:
            return f"{example}; its values are taken as they are."
        return (
            f"{example}; its values are {done}. `predict.py` and the ONNX file do that themselves: give them the "
            f"values as they were in the data. `preprocessing.json` has the numbers."
        )
    encoder = preprocessing.encoder
    sentences = [
        f"An example is a row of a table with the columns {join_code(preprocessing.columns)}.",
    ]
    if encoder.numbers:
        sentences.append(f"Numbers are standardised: {join_code([column.name for column in encoder.numbers])}.")
    if encoder.texts:
        sentences.append(
            f"Texts are one-hot encoded, an unknown one as none of them: "
            f"{join_code([column.name for column in encoder.texts])}."
        )
    if any(number.fill is not None for number in encoder.numbers) or any(text.fill for text in encoder.texts):
        sentences.append("Missing values are filled in, as `preprocessing.json` says.")
    sentences.append(
        "`predict.py` and the ONNX file do all of that themselves. The inputs of the ONNX file are `numbers` (float64, "
        "NaN for a missing one) and `texts` (strings, empty for a missing one), each with its columns in the order of "
        "`preprocessing.json`; an input without columns is left out."
    )
    return " ".join(sentences)


def _quote_recommendation(answer: Answer, position: int) -> Iterator[str]:
    """Yield what the sweep recommends for the student of a cell."""
    settings = answer.cells[position].settings
    for advice in answer.advice:
        if any(student.items() <= settings.items() for student in advice.students):
            yield f"The sweep's recommendation: {advice.text}"
            return


def describe_temperature(facts: CardFacts) -> str:
    """Say at which T the network was distilled, and why."""
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
    if len(grid) == 1:
        return f"{loss} No other T was tested, so nothing is known of which is best."
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
        f"T = {best_T} has {answer.criterion}{f' for {setting}' if setting else ''}, over "
        f"{pluralize(int(optimum['replicates']), 'replicate')}; the 95 % interval of the best T: {interval}.",
        tied,
        tested,
        *_quote_recommendation(answer, position),
    ]
    if facts.choice.n_candidates > 1:
        sentences.append(
            f"Of the {facts.choice.n_candidates} replicates at that T this one is the best by {answer.measure_name} on "
            f"the {answer.selection_split} split."
        )
    elif facts.choice.n_candidates == 0:
        sentences.append("The network itself was named by its id.")
    return " ".join(sentence for sentence in sentences if sentence)


def write_result_sentences(facts: CardFacts) -> list[str]:
    """Write what is to be said about the table of results."""
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


def describe_calibration(facts: CardFacts) -> str:
    """Say how honest the probabilities are."""
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


def write_command(facts: CardFacts) -> str:
    """Write the commands that make the same export."""
    sweep = shlex.join(["kdtune", "sweep", "sweep.yaml"])
    export = shlex.join(["kdtune", "export", f"results/{facts.sweep_name}", *facts.options, "-o", "student"])
    return f"{sweep}\n{export}"


def describe_versions(versions: Mapping[str, str]) -> str:
    """Say which software trained the network."""
    listed = join_names([f"{name} {version}" for name, version in versions.items()])
    return f"It was trained with {listed}." if versions else "The versions that it was trained with are not known."


def join_code(names: Iterable[Any]) -> str:
    """Join names as Markdown writes code."""
    return join_names([f"`{name}`" for name in names])


def list_limits(facts: CardFacts) -> list[str]:
    """List what the figures do not cover."""
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
