"""How a source's own export is read: what a ``[[landing]]`` table of ``hub.toml`` says, as data.

"Exports of other systems" in docs/data-contract.md has the keys of such a table.

Belongs here: what a mapping is, and which columns it takes. Does not belong here: how a table is parsed and
checked (hub/landing_tables.py), how columns are found (formats), the SQL of a mapping (mapped_rows.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from orchestration.landing.contracts import BLANKS, EventContract, Field

EMAIL, EMAIL_SHA256 = "email", "email_sha256"
EPOCH_SECONDS, EPOCH_MILLISECONDS = "epoch seconds", "epoch milliseconds"
CENTS = "cents"

# What an amount of one thousand two hundred thirty-four and a half looks like.
AMOUNT_EXAMPLE = re.compile(
    r"(?P<prefix>[^0-9.,'()+-]*?)\s?1(?P<group>[,.'\u2019\s]?)234(?P<point>[.,])50\s?(?P<suffix>[^0-9.,'()+-]*)"
)


@dataclass(frozen=True)
class Dialect:
    """How a text file is written: the character between fields, and the encoding as Python names it."""

    delimiter: str = ","
    encoding: str = "utf-8"


UTF8_WITH_COMMAS = Dialect()


@dataclass(frozen=True)
class AmountNotation:
    """How amounts are written.

    Attributes:
        point: what divides whole units from their parts; empty for whole cents.
        group: what may divide groups of three digits; empty for nothing.
        prefix, suffix: the symbol before or behind the number, which is always there; empty for none.
    """

    point: str
    group: str = ""
    prefix: str = ""
    suffix: str = ""

    @classmethod
    def of(cls, example: str) -> AmountNotation | None:
        """The notation of an example of 1234.50, or of ``cents``; None when that is no example."""
        if example == CENTS:
            return cls("")
        found = AMOUNT_EXAMPLE.fullmatch(example)
        if not found or found["group"] == found["point"]:
            return None
        return cls(found["point"], found["group"], found["prefix"].strip(), found["suffix"].strip())


@dataclass(frozen=True)
class Source:
    """Where the value of one field comes from: columns, a sum, a constant, or the name of the file.

    Attributes:
        columns: the columns whose values, joined by a blank, are the value.
        replaced: values, each with what stands for it, letter case aside; empty for no value.
        blank: what stands for no value; None when it stays none.
        otherwise: what stands for all values that are not among the replaced ones; None when they stay.
        normalize: :data:`EMAIL`, :data:`EMAIL_SHA256` or None.
        times: what an amount is multiplied by, or None.
        sum_of: the path of amounts within the record whose sum is the value, or None.
        value: a constant, or None.
        file_name: the strptime format of the name of the file, which says when, or None.
    """

    columns: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    blank: str | None = None
    otherwise: str | None = None
    normalize: str | None = None
    times: Decimal | None = None
    sum_of: str | None = None
    value: str | None = None
    file_name: str | None = None

    @property
    def is_as_it_stands(self) -> bool:
        """Whether it is the value of one column, not made into another one here."""
        return self == Source(self.columns) and len(self.columns) == 1


@dataclass(frozen=True)
class Mapping:
    """What a table says of rows: the sources of the fields, which rows are skipped, notations.

    Attributes:
        sources: the fields that are named, each with its source; none when the contract's own names hold.
        skip_blank: the column without a value in which a row is skipped, or None.
        only: columns, each with the values that a row needs there, letter case aside, not to be skipped.
        timestamp_format: a strptime format, :data:`EPOCH_SECONDS`, :data:`EPOCH_MILLISECONDS`, or None.
        timezone: the zone of timestamps without an offset, or None.
        amounts: how amounts are written, or None.
    """

    sources: tuple[tuple[str, Source], ...] = ()
    skip_blank: str | None = None
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()
    timestamp_format: str | None = None
    timezone: str | None = None
    amounts: AmountNotation | None = None

    def source_of(self, field: Field) -> Source | None:
        """The source of a field; None when it is absent."""
        if not self.sources:
            return Source((field.name,))
        return dict(self.sources).get(field.name)

    @property
    def file_name(self) -> str | None:
        """The format of the file's name, where a field comes from it."""
        return next((source.file_name for _, source in self.sources if source.file_name), None)

    @property
    def named_columns(self) -> Iterator[str]:
        """The columns that the table names, in its order; some of them several times."""
        for _, source in self.sources:
            yield from source.columns
            if source.sum_of:
                yield source.sum_of
        if self.skip_blank:
            yield self.skip_blank
        yield from (column for column, _ in self.only)

    @property
    def hashes(self) -> bool:
        """Whether some values must not be kept as they are."""
        return any(source.normalize == EMAIL_SHA256 for _, source in self.sources)

    def is_hashed(self, column: str) -> bool:
        """Whether the values of a column must not be kept as they are, or hold such: an object around one."""
        hashed = [
            comparable(one)
            for _, source in self.sources
            if source.normalize == EMAIL_SHA256
            for one in source.columns
        ]
        name = comparable(column)
        return any(one == name or one.startswith((f"{name}.", f"{name}[]")) for one in hashed)


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Attributes:
        dialect: how it is written, if it is a text file.
        records: the path of the array of records in a JSON document; empty when the document is the array,
            None when each line is a record.
        mapping: what its columns mean; None when they are the contract's.
    """

    dialect: Dialect = UTF8_WITH_COMMAS
    records: str | None = None
    mapping: Mapping | None = None

    @property
    def is_of_the_contract(self) -> bool:
        """Whether rows are read as the contract has them, whatever the dialect."""
        return self.records is None and self.mapping is None

    def columns(self, contract: EventContract) -> Columns:
        """The columns that are read from a file."""
        if self.mapping is None or not self.mapping.sources:
            fields = {field.name: Column(field.name, field.name, field.required) for field in contract.fields}
        else:
            fields = {}
        named = self.mapping.named_columns if self.mapping else ()
        for name in named:
            fields.setdefault(comparable(name), Column(f"column_{len(fields) + 1}", name, is_required=True))
        return Columns(tuple(fields.values()), is_of_a_table=bool(self.mapping and self.mapping.sources))


# How a file is read that no table names.
PLAIN = Reading()


@dataclass(frozen=True)
class Column:
    """A column that is read from a file.

    Attributes:
        key: the name under which it is landed: ``landed_<key>``.
        name: its name in the file or, in JSON, its path.
        is_required: whether the header of a file must have it.
    """

    key: str
    name: str
    is_required: bool


@dataclass(frozen=True)
class Columns:
    """The columns that are read from a file, no two of one name.

    Attributes:
        is_of_a_table: whether they are those of a ``[[landing]]`` table, and not the contract's.
    """

    columns: tuple[Column, ...]
    is_of_a_table: bool = False

    @property
    def by_name(self) -> dict[str, Column]:
        """The columns by their names as names are compared."""
        return {comparable(column.name): column for column in self.columns}

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(column.key for column in self.columns)


def comparable(name: str) -> str:
    """The name of a column as names are compared: without outer blanks, whatever its letter case."""
    return name.strip(BLANKS).lower()
