"""Find the encoding of a text file and bring its bytes into one form: UTF-8 without a mark, one kind of line ends."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from kdtune.analysis.file_problems import make_encoding_error
from kdtune.errors import RequestError

# Byte order marks; that of UTF-32 begins with that of UTF-16, so it comes first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# Encodings that spreadsheets and editors still write. charset-normalizer alone finds exotic ones in short texts, and
# several of these are as good: then the first one is taken. Windows' encoding of Western Europe contains latin-1.
_OLD_ENCODINGS = ["cp1252", "cp932", "gb18030", "cp949", "big5", "cp1250", "cp1251", "cp1253", "cp1254", "mac_roman"]
_CONTROL_CHARACTERS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_DOS_END = b"\x1a"  # how old programs end a text file
_SAMPLE_SIZE = 1 << 16


class DecodedText(NamedTuple):
    """The content of a text file."""

    content: bytes  # UTF-8 without a byte order mark; lines end with \n or \r\n
    notes: list[str]  # the encoding, if it is not UTF-8: a sentence


def decode_text(path: Path, content: bytes) -> DecodedText:
    """Return the content of a text file in UTF-8.

    Parameters
    ----------
    path : The file, for messages.
    content : The bytes of the file, or what they were before compression.

    Raises
    ------
    RequestError
        If it is no text, or its encoding cannot be read.
    """
    encoding = _find_wide_encoding(content)
    if encoding is None:
        content = content.removeprefix(codecs.BOM_UTF8).rstrip(_DOS_END)
        if not content.isascii() and not _is_utf8(content):
            encoding = _guess_encoding(content)
    if encoding is not None:
        content = _to_utf8(path, content, encoding)
    _refuse_binary_data(path, content)
    notes = [] if encoding is None else [f"The text is encoded in {encoding}, not in UTF-8: accents may look wrong."]
    if encoding is not None and encoding.startswith("UTF"):
        notes = [f"The text is encoded in {encoding}."]
    if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # old Macs end lines with \r
    return DecodedText(content, notes)


def _find_wide_encoding(content: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if a mark says so, or if every other byte is zero, as in English text without a mark."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    sample = content[:_SAMPLE_SIZE]
    for encoding, n_zeros, n_others in (
        ("UTF-16-LE", sample[1::2].count(0), sample[::2].count(0)),
        ("UTF-16-BE", sample[::2].count(0), sample[1::2].count(0)),
    ):
        if n_zeros > 0.4 * len(sample) and n_others == 0:
            return encoding
    return None


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guess_encoding(content: bytes) -> str:
    """Guess an encoding of one or two bytes per character from the text around the first byte that is not ASCII."""
    from charset_normalizer import from_bytes

    first_byte = re.search(rb"[\x80-\xff]", content)
    assert first_byte is not None
    start = max(0, first_byte.start() - _SAMPLE_SIZE // 4)
    start = content.rfind(b"\n", 0, start) + 1
    matches = list(from_bytes(content[start : start + _SAMPLE_SIZE], cp_isolation=_OLD_ENCODINGS))
    if not matches:
        return _OLD_ENCODINGS[0]
    least_chaos = min(match.percent_chaos for match in matches)
    best_matches = [match for match in matches if match.percent_chaos == least_chaos]
    names = {name for match in best_matches for name in (match.encoding, *match.could_be_from_charset)}
    return next(name for name in _OLD_ENCODINGS if name in names)


def _to_utf8(path: Path, content: bytes, encoding: str) -> bytes:
    """Return text of another encoding in UTF-8."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        if encoding.startswith("UTF"):
            raise make_encoding_error(path, encoding) from None
        text = content.decode("latin-1")  # which has a character for each byte
    return text.removeprefix("\ufeff").encode("utf-8", errors="replace")


def _refuse_binary_data(path: Path, content: bytes) -> None:
    """Raise RequestError if the content is not text."""
    position = content.find(b"\0")
    if position < 0:
        match = _CONTROL_CHARACTERS.search(content, 0, _SAMPLE_SIZE)
        position = -1 if match is None else match.start()
    if position >= 0:
        line = content.count(b"\n", 0, position) + 1
        raise RequestError(
            f"{path}: the file is not text: it holds binary data in line {line:,} (damaged, or a kind of file that "
            f"kdtune does not know); get it again, or export the table as CSV"
        )
