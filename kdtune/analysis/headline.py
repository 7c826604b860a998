"""The whole answer in a sentence or two."""

from __future__ import annotations

from kdtune.analysis.answer import Answer
from kdtune.analysis.sentences import UNKNOWN, brief, interval, records, short, temperatures


def headline(answer: Answer) -> str:
    """The answer in a sentence or two."""
    best = answer.t_opt
    if (best["temperatures"] == 1).all():
        return f"No best temperature can be told: {'the cell has' if len(best) == 1 else 'each cell has'} only one."
    told = [interval(low, high) for low, high in zip(best["T_opt_low"], best["T_opt_high"], strict=True)]
    if len(best) == 1:
        tied = temperatures(best["tied"][0], answer.cells[0].temperatures.tolist())
        smooth = best["T_opt_continuous"][0]
        return (
            f"Best temperature: {best['T_opt'][0]:g} of the grid, {short(smooth)} on the smooth curve (95 % interval: "
            f"{told[0]}). Not told apart from the best: {tied}."
        )
    known = sum(text != "anything" for text in told)
    low, high = best["T_opt"].min(), best["T_opt"].max()
    text = f"Best temperature: {low:g} to {high:g} over {len(best)} cells, median {best['T_opt'].median():g}"
    text += f". The intervals of {known} cells exclude some T."
    rows = records(answer.effects)
    clear = [brief(row, answer.margins.effect) for row in rows if row["verdict"] != UNKNOWN]
    if clear:
        return " ".join([text, *clear])
    return f"{text} Whether it moves with anything cannot be told." if rows else text
