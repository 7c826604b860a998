"""Explain the terms in the tables of an answer, for a terminal and for a page: only those that occur, each once."""

from __future__ import annotations

from kdtune.analysis.answer import Answer
from kdtune.analysis.optimum import COPIED_REPLICATES, EDGE, FEW_REPLICATES, FLAT, INCOMPLETE, LARGER_THAN_TEACHER
from kdtune.analysis.printed_tables import format_test_errors

UNPAIRED = (
    "Runs are not paired: no two runs of different T are known to share data and seed, "
    "so a difference has the noise of both."
)
_TEST_TERMS = {
    "baseline": "baseline: trained on labels alone.",
    "cross-fitted": "cross-fitted: T chosen on the other replicates.",
    "chosen on test": "chosen on test: what choosing T on the test split would have claimed.",
    "gap closed": "gap closed: the share of the way from the baseline's errors to the teacher's.",
}


def explain_optima(answer: Answer) -> list[str]:
    """Explain the terms in the table of best temperatures: its columns, and the flags that it has."""
    optima = answer.t_opt
    sentences = []
    if (optima["temperatures"] > 1).any():
        sentences.append("statistically tied: not told apart from the best, which does not mean equal.")
    if answer.margin_text:
        sentences.append(f"{answer.margin_text}: shown to be so with 95 % confidence; none: no T is.")
    flags = set(optima["flags"].explode())
    return sentences + [text for flag, text in _explain_flags(answer).items() if flag in flags]


def _explain_flags(answer: Answer) -> dict[str, str]:
    """Return what each flag means, in the order in which a row has them."""
    if answer.is_paired:
        few, copies = "fewer than three", "their curves differ by a constant: are they independent runs?"
    else:
        few, copies = "fewer than three runs of some T", "the runs of each T are equal: are they independent runs?"
    meanings = {
        EDGE: f"the best T, or the {answer.extremum} of the smoothed curve, is at an end of the tested range: "
        "test T beyond it.",
        FLAT: "no T is told apart from the best.",
        FEW_REPLICATES: f"{few}.",
        LARGER_THAN_TEACHER: "by parameters.",
        INCOMPLETE: "runs are missing, so what the brackets name was left out.",
        COPIED_REPLICATES: copies,
    }
    return {flag: f"{flag}: {meaning}" for flag, meaning in meanings.items()}


def explain_test_errors(answer: Answer) -> list[str]:
    """Explain the columns in the table of errors on the test split."""
    titles = format_test_errors(answer).columns
    return [text for title, text in _TEST_TERMS.items() if title in titles]


def judge_test_errors(answer: Answer) -> str:
    """Say in a sentence whether the choice of T makes the errors on the test split look too low."""
    if answer.measure is not None:
        return f"T was chosen by {answer.measure.name}."
    if answer.selection_split == "validation":
        return "The test split had no part in choosing T (though the networks are the same)."
    sentence = "T was chosen on the same split, so these errors tend to be a little too low."
    if answer.test["cross_fitted"].notna().any():
        sentence += " The column cross-fitted is free of this."
    return sentence
