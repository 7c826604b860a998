"""Say of intervals on the test split whether they hold for other test examples than those of the table."""

from __future__ import annotations

from collections.abc import Sequence

from kdtune.analysis.cell import Cell
from kdtune.analysis.sampling_errors import has_errors_by_example
from kdtune.columns import ACCURACY, NUM_ERROR


def describe_coverage(cells: Sequence[Cell], measure: str = NUM_ERROR) -> str:
    """Return a sentence for each kind of data in the cells; empty if replicates have data sets of their own.

    Parameters
    ----------
    cells : The cells of a table.
    measure : The measure on the test split that the intervals are for.
    """
    cells_with_pairs = [cell for cell in cells if cell.is_paired and len(cell.replicates) > 1]
    cuts = [cell for cell in cells_with_pairs if cell.finite_set is not None and cell.finite_set.overlap]
    fixed = [cell for cell in cells_with_pairs if cell.finite_set is not None and not cell.finite_set.overlap]
    is_counted = measure in (NUM_ERROR, ACCURACY)
    covered = [cell for cell in fixed if is_counted and has_errors_by_example(cell)]
    sentences = []
    if cuts:
        sentences.append(
            "Replicates are cuts of the same examples: intervals are widened for what they have in common (Nadeau and "
            "Bengio 2003)."
        )
    if covered:
        subject = "All replicates" if len(covered) == len(cells) else "In some settings all replicates"
        sentences.append(
            f"{subject} are tested on the same {_count_test_examples(covered)}examples; intervals hold for other test "
            f"examples of their kind, too, but not for other training data."
        )
    if len(covered) < len(fixed):
        subject = "All replicates" if len(fixed) == len(cells) and not covered else "In some settings all replicates"
        reason = "the errors by example are not known" if is_counted else "of this measure nothing is known by example"
        sentences.append(
            f"{subject} are tested on the same {_count_test_examples(fixed)}examples, and {reason}: intervals hold for "
            f"these test examples alone."
        )
    return " ".join(sentences)


def _count_test_examples(cells: Sequence[Cell]) -> str:
    """Return the number of test examples with a blank, as in "10,000 "; empty if it differs or is not known."""
    sizes = {cell.finite_set.n_test for cell in cells if cell.finite_set is not None}
    size = sizes.pop() if len(sizes) == 1 else 0
    return f"{size:,} " if size else ""
