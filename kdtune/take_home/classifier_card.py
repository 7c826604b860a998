"""The model card of a ``DistilledClassifier``'s student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdtune.analysis.temperature_texts import format_interval, format_temperature
from kdtune.columns import BASELINE, MODEL, N_VAL, STUDENT, TEACHER, TEMP, VAL_NUM_ERROR
from kdtune.take_home.card_sentences import describe_preprocessing, join_code
from kdtune.take_home.environment import make_environment
from kdtune.take_home.preprocessing import Preprocessing
from kdtune.text import join_names, pluralize
from kdtune.versions import __version__


def write_classifier_card(
    classifier: Any, preprocessing: Preprocessing, inputs: str, files: Mapping[str, str], notes: Sequence[str]
) -> str:
    """Write the card.

    Parameters
    ----------
    classifier : the fitted classifier.
    inputs : what ``predict.py`` is given in an example.
    files : what each file is.
    notes : sentences on the files.
    """
    template = make_environment().get_template("classifier_card.md.jinja")
    card = template.render(
        inputs=inputs,
        notes=notes,
        files=list(files.items()),
        preprocessing=describe_preprocessing(preprocessing),
        classes=join_code(classifier.classes_.tolist()),
        n_params=sum(parameter.numel() for parameter in classifier.student_.parameters()),
        teacher=_name_teacher(classifier.teacher_),
        temperature=_describe_temperature(classifier),
        results=_describe_results(classifier),
        parameters=repr(classifier),
        version=__version__,
    )
    return card.rstrip("\n") + "\n"


def _name_teacher(teacher: Any) -> str:
    """Return the name of a teacher's class; of one that is frozen, that of the classifier inside."""
    name = type(teacher).__name__
    return type(teacher.estimator).__name__ if name == "FrozenEstimator" else name


def _describe_temperature(classifier: Any) -> str:
    """Say at which T the student was distilled, and how sure that choice is."""
    T = classifier.best_T_
    grid = sorted(classifier.table_.loc[classifier.table_[MODEL] == STUDENT, TEMP].unique().tolist())
    if len(grid) == 1:
        return f"T = {format_temperature(T)}. No other T was tested, so nothing is known of which is best."
    low, high = classifier.T_interval_
    tested, tied = (join_names([format_temperature(T, grid) for T in temperatures])
                    for temperatures in (grid, classifier.tied_))  # fmt: skip
    return (
        f"T = {format_temperature(T, grid)}, which was best of T = {tested}; the 95 % interval of the best T: "
        f"{format_interval(low, high, grid)}. Not told apart from the best: T = {tied}."
    )


def _describe_results(classifier: Any) -> str:
    """Say how many validation rows the compared networks are wrong on; nothing is known of other rows."""
    table = classifier.table_
    if VAL_NUM_ERROR not in table.columns:
        return "No rows were held back, so nothing is known of its errors: count them on a test set."
    students = table[(table[MODEL] == STUDENT) & (table[TEMP] == classifier.best_T_)]
    means = {name: table.loc[table[MODEL] == name, VAL_NUM_ERROR].mean() for name in (BASELINE, TEACHER)}
    return (
        f"In {pluralize(len(students), 'replicate')} of the training on a part of the rows, errors on the "
        f"{students[N_VAL].iloc[0]:,.0f} others were, in the mean: {students[VAL_NUM_ERROR].mean():.1f} of students at "
        f"that T, {means[BASELINE]:.1f} of students that were trained on labels alone, {means[TEACHER]:.1f} of the "
        f"teacher. T was chosen by these rows, so the first number is a little too good; the student itself was "
        f"trained on all rows. Count its errors on a test set."
    )
