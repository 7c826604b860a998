"""Read numbers with percent signs."""

from __future__ import annotations

import pandas as pd


def is_numeric(column: pd.Series) -> bool:
    """Return whether a column holds numbers, or text such as "82.2 %"."""
    values = column.dropna()
    return not values.empty and column.dtype.kind != "b" and bool(strip_percent(values).notna().all())


def strip_percent(values: pd.Series) -> pd.Series:
    """Return values as numbers; NaN where they are none. A percent sign is removed."""
    if values.dtype.kind in "iuf":
        return values
    text = values.astype(str).str.strip()
    return pd.to_numeric(text.str.removesuffix("%").str.strip(), errors="coerce")


def has_percent_signs(column: pd.Series) -> bool:
    """Return whether a value of a column ends with a percent sign."""
    return column.dtype.kind == "O" and bool(column.dropna().astype(str).str.strip().str.endswith("%").any())
