"""How the currency of the published money is written before an amount, as Superset writes it."""

from __future__ import annotations

from collections.abc import Callable

from babel.numbers import get_currency_symbol

from dashboards.connection import Database


def symbol_of(currency: str) -> str:
    """The symbol of a currency by its ISO 4217 code; the code itself where none is known."""
    return get_currency_symbol(currency, locale="en_US")


def read_currency_symbol(database: Database) -> Callable[[], str]:
    """For the templates of the datasets: the symbol of what is published at that moment."""
    engine = database.engine()

    def currency_symbol() -> str:
        with engine.connect() as connected:
            return symbol_of(connected.exec_driver_sql("select currency from report_info").scalar_one())

    return currency_symbol
