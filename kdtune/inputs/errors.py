"""The error of what a user brings."""

from __future__ import annotations


class InputError(ValueError):
    """Something that the user brings cannot be used; the text says what is wrong, then what would be right.

    Parameters
    ----------
    message : What is wrong, and what would be right.
    setting : The setting at fault below its block, as in ``train.x``; empty for the block as a whole.
    """

    def __init__(self, message: str, setting: str = "") -> None:
        super().__init__(message)
        self.setting = setting
