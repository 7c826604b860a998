"""The whole answer in a sentence or two."""

from __future__ import annotations

from kdtune.analysis.answer import Answer
from kdtune.analysis.sentences import (
    UNKNOWN,
    format_interval,
    format_temperature,
    format_temperatures,
    list_rows,
    write_brief_sentence,
)


def write_headline(answer: Answer) -> str:
    """The answer in a sentence or two."""
    best = answer.t_opt
    if (best["temperatures"] == 1).all():
        return f"No best temperature can be told: {'the cell has' if len(best) == 1 else 'each cell has'} only one."
    told = [format_interval(low, high) for low, high in zip(best["T_opt_low"], best["T_opt_high"], strict=True)]
    if len(best) == 1:
        tied = format_temperatures(best["tied"][0], answer.cells[0].temperatures.tolist())
        smooth = best["T_opt_continuous"][0]
        return (
            f"Best temperature: {best['T_opt'][0]:g} of the grid, {format_temperature(smooth)} on the smooth curve "
            f"(95 % interval: {told[0]}). Not told apart from the best: {tied}."
        )
    known = sum(text != "anything" for text in told)
    low, high = best["T_opt"].min(), best["T_opt"].max()
    text = f"Best temperature: {low:g} to {high:g} over {len(best)} cells, median {best['T_opt'].median():g}"
    text += f". The intervals of {known} cells exclude some T."
    rows = list_rows(answer.effects)
    clear = [write_brief_sentence(row, answer.margins.effect) for row in rows if row["verdict"] != UNKNOWN]
    if clear:
        return " ".join([text, *clear])
    return f"{text} Whether it moves with anything cannot be told." if rows else text
