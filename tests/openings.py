"""How an answer begins, as one text."""

from __future__ import annotations

from kdtune.analysis.answer import Answer
from kdtune.analysis.headline import write_opening


def join_opening(answer: Answer) -> str:
    """Return the paragraphs of an opening as one."""
    return " ".join(write_opening(answer))
