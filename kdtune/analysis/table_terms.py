"""Explain the terms in the tables of an answer, for a terminal and for a page: only those that occur, each once."""

from __future__ import annotations

from kdtune.analysis.answer import Answer
from kdtune.analysis.coverage_texts import describe_coverage
from kdtune.analysis.optimum import COPIED_REPLICATES, EDGE, FEW_REPLICATES, FLAT, INCOMPLETE, LARGER_THAN_TEACHER
from kdtune.analysis.printed_tables import format_differences, format_test_errors
from kdtune.analysis.selection_measure import MEASURE_NAMES
from kdtune.columns import NUM_ERROR
from kdtune.text import NOTHING

_TEST_TERMS = {
    "baseline": "baseline: trained on labels alone.",
    "chosen on test": "chosen on test: what choosing T on the test split would have claimed.",
}


def has_several_runs(answer: Answer) -> bool:
    """Return whether any T of any setting has two runs: otherwise nothing shows how much results vary."""
    return bool((answer.curves["replicates"] > 1).any())


def describe_pairing(answer: Answer) -> str:
    """Say that runs are not paired, and what that means; nothing where they are, or where nothing shows their noise."""
    if answer.is_paired or not has_several_runs(answer):
        return ""
    return "Runs are not paired: a difference of two temperatures has the noise of the runs of both."


def explain_optima(answer: Answer) -> list[str]:
    """Explain the terms in the table of best temperatures: its columns, and the flags that it has."""
    optima = answer.t_opt
    sentences = []
    if (optima["temperatures"] > 1).any():
        sentences += [
            f"interval: where the {answer.extremum} of the mean curve lies, with 95 % confidence; it may lie between "
            "tested T, so an end may be a T that is not tied.",
            "statistically tied: the tested T that are not told apart from the best, which does not mean equal.",
            "To choose a T, take one that is statistically tied.",
        ]
    if optima["T_second"].notna().any():
        sentences.append(
            f"second {answer.extremum}: the errors rise and fall again; this T is the best of the other valley."
        )
    if answer.margin_text:
        sentences.append(f"{answer.margin_text}: shown to be so with 95 % confidence.")
        if (optima["good_enough"].map(len) == 0).any():
            sentences.append(f"none: no T is shown to be {answer.margin_text}, not even the one that is called best.")
    flags = set(optima["flags"].explode())
    return sentences + [text for flag, text in _explain_flags(answer).items() if flag in flags]


def _explain_flags(answer: Answer) -> dict[str, str]:
    """Return what each flag means, in the order in which a row has them."""
    if answer.is_paired:
        few, copies = "fewer than three", "their curves differ by a constant: are they independent runs?"
    else:
        few, copies = "fewer than three runs of some T", "the runs of each T are equal: are they independent runs?"
    meanings = {
        EDGE: f"the best T, or the {answer.extremum} of the fitted curve, is at an end of the temperatures that "
        "were compared: T beyond it may be better.",
        FLAT: "no T is told apart from the best.",
        FEW_REPLICATES: f"{few}.",
        LARGER_THAN_TEACHER: "by parameters.",
        INCOMPLETE: "what the brackets name is missing; all other runs were used.",
        COPIED_REPLICATES: copies,
    }
    return {flag: f"{flag}: {meaning}" for flag, meaning in meanings.items()}


def explain_test_errors(answer: Answer, measure: str = NUM_ERROR) -> list[str]:
    """Explain the columns in the table of errors on the test split, and what stands there without a number.

    ``measure`` is that of the table: errors, or what T is chosen by.
    """
    errors, differences = format_test_errors(answer, measure), format_differences(answer, measure)
    terms = [text for title, text in _TEST_TERMS.items() if title in errors]
    if is_cross_fitted(answer, measure):
        terms.insert(0, "student: each replicate at the T that is best on all others, which need not be the T here.")
    if "gap closed" in errors:
        name = MEASURE_NAMES[measure]
        terms.append(f"gap closed: the share of the way from the baseline's {name} to the teacher's.")
    if any((frame.drop(columns=answer.cell_columns) == NOTHING).to_numpy().any() for frame in (errors, differences)):
        terms.append(f"{NOTHING}: there is no such run to compare with, or the runs cannot tell.")
    coverage = describe_coverage(answer.cells, measure)
    return [*terms, coverage] if coverage else terms


def judge_test_errors(answer: Answer, measure: str = NUM_ERROR) -> str:
    """Say in a sentence whether the choice of T makes the errors on the test split look too low.

    ``measure`` is that of the table: errors, or what T is chosen by.
    """
    if answer.measure is not None:
        return f"T was chosen by {answer.measure.name}."
    if measure != answer.test_measure:
        return f"T was chosen by {answer.measure_name}, so another T may have fewer errors."
    if answer.selection_split == "validation":
        if is_cross_fitted(answer, measure):
            return "T is chosen on the validation split of the other replicates: no network is judged by its own luck."
        return "The test split had no part in choosing T, but the networks are the same: they look a little too good."
    if is_cross_fitted(answer, measure):
        return "T is chosen on the same split, but on the other replicates: no network is judged by its own luck."
    these = "these errors tend" if measure == NUM_ERROR else f"this {answer.measure_name} tends"
    return f"T was chosen on the same split, so {these} to be a little too low."


def is_cross_fitted(answer: Answer, measure: str = NUM_ERROR) -> bool:
    """Return whether the table of errors on the test split has T chosen on the other replicates, in any setting."""
    test = answer.get_test(measure)
    return "cross_fitted" in test and bool(test["cross_fitted"].notna().any())
