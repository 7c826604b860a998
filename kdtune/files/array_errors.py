"""What NumPy raises for a file that is torn or holds no arrays, where its documentation names ValueError alone."""

from __future__ import annotations

import zipfile
import zlib
from tokenize import TokenError

# A header is parsed as Python (SyntaxError, TokenError), an archive unpacked (the next three), of a kind of compression
# that Python does not know or with a password (RuntimeError), and an array looked up in it by name (KeyError).
ARRAY_ERRORS = (
    ValueError,
    EOFError,
    TypeError,
    SyntaxError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    KeyError,
    OverflowError,
)
