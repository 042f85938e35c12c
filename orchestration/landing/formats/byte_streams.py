"""The bytes of a landed text file, decompressed and in UTF-8, block by block.

Belongs here: compression, encoding, where lines end. Does not belong here: rows and fields.
"""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from orchestration.landing.formats.common import LandedFile, UnreadableFileError

# Enough to spread the cost of a block over many rows, and little enough to hold several blocks at once. A row
# of the greatest length fits into a block.
BLOCK_BYTES = 4 << 20

# A row with more bytes, its line end included, is rejected as too long, because a row is held in memory.
MAX_ROW_BYTES = 2_000_000

# Of a row that is too long, so many bytes are kept, to show what it begins with.
SHOWN_BYTES = 1 << 16

# How a gzip file begins.
GZIP_MARK = b"\x1f\x8b"

# One byte of another encoding has at most so many bytes in UTF-8.
MOST_BYTES_PER_BYTE = 4


Offsets = NDArray[np.int64]


def read_blocks(file: LandedFile) -> Iterator[bytes]:
    """The content of a text file as blocks of at most ``BLOCK_BYTES`` bytes, without a byte order mark.

    Bytes that are not of the file's encoding are handed on as bytes that are no UTF-8.

    Raises:
        OSError, EOFError, zlib.error: when the file cannot be read, or is no whole gzip file.
        UnreadableFileError: when it is empty, and no empty file is of its format.
        UnicodeError: when bytes of an encoding of several bytes a character cannot be handed on.
    """
    is_first = True
    for block in _transcode(_decompress(file), file.reading.dialect.encoding):
        yield block.removeprefix(codecs.BOM_UTF8) if is_first else block
        is_first = False


def find_line_ends(block: bytes) -> Offsets:
    """The places of the last byte of each line end: a line feed, a carriage return, or both in this order."""
    data = np.frombuffer(block, np.uint8)
    line_feeds = data == ord("\n")
    if b"\r" not in block:
        return np.flatnonzero(line_feeds)
    carriage_returns = data == ord("\r")
    carriage_returns[:-1] &= ~line_feeds[1:]
    return np.flatnonzero(line_feeds | carriage_returns)


def _decompress(file: LandedFile) -> Iterator[bytes]:
    is_utf8 = file.reading.dialect.encoding == "utf-8"
    size = BLOCK_BYTES if is_utf8 else BLOCK_BYTES // MOST_BYTES_PER_BYTE
    if file.is_gzipped and file.location.stat().st_size == 0:
        raise UnreadableFileError("it is empty, which no gzip file is")
    with gzip.open(file.location) if file.is_gzipped else file.location.open("rb") as stream:
        try:
            while block := stream.read(size):
                yield block
        except gzip.BadGzipFile as error:
            with file.location.open("rb") as compressed:
                if compressed.read(len(GZIP_MARK)) != GZIP_MARK:
                    raise
            raise UnreadableFileError(
                "something that is no gzip follows its compressed content: land the file again without it"
            ) from error


def _transcode(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    if encoding == "utf-8":
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    for block in blocks:
        if decoded := decoder.decode(block):
            yield decoded.encode("utf-8", "surrogateescape")
    if rest := decoder.decode(b"", final=True):
        yield rest.encode("utf-8", "surrogateescape")
