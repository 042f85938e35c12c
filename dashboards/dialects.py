"""What each database of the reports writes in its own way, for the templates of the datasets.

Belongs here: expressions that no SQL of both can say. Does not belong here: everything else of a dataset,
which both read (datasets.py).
"""

from __future__ import annotations

from typing import Protocol


class Dialect(Protocol):
    """Writes expressions of SQL. Templates of the datasets have it as ``dialect``."""

    def text(self, text: str) -> str:
        """A literal, in hexadecimal digits.

        Superset would take braces in it for Jinja, and write % and backslashes twice.
        """

    def day_in_words(self, day: str) -> str:
        """A day as people write it: 27 Nov 2026."""

    def minute_in_words(self, instant: str) -> str:
        """An instant as people write it: 27 Nov 2026, 18:14."""

    def grouped(self, number: str, decimals: int) -> str:
        """A number that is not negative, rounded half up, with a comma before each three digits."""

    def joined(self, elements: str, element: str, said: str) -> str:
        """What is said of each element of a list of texts, in their order, separated by commas."""

    def paths(self, files: str) -> str:
        """The paths of a list of files, separated by commas."""

    def no_texts(self) -> str:
        """An empty list of texts."""

    def no_files(self) -> str:
        """An empty list of files."""


class DuckDbDialect:
    """The SQL of the published file."""

    def text(self, text: str) -> str:
        return f"decode(from_hex('{text.encode().hex()}'))"

    def day_in_words(self, day: str) -> str:
        return f"strftime({day}, '%-d %b %Y')"

    def minute_in_words(self, instant: str) -> str:
        return f"strftime({instant}, '%-d %b %Y, %H:%M')"

    def grouped(self, number: str, decimals: int) -> str:
        return f"format('{{:,.{decimals}f}}', cast(round({_exact(number)}, {decimals}) as double))"

    def joined(self, elements: str, element: str, said: str) -> str:
        return f"array_to_string([{said} for {element} in {elements}], ', ')"

    def paths(self, files: str) -> str:
        return f"array_to_string([file.path for file in {files}], ', ')"

    def no_texts(self) -> str:
        return "cast([] as varchar[])"

    def no_files(self) -> str:
        return "cast([] as struct(path varchar)[])"


class PostgresDialect:
    """The SQL of PostgreSQL."""

    def text(self, text: str) -> str:
        # Names have no U+0000 there, but its sign.
        digits = text.replace("\0", "\u2400").encode().hex()
        return f"convert_from(decode('{digits}', 'hex'), 'UTF8')"

    def day_in_words(self, day: str) -> str:
        return f"to_char({day}, 'FMDD Mon YYYY')"

    def minute_in_words(self, instant: str) -> str:
        return f"to_char({instant}, 'FMDD Mon YYYY, HH24:MI')"

    def grouped(self, number: str, decimals: int) -> str:
        digits = f"FM{'999,' * 9}990{'.' if decimals else ''}{'0' * decimals}"
        return f"to_char(round({_exact(number)}, {decimals}), '{digits}')"

    def joined(self, elements: str, element: str, said: str) -> str:
        return (
            f"(select coalesce(string_agg({said}, ', ' order by place), '') "
            f"from unnest({elements}) with ordinality as elements ({element}, place))"
        )

    def paths(self, files: str) -> str:
        return (
            "(select coalesce(string_agg(file ->> 'path', ', ' order by place), '') "
            f"from jsonb_array_elements({files}) with ordinality as files (file, place))"
        )

    def no_texts(self) -> str:
        return "cast('{}' as text[])"

    def no_files(self) -> str:
        return "cast('[]' as jsonb)"


def _exact(number: str) -> str:
    """A number of any type as a decimal, which rounds alike everywhere."""
    return f"cast({number} as decimal(38, 12))"
