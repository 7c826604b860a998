"""Know cells of a spreadsheet that were merged: the file has their value in the first row of each block only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdtune.columns import TEMP

_MIN_BLOCKS = 2
_MIN_ROWS = 2  # of a block


def find_merged_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that look like merged cells, if that of T does; else none.

    Parameters
    ----------
    table : The table with ``TEMP``, its rows as in the file.
    """
    if not _is_merged(table[TEMP]):
        return []
    return [name for name in table.columns if _is_merged(table[name])]


def _is_merged(column: pd.Series) -> bool:
    """Return whether blanks follow a filled first row of each block, and the blocks have equal lengths.

    The last block may be shorter, as in a table that is not complete yet.
    """
    is_filled = column.notna().to_numpy()
    if not len(is_filled) or not is_filled[0] or is_filled.all():
        return False
    starts = np.flatnonzero(is_filled)
    lengths = np.diff(np.append(starts, len(is_filled)))
    if len(lengths) < _MIN_BLOCKS or lengths[0] < _MIN_ROWS:
        return False
    return bool((lengths[:-1] == lengths[0]).all() and lengths[-1] <= lengths[0])
