"""The answer that ``kdtune.analyze`` returns: printed, it is the text of the command, in brief."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.headline import write_opening
from kdtune.analysis.printed_tables import format_differences, format_optima, format_test_errors, list_findings
from kdtune.analysis.table_terms import explain_optima
from kdtune.analysis.weight_pairs import explain_pairs, format_pairs
from kdtune.api.option_names import rename_options

MAX_ROWS = 20  # of a table; the frames of the answer have all


class PrintedAnswer(Answer):
    """An answer whose text is its headline, its main tables and its findings."""

    @classmethod
    def take(cls, answer: Answer) -> PrintedAnswer:
        """Return the same answer as one that prints."""
        return cls(**{item.name: getattr(answer, item.name) for item in fields(answer)})

    def __str__(self) -> str:
        """Return the answer as text, for a terminal or a notebook."""
        return "\n\n".join(self._list_parts())

    def _list_parts(self) -> Iterator[str]:
        yield "\n\n".join(write_opening(self))
        if self.reading_notes or self.matching_notes:
            yield "\n".join([*self.reading_notes, *self.matching_notes])
        yield f"Best T: {self.criterion}\n{_write_table(format_optima(self))}"
        yield "\n".join(explain_optima(self))
        if "student" in self.test:
            yield f"At that T on the test split\n{_write_table(format_test_errors(self))}"
            yield f"Differences with 95 % confidence intervals\n{_write_table(format_differences(self))}"
        if len(self.pairs):
            title = "T and the weight of the labels together"
            sentences = "\n".join(explain_pairs(self.pairs))
            yield f"{title}\n{_write_table(format_pairs(self.pairs, self.cells))}\n{sentences}"
        yield rename_options("\n".join(list_findings(self)))

    # The tables of a notebook's last line would be those of the dataclass, pages of arrays.
    __repr__ = __str__


def _write_table(frame: pd.DataFrame) -> str:
    text = frame.head(MAX_ROWS).to_string(index=False)
    n_more = len(frame) - MAX_ROWS
    return text if n_more <= 0 else f"{text}\n... and {n_more:,} more rows, in the frames of the answer"
