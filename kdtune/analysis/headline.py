"""Write how an answer begins: what to do, then what limits it, then what the best temperature depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdtune.analysis.answer import Answer
from kdtune.analysis.cell import Cell
from kdtune.analysis.factor_effects import UNKNOWN
from kdtune.analysis.influential_runs import MAX_TEMPERATURES, describe_influential_run
from kdtune.analysis.sentences import name_with_twins, write_verdict
from kdtune.text import join_names, pluralize

MAX_RUNS = 2  # single networks that change an answer, of which sentences speak
MAX_ADVICE = 8  # recommendations that are written out; the table of the settings has all


def write_opening(answer: Answer) -> list[str]:
    """Return paragraphs: what is missing, why the settings may be wrong, the advice, what the best T depends on.

    Who reads no further can act on them.
    """
    opening = list(_write_paragraphs(answer))
    if answer.reserve and opening:
        first = opening[0] if opening[0].startswith("T ") else opening[0][0].lower() + opening[0][1:]
        opening[0] = f"{answer.reserve} As the table is read now: {first}"
    elif answer.reserve:
        opening = [answer.reserve]
    return [answer.unfinished, *opening] if answer.unfinished else opening


def _write_paragraphs(answer: Answer) -> Iterator[str]:
    """Yield the paragraphs of an opening but for the reserve."""
    if answer.t_opt.empty:
        yield "No setting has results: the best temperature cannot be determined."
        return
    yield from write_recommendations(answer)
    runs_in_advice = {(run.setting, run.T) for student in answer.students for run in student.broken_runs}
    broken_runs = [
        run for run in answer.influential_runs if run.is_far_off and (run.setting, run.T) not in runs_in_advice
    ]
    if broken_runs:
        texts = [describe_influential_run(run) for run in broken_runs[:MAX_RUNS]]
        n_more = len(broken_runs) - len(texts)
        yield " ".join([*texts, f"So it is in {pluralize(n_more, 'setting')} more."] if n_more else texts)
    yield from _describe_missing_temperatures(answer.cells)
    if len(answer.t_opt) > 1 and (answer.t_opt["temperatures"] > 1).any():
        factors = " ".join(_describe_factors(answer))
        if factors:
            yield factors


def write_recommendations(answer: Answer) -> list[str]:
    """Return the recommendations in sentences, of many the first ones."""
    advice = [each.text for each in answer.advice]
    if len(advice) <= MAX_ADVICE:
        return advice
    return [*advice[:MAX_ADVICE], f"{pluralize(len(advice) - MAX_ADVICE, 'recommendation')} more: see the tables."]


def _describe_missing_temperatures(cells: Sequence[Cell]) -> list[str]:
    """Say which temperatures the best one was not compared with; nothing if it was with all of its setting."""
    incomplete = [cell for cell in cells if cell.temperatures_left_out]
    if not incomplete:
        return []
    listed = join_names(incomplete[0].temperatures_left_out, max_names=MAX_TEMPERATURES)
    reason = "because runs are missing"
    if len(cells) == 1:
        verb = "was" if len(incomplete[0].temperatures_left_out) == 1 else "were"
        return [f"T = {listed} {verb} not compared, {reason}: the best T may be one that was left out."]
    settings = "both settings" if len(incomplete) == len(cells) == 2 else f"{len(incomplete)} of {len(cells)} settings"
    example = f"{incomplete[0].describe()}: T = {listed}"
    return [
        f"In {settings} temperatures were not compared, {reason} ({example}): the best T may be one that was left out."
    ]


def _describe_factors(answer: Answer) -> list[str]:
    """Write a sentence for each factor with a finding, and one for all the others; none if no factor varies."""
    effects = answer.factor_effects
    sentences = [write_verdict(effect, answer.margins.effect) for effect in effects if effect.verdict != UNKNOWN]
    unknown_factors = [name_with_twins(effect) for effect in effects if effect.verdict == UNKNOWN]
    if unknown_factors:
        subject = "it" if sentences else "the best T"
        sentences.append(f"Whether {subject} depends on {join_names(unknown_factors, 'or')} cannot be told.")
    return sentences
