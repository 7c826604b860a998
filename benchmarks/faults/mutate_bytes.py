"""Damage the bytes of any file."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Mutator = Callable[[bytes, Random], bytes]

# What ends, or begins, a file of another kind.
MAGICS = (
    b"PAR1",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"ARROW1\x00\x00",
    b"\x93NUMPY\x01\x00",
    b"\x89PNG\r\n",
    b"%PDF-",
    b"BZh9",
)
ODD_TEXTS = ("\0", "\x1b[31m", "\ufeff", "\U0001f600", "\u202e", "'", '"', "{", "}", "]", "\\", "# ", "%", "é", "名")


def flip_bits(data: bytes, random: Random) -> bytes:
    """Flip one to ten bits."""
    damaged = bytearray(data)
    for _ in range(random.randint(1, 10) if damaged else 0):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def cut_off(data: bytes, random: Random) -> bytes:
    """Leave out the end."""
    return data[: random.randrange(len(data) + 1)]


def cut_beginning(data: bytes, random: Random) -> bytes:
    """Leave out the beginning."""
    return data[random.randrange(len(data) + 1) :]


def remove_stretch(data: bytes, random: Random) -> bytes:
    """Leave out some bytes in the middle."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[end:]


def repeat_stretch(data: bytes, random: Random) -> bytes:
    """Write some bytes twice."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:]


def zero_stretch(data: bytes, random: Random) -> bytes:
    """Overwrite some bytes by zeros, as a power cut leaves them."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + bytes(end - start) + data[end:]


def insert_noise(data: bytes, random: Random) -> bytes:
    """Insert random bytes."""
    place = random.randrange(len(data) + 1)
    return data[:place] + random.randbytes(random.choice((1, 2, 8, 100))) + data[place:]


def replace_magic(data: bytes, random: Random) -> bytes:
    """Begin the file as one of another kind does."""
    magic = random.choice(MAGICS)
    return magic + data[len(magic) :]


def make_empty(data: bytes, random: Random) -> bytes:
    """Leave nothing, or hardly anything."""
    return random.choice((b"", b"\n", b" ", b"\0", b"\r\n\r\n", b"\xef\xbb\xbf", b"null", b"{}", b"[]"))


def make_noise(data: bytes, random: Random) -> bytes:
    """Replace everything by random bytes."""
    return random.randbytes(random.choice((1, 10, 1000, 100_000)))


def repeat_all(data: bytes, random: Random) -> bytes:
    """Write the file twice, one after the other."""
    return data * random.choice((2, 2, 3, 10))


BYTE_MUTATORS: tuple[Mutator, ...] = (
    flip_bits, cut_off, cut_beginning, remove_stretch, repeat_stretch, zero_stretch, insert_noise, replace_magic,
    make_empty, make_noise, repeat_all,
)  # fmt: skip


def reencode(data: bytes, random: Random) -> bytes:
    """Write a text in another encoding."""
    encoding = random.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp1252", "cp037", "utf-7"))
    return data.decode("utf-8", errors="replace").encode(encoding, errors="replace")


def change_line_ends(data: bytes, random: Random) -> bytes:
    """End lines in another way."""
    return data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b"\n\r", b"\x0b", b"\xe2\x80\xa8", b"\0")))


def change_blanks(data: bytes, random: Random) -> bytes:
    """Replace blanks by tabs or by blanks of another width, everywhere or at some places."""
    blank = random.choice(("\t", "\u00a0", "\u2003", "\u200b", "")).encode()
    share = random.choice((1.0, 0.1))
    return b"".join(blank if byte == 0x20 and random.random() < share else bytes([byte]) for byte in data)


def insert_text(data: bytes, random: Random) -> bytes:
    """Insert characters that mean something to somebody."""
    place = random.randrange(len(data) + 1)
    return data[:place] + random.choice(ODD_TEXTS).encode() * random.choice((1, 1, 3)) + data[place:]


def lengthen_line(data: bytes, random: Random) -> bytes:
    """Insert a very long word."""
    place = random.randrange(len(data) + 1)
    return data[:place] + random.choice((b"a", b"9", b"[", b"-", b" ", b",", b'"')) * 200_000 + data[place:]


TEXT_MUTATORS: tuple[Mutator, ...] = (reencode, change_line_ends, change_blanks, insert_text, lengthen_line)
