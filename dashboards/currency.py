"""How the currency of the published money is written before an amount, as Superset writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from babel.numbers import get_currency_symbol

from dashboards import connection


def symbol_of(currency: str) -> str:
    """The symbol of a currency by its ISO 4217 code; the code itself where none is known."""
    return get_currency_symbol(currency, locale="en_US")


def read_currency_symbol(published: Path, memory_limit: str) -> Callable[[], str]:
    """For the templates of the datasets: the symbol of what is published at that moment.

    Args:
        published: the published file.
        memory_limit: as for every connection to it in this process.
    """
    engine = connection.engine_of(published, memory_limit)

    def currency_symbol() -> str:
        with engine.connect() as connected:
            return symbol_of(connected.exec_driver_sql("select currency from report_info").scalar_one())

    return currency_symbol
