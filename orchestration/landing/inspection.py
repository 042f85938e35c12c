"""One pass over a file before it is loaded: what its bytes are, and whether its writer has come to the end.

Belongs here: hashes, and what tells that a file is still being written. Does not belong here: rows.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestration.landing.formats import Compression, Format, LandedFile, UnreadableFileError
from orchestration.landing.formats.byte_streams import decompress, read_blocks
from orchestration.landing.formats.json_documents import MAX_DOCUMENT_BYTES
from orchestration.landing.formats.json_records import parse

BLOCK_BYTES = 1 << 20

PARQUET_MARK = b"PAR1"


@dataclass(frozen=True)
class Inspection:
    """What the bytes of a file say.

    Attributes:
        content_hash: SHA-256 of the bytes.
        size: how many there are.
        trimmed_hash, trimmed_size: the same without the NULs at the end, with which some writers fill a file
            before they write it.
        is_complete: whether the file ends as its format does when the writer has come to the end.
    """

    content_hash: str
    size: int
    trimmed_hash: str
    trimmed_size: int
    is_complete: bool


def inspect(file: LandedFile) -> Inspection:
    """Read a file from its beginning to its end.

    Raises:
        OSError: when it cannot be read.
    """
    whole, trimmed, pending = hashlib.sha256(), hashlib.sha256(), 0
    size, ending, recode = 0, _Ending(), _Recoder(file)
    is_compressed = file.compression is not Compression.NONE
    for block in _blocks(file.location):
        size += len(block)
        whole.update(block)
        ending.take(block if is_compressed else recode.feed(block))
        visible = block.rstrip(b"\0")
        if visible:
            for _ in range(pending // BLOCK_BYTES):
                trimmed.update(bytes(BLOCK_BYTES))
            trimmed.update(bytes(pending % BLOCK_BYTES))
            trimmed.update(visible)
            pending = 0
        pending += len(block) - len(visible)
    return Inspection(
        whole.hexdigest(), size, trimmed.hexdigest(), size - pending, _is_complete(file, size, ending)
    )


def begins_with(location: Path, size: int, content_hash: str) -> bool:
    """Whether the first bytes of a file have this hash."""
    found, left = hashlib.sha256(), size
    for block in _blocks(location):
        found.update(block[:left])
        left -= min(left, len(block))
        if not left:
            break
    return not left and found.hexdigest() == content_hash


def _blocks(location: Path) -> Iterator[bytes]:
    with location.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


class _Ending:
    """How text ends, seen block by block."""

    def __init__(self) -> None:
        self.last, self.has_nul = b"\n", False

    def take(self, block: bytes) -> None:
        self.last, self.has_nul = block[-1:] or self.last, self.has_nul or b"\0" in block

    @property
    def is_that_of_a_line(self) -> bool:
        """Whether the last line has its end, and there are no NULs, which writers reserve space with."""
        return self.last in (b"\n", b"\r") and not self.has_nul


def _is_complete(file: LandedFile, size: int, ending: _Ending) -> bool:
    # Nothing has no last line that could lack its end; the format says whether it is a file.
    if not size:
        return True
    if file.format is Format.PARQUET:
        with file.location.open("rb") as stream:
            begins = stream.read(len(PARQUET_MARK)) == PARQUET_MARK
            stream.seek(max(0, size - len(PARQUET_MARK)))
            return begins and size > 2 * len(PARQUET_MARK) and stream.read() == PARQUET_MARK
    # What is no gzip or zstd at all will not become one; its reader says so.
    with suppress(gzip.BadGzipFile, zlib.error, UnreadableFileError):
        if file.format is Format.JSON_DOCUMENT:
            return size > MAX_DOCUMENT_BYTES or _is_whole_document(file)
        is_plain = file.compression is Compression.NONE
        return ending.is_that_of_a_line if is_plain else _ends_unpacked(file)
    return True


def _ends_unpacked(file: LandedFile) -> bool:
    ending, recode = _Ending(), _Recoder(file)
    try:
        for block in decompress(file, BLOCK_BYTES):
            ending.take(recode.feed(block))
    except EOFError:
        return False
    return ending.is_that_of_a_line


def _is_whole_document(file: LandedFile) -> bool:
    try:
        text = b"".join(read_blocks(file)).decode()
        parse(text)
    except EOFError:
        return False
    except UnicodeError:
        return True
    except ValueError:
        # What begins as no document will not become one.
        return text.lstrip()[:1] not in ("[", "{")
    return True


class _Recoder:
    """Makes UTF-8 of the blocks of a text file in another encoding."""

    def __init__(self, file: LandedFile) -> None:
        encoding = file.reading.dialect.encoding
        is_utf8 = file.format is Format.PARQUET or encoding == "utf-8"
        self._decoder = None if is_utf8 else codecs.getincrementaldecoder(encoding)("surrogateescape")

    def feed(self, block: bytes) -> bytes:
        if self._decoder is None:
            return block
        try:
            return self._decoder.decode(block).encode("utf-8", "surrogateescape")
        except UnicodeError:
            # What is not in the encoding will not come to be; its reader says so.
            self._decoder = None
            return b"\n"
