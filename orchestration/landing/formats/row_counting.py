"""How many rows a CSV file has, counted from its bytes alone.

The count shares nothing with what loads the rows, so that a row that is dropped, split or invented there is
noticed. It follows the contract: a quote opens a field only as the first character of the field; within it,
two quotes stand for one; a row ends at a line end outside of quotes; blank lines are no rows.

Belongs here: where rows begin and end. Does not belong here: what is in them (delimited.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from orchestration.landing.formats.byte_streams import MAX_ROW_BYTES, Offsets, find_line_ends

QUOTE, LINE_FEED, CARRIAGE_RETURN = b'"\n\r'

# Behind an irregular quote, at most so many rows are scanned byte by byte before the next attempt at a block.
MOST_ROWS_BY_BYTE = 4096

# A line end that is not the last of a row.
INNER_LINE_END = re.compile(b"[\r\n][^\r\n]")


@dataclass(frozen=True)
class Rows:
    """Rows that ended within a block, as offsets into all the bytes that were fed.

    Attributes:
        starts: where each row begins; blank lines before it are none of its bytes.
        ends: where each row ends, behind its line end.
        malformed: the ends of the rows in which text follows a closing quote, or the last quote stays open.
    """

    starts: Offsets
    ends: Offsets
    malformed: frozenset[int]


class RowCounter:
    """Counts the rows of a file that is fed block by block, in constant memory.

    Attributes:
        rows: how many rows have ended.
        malformed: how many of them are malformed.
        undividable: the number of the first malformed row that holds a line end, so that it cannot be told
            where the row ends; None while there is none.
        last_row: the bytes of the row that ended last, unless it is too long.
        longest: how many bytes the longest row has, the one that has not ended included.
        row_start: where the row that has not ended begins.
    """

    def __init__(self, delimiter: str = ",") -> None:
        self.rows = 0
        self.malformed = 0
        self.undividable: int | None = None
        self.last_row = b""
        self.longest = 0
        self._scanner = _Scanner(ord(delimiter))
        self.row_start = 0
        self._held_back = b""
        # How many bytes were scanned; the first bytes of the row that has not ended, the last one, and
        # whether it goes on behind a line end.
        self._scanned = 0
        self._row = b""
        self._last_byte = b""
        self._row_goes_on = False

    @property
    def is_regular(self) -> bool:
        """Whether every row up to here is well-formed and short enough."""
        return self.malformed == 0 and self.longest <= MAX_ROW_BYTES

    def feed(self, block: bytes) -> Rows:
        """Count the rows that end within the next block."""
        block = self._held_back + block
        # The line feed that belongs to a last carriage return may follow in the next block.
        self._held_back = b"\r" if block.endswith(b"\r") else b""
        return self._count(block.removesuffix(b"\r"))

    def finish(self) -> Rows:
        """Count what is left: a line end that was held back, a last row without a line end."""
        last, self._held_back = self._held_back, b""
        rows = self._count(last)
        if self.row_start == self._scanned:
            return rows
        return self._add(b"", np.array([0], np.int64), [0] if self._scanner.finish() else [])

    def _count(self, block: bytes) -> Rows:
        ends, malformed = self._scanner.scan(block)
        return self._add(block, ends, malformed)

    def _add(self, block: bytes, ends: Offsets, malformed: list[int]) -> Rows:
        """Count rows by their ends within a block, and remember what of the block follows them."""
        first_byte, ends = self._scanned, ends + self._scanned
        starts = np.concatenate([[self.row_start], ends[:-1]]) if len(ends) else ends

        def bytes_between(start: int, end: int) -> bytes:
            before = self._row if start < first_byte else b""
            return before + block[max(start - first_byte, 0) : end - first_byte]

        is_row = np.ones(len(ends), bool)
        short = np.flatnonzero(ends - starts <= len(b"\r\n"))
        if len(short) and starts[short[0]] < first_byte:
            place, short = short[0], short[1:]
            is_row[place] = bool(bytes_between(starts[place], ends[place]).strip(b"\r\n"))
        # A row ends at its first line end, so one that begins with it is blank.
        begins = np.frombuffer(block, np.uint8)[starts[short] - first_byte]
        is_row[short] = (begins != LINE_FEED) & (begins != CARRIAGE_RETURN)
        rows = Rows(starts[is_row], ends[is_row], frozenset(end + first_byte for end in malformed))
        for place in np.searchsorted(rows.ends, sorted(rows.malformed)):
            start, end = rows.starts[place] - first_byte, rows.ends[place] - first_byte
            goes_on = self._goes_on(block[:end]) if start < 0 else INNER_LINE_END.search(block, start, end)
            if goes_on and self.undividable is None:
                self.undividable = self.rows + int(place) + 1
        if len(rows.ends):
            lengths = rows.ends - rows.starts
            self.longest = max(self.longest, int(lengths.max()))
            is_short = lengths[-1] <= MAX_ROW_BYTES
            self.last_row = bytes_between(rows.starts[-1], rows.ends[-1]) if is_short else b""
        self.rows += len(rows.ends)
        self.malformed += len(rows.malformed)
        self._scanned += len(block)
        if len(ends):
            self.row_start, self._row, self._row_goes_on = int(ends[-1]), b"", False
            block, self._last_byte = block[self.row_start - first_byte :], b""
        self._row_goes_on = self._goes_on(block)
        self._row += block[: MAX_ROW_BYTES - len(self._row)]
        self._last_byte = block[-1:] or self._last_byte
        self.longest = max(self.longest, self._scanned - self.row_start)
        return rows

    def _goes_on(self, block: bytes) -> bool:
        """Whether the row that has not ended, and has this block, goes on behind a line end."""
        content = self._last_byte + block
        if self._row_goes_on or (b"\n" not in content and b"\r" not in content):
            return self._row_goes_on
        return INNER_LINE_END.search(content) is not None


class _State(Enum):
    """What the next byte stands behind."""

    DELIMITER = auto()
    TEXT = auto()
    OPENING_QUOTE = auto()
    CLOSING_QUOTE = auto()


class _Scanner:
    """Finds the ends of rows: block by block while quotes are regular, byte by byte elsewhere.

    Quotes are regular while each one that opens a field stands behind a delimiter or a line end, and each one
    that closes it before one. Then quotes open and close in turns, and two quotes within a field leave it as
    it was, so the number of quotes before a byte tells whether the byte is within quotes.
    """

    def __init__(self, delimiter: int) -> None:
        self._delimiter = delimiter
        self._opening = bytes([delimiter, QUOTE])
        self._line_ends = np.array([], np.int64)
        self._may_touch_quote = np.zeros(256, bool)
        self._may_touch_quote[[delimiter, QUOTE, LINE_FEED, CARRIAGE_RETURN]] = True
        self._state = _State.DELIMITER
        self._is_malformed = False

    def scan(self, block: bytes) -> tuple[Offsets, list[int]]:
        """The ends of the rows, and of the malformed ones among them, as offsets into the block."""
        data = np.frombuffer(block, np.uint8)
        quotes = np.flatnonzero(data == QUOTE)
        self._line_ends = line_ends = find_line_ends(block)
        quotes_before = np.searchsorted(quotes, line_ends)
        irregular = self._find_irregular(data, quotes)
        ends: list[Offsets] = []
        malformed: list[int] = []
        position, most_rows = 0, 1
        while position < len(block):
            if self._state in (_State.TEXT, _State.CLOSING_QUOTE):
                position, is_end = self._step(block, position)
                found = np.array([position][: int(is_end)], np.int64)
                self._note_malformed(found, malformed)
                ends.append(found)
                continue
            first = int(np.searchsorted(quotes, position))
            is_open = self._state is _State.OPENING_QUOTE
            parity = (first + is_open) % 2
            nth = int(np.searchsorted(irregular[parity], first))
            is_last = nth == len(irregular[parity])
            until = len(block) if is_last else int(quotes[irregular[parity][nth]])
            here = slice(*np.searchsorted(line_ends, [position, until]))
            found = line_ends[here][quotes_before[here] % 2 == parity] + 1
            self._note_malformed(found, malformed)
            ends.append(found)
            if is_last:
                self._state = self._state_behind(block, len(quotes) - first + is_open)
                break
            opens = int(irregular[parity][nth]) % 2 == parity
            self._state = _State.TEXT if opens else _State.OPENING_QUOTE
            most_rows = min(2 * most_rows, MOST_ROWS_BY_BYTE) if len(found) < most_rows else 1
            position = self._scan_bytes(block, until, most_rows, ends, malformed)
        return np.concatenate([np.array([], np.int64), *ends]), malformed

    def _note_malformed(self, ends: Sequence[int] | Offsets, malformed: list[int]) -> None:
        """Take the first row that ends for malformed, if the row that has not ended is."""
        if len(ends) and self._is_malformed:
            malformed.append(int(ends[0]))
            self._is_malformed = False

    def finish(self) -> bool:
        """Whether the row that has not ended is malformed, now that nothing follows."""
        return self._is_malformed or self._state is _State.OPENING_QUOTE

    def _find_irregular(self, data: NDArray[np.uint8], quotes: Offsets) -> tuple[Offsets, Offsets]:
        """The places of irregular quotes in ``quotes``: where even places open, and where odd ones do."""
        if not len(quotes):
            return quotes, quotes
        opens = self._may_touch_quote[data[np.maximum(quotes - 1, 0)]]
        closes = self._may_touch_quote[data[np.minimum(quotes + 1, len(data) - 1)]]
        # What stands before and behind the block is known from the state.
        opens[0] |= quotes[0] == 0
        closes[-1] |= quotes[-1] == len(data) - 1
        even_opens, odd_opens = closes.copy(), closes
        even_opens[0::2], odd_opens[1::2] = opens[0::2], opens[1::2]
        return np.flatnonzero(~even_opens), np.flatnonzero(~odd_opens)

    def _state_behind(self, block: bytes, quotes: int) -> _State:
        """The state behind a block that ends regularly, with so many quotes behind the last known start."""
        if quotes % 2:
            return _State.OPENING_QUOTE
        if block[-1] == QUOTE:
            return _State.CLOSING_QUOTE
        is_start = block[-1] in (self._delimiter, LINE_FEED, CARRIAGE_RETURN)
        return _State.DELIMITER if is_start else _State.TEXT

    def _scan_bytes(
        self, block: bytes, position: int, most_rows: int, ends: list[Offsets], malformed: list[int]
    ) -> int:
        """Scan from a position until so many rows have ended; returns the position behind them."""
        found: list[int] = []
        while position < len(block) and len(found) < most_rows:
            position, is_end = self._step(block, position)
            if is_end:
                self._note_malformed([position], malformed)
                found.append(position)
        ends.append(np.array(found, np.int64))
        return position

    def _step(self, block: bytes, position: int) -> tuple[int, bool]:
        """The next position at which the state changes, and whether a row ends there."""
        match self._state:
            case _State.OPENING_QUOTE:
                quote = block.find(b'"', position)
                if quote == -1:
                    return len(block), False
                self._state = _State.CLOSING_QUOTE
                return quote + 1, False
            case _State.TEXT:
                nth = int(np.searchsorted(self._line_ends, position))
                is_ended = nth < len(self._line_ends)
                end = int(self._line_ends[nth]) + 1 if is_ended else len(block)
                opening = block.find(self._opening, position, end)
                if opening != -1:
                    self._state = _State.OPENING_QUOTE
                    return opening + len(self._opening), False
                is_at_field = is_ended or block[-1] == self._delimiter
                self._state = _State.DELIMITER if is_at_field else _State.TEXT
                return end, is_ended
        return self._step_from_edge(block, position)

    def _step_from_edge(self, block: bytes, position: int) -> tuple[int, bool]:
        """A step over the first byte of a field, or the byte behind its closing quote."""
        byte = block[position]
        if byte == QUOTE:
            self._state = _State.OPENING_QUOTE
        elif byte in (LINE_FEED, CARRIAGE_RETURN):
            self._state = _State.DELIMITER
            return position + (2 if block[position : position + 2] == b"\r\n" else 1), True
        elif byte == self._delimiter:
            self._state = _State.DELIMITER
        else:
            self._is_malformed |= self._state is _State.CLOSING_QUOTE
            self._state = _State.TEXT
        return position + 1, False
