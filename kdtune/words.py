"""Numbers in sentences."""

NOTHING = "-"  # in a table, where there is no value


def plural(count: int, word: str) -> str:
    """1 pack, 2 packs, 1,000 packs."""
    return f"{count:,} {word}{'s' * (count != 1)}"
