"""The bytes of a landed text file, decompressed and in UTF-8, block by block.

Belongs here: compression, encoding, where lines end. Does not belong here: rows and fields.
"""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator

import numpy as np
from backports import zstd
from numpy.typing import NDArray

from orchestration.landing.formats.common import Compression, LandedFile, UnreadableFileError

# Enough to spread the cost of a block over many rows, and little enough to hold several blocks at once. A row
# of the greatest length fits into a block.
BLOCK_BYTES = 4 << 20

# A row with more bytes, its line end included, is rejected as too long, because a row is held in memory.
MAX_ROW_BYTES = 2_000_000

# Of a row that is too long, so many bytes are kept, to show what it begins with.
SHOWN_BYTES = 1 << 16

# How a gzip file begins, and how a zstd file does: with a frame, or with one that readers skip.
GZIP_MARK = b"\x1f\x8b"
ZSTD_MARKS = (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + number, 0x2A, 0x4D, 0x18]) for number in range(16)))

# One byte of another encoding has at most so many bytes in UTF-8.
MOST_BYTES_PER_BYTE = 4


Offsets = NDArray[np.int64]


def read_blocks(file: LandedFile) -> Iterator[bytes]:
    """The content of a text file as blocks of at most ``BLOCK_BYTES`` bytes, without a byte order mark.

    Bytes that are not of the file's encoding are handed on as bytes that are no UTF-8.

    Raises:
        OSError, EOFError, zlib.error, UnreadableFileError: as :func:`decompress` does.
        UnicodeError: when bytes of an encoding of several bytes a character cannot be handed on.
    """
    is_first = True
    is_utf8 = file.reading.dialect.encoding == "utf-8"
    blocks = decompress(file, BLOCK_BYTES if is_utf8 else BLOCK_BYTES // MOST_BYTES_PER_BYTE)
    for block in _transcode(blocks, file.reading.dialect.encoding):
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


def decompress(file: LandedFile, block_bytes: int) -> Iterator[bytes]:
    """The content of a text file as blocks of at most so many bytes, in the encoding of the file.

    Raises:
        OSError, zlib.error: when the file cannot be read, or is no gzip file.
        EOFError: when its compressed content is cut short.
        UnreadableFileError: when it is empty, and no empty file is of its format; when something else follows
            the compressed content; when it is no zstd file, or a damaged one.
    """
    compression = file.compression
    if compression is not Compression.NONE and file.location.stat().st_size == 0:
        raise UnreadableFileError(f"it is empty, which no {compression.name.lower()} file is")
    with _open(file) as stream:
        try:
            while block := stream.read(block_bytes):
                yield block
        except gzip.BadGzipFile as error:
            if not _begins_with(file, (GZIP_MARK,)):
                raise
            raise UnreadableFileError(
                "something that is no gzip follows its compressed content: land the file again without it"
            ) from error
        except zstd.ZstdError as error:
            raise UnreadableFileError(_why_no_zstd(file, str(error))) from error


def _open(file: LandedFile) -> io.BufferedIOBase:
    match file.compression:
        case Compression.GZIP:
            return gzip.open(file.location)
        case Compression.ZSTD:
            return zstd.open(file.location)
        case Compression.NONE:
            return file.location.open("rb")


def _why_no_zstd(file: LandedFile, message: str) -> str:
    """Why zstd content could not be decompressed, from the message of its library."""
    message = message.rpartition(": ")[2]
    if not _begins_with(file, ZSTD_MARKS):
        return "Not a zstd file"
    if "frame descriptor" in message:
        return "something that is no zstd follows its compressed content: land the file again without it"
    if "too much memory" in message:
        return "it was compressed with a window of more than 128 MB: compress it without --long or --ultra"
    return f"it is damaged ({message}): land the whole file again"


def _begins_with(file: LandedFile, marks: tuple[bytes, ...]) -> bool:
    with file.location.open("rb") as stream:
        return stream.read(max(map(len, marks))).startswith(marks)


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
