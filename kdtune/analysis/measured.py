"""What the sentences of an answer call differences of a measure on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdtune.columns import BALANCED_ERROR, NLL, NUM_ERROR

# What more of a measure is called, and less: of errors one has fewer, of another measure it is lower.
_MORE = {NUM_ERROR: ("more errors", "fewer errors"), NLL: ("higher nll", "lower nll")}
_MORE[BALANCED_ERROR] = ("higher balanced error", "lower balanced error")


@dataclass(frozen=True)
class Measured:
    """What the sentences call a measure."""

    more: str  # as in "31 % more errors"
    fewer: str
    is_relative: bool = True  # whether differences are shares; otherwise they are in the measure's own units
    is_percent: bool = False  # whether errors are in percent of the examples
    sign: int = 1  # of differences in the measure's own units: -1 if more of it is better

    @classmethod
    def by_errors(cls, measure: str, is_percent: bool = False) -> Measured:
        """Return the words for errors on the test split, nll or balanced error."""
        return cls(*_MORE[measure], is_percent=is_percent)

    def write(self, difference: float) -> str:
        """Write a difference without its sign."""
        return f"{abs(difference):.0%}".replace("%", " %") if self.is_relative else f"{abs(difference):.3g}"

    def write_signed(self, difference: float) -> str:
        """Write a difference with its sign, for tables."""
        text = self.write(difference)
        return text if text in ("0 %", "0") else f"{'-' if difference < 0 else '+'}{text}"

    def write_interval(self, low: float, high: float) -> str:
        """Write an interval of a difference, as in "between 32 % fewer and 61 % more errors"."""
        if self.is_relative:  # Nothing has fewer than none.
            low, high = max(low, -1.0), max(high, -1.0)
        least, most = self.write(low), self.write(high)
        if self.is_relative and least == most == "0 %":
            return f"less than 1 % {self.fewer.split()[0]} or {self.more}"
        if high <= 0 or most in ("0 %", "0"):
            return f"between {most} and {least} {self.fewer}"
        if low >= 0 or least in ("0 %", "0"):
            return f"between {least} and {most} {self.more}"
        return f"between {least} {self.fewer.split()[0]} and {most} {self.more}"

    @property
    def are_errors(self) -> bool:
        """Whether the measure is errors."""
        return self.more == _MORE[NUM_ERROR][0]

    def write_means(self, values: Sequence[float]) -> list[str]:
        """Write means of errors with as many decimals as the smallest is read with; others with three digits."""
        if not self.are_errors or self.is_percent:
            return [f"{value:.3g}" for value in values]
        decimals = 0 if min(values) >= 100 else 1
        return [f"{value:,.{decimals}f}" for value in values]
