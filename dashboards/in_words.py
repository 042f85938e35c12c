"""How SQL writes figures for people: with their units, and changes with an arrow and in words.

Belongs here: the SQL of texts, for cells that no format of Superset reaches. Does not belong here: the
figures, and where their texts stand.
"""

from __future__ import annotations

from dashboards import words

# The big figures, in their order, and how they are written.
FIGURES_IN_WORDS = {
    "messages_sent": "count",
    "revenue_generated": "money",
    "conversion_rate": "rate",
    "active_users": "count",
    "revenue_per_message": "money",
}


def quoted(text: str) -> str:
    """A literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def grouped(number: str, decimals: int) -> str:
    """SQL of a number that is not negative as text, with a comma before each three digits."""
    return f"{{{{ dialect.grouped('{number}', {decimals}) }}}}"


def in_words(value: str, kind: str, is_difference: bool = False) -> str:
    """SQL of a figure as text, formatted as Superset formats those of the charts; NULL is a dash.

    Args:
        value: SQL of the figure.
        kind: SQL of how it is written: 'count', 'money' or 'rate'.
        is_difference: whether it is written with its sign, and a rate in percentage points.
    """
    plus = f"when {value} > 0 then '+'" if is_difference else ""
    percent = " pp" if is_difference else "%"
    return f"""case
        when {value} is null then {quoted(words.NOTHING)}
        else
            case when {kind} = 'money' then {{{{ texts([currency_symbol()]) }}}} || ' ' else '' end
            || case when {value} < 0 then '-' {plus} else '' end
            || case {kind}
                when 'count' then {grouped(f"abs({value})", 0)}
                when 'money' then {grouped(f"abs({value})", 2)}
                else {grouped(f"abs({value}) * 100", 2)}
            end
            || case when {kind} = 'rate' then '{percent}' else '' end
    end"""


def change_in_words(value: str, base: str, kind: str) -> str:
    """SQL of how much more a figure is than its base, as text: an arrow, and what the arrow says.

    Args:
        value: SQL of the figure.
        base: SQL of its base.
        kind: 'count', 'money' or 'rate'; rates are compared in percentage points.
    """
    is_rate = kind == "rate"
    difference = f"({value} - {base})"
    change = difference if is_rate else f"{difference} / nullif(cast({base} as double precision), 0)"
    has_no_base = f"{base} is null" if is_rate else f"{base} is null or ({base} = 0 and {value} <> 0)"
    # The last figure that is written decides, so that no arrow stands before a zero.
    size = grouped(f"abs(coalesce({change}, 0)) * 100", 1)
    unit = " points" if is_rate else "%"
    return f"""case
        when {value} is null then 'none now'
        when {has_no_base} then 'nothing before'
        when {size} = '0.0' then '= as before'
        when {value} > {base} then '▲ ' || {size} || '{unit} more'
        else '▼ ' || {size} || '{unit} less'
    end"""
