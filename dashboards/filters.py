"""What the filter bar hands to the SQL of a dataset: days, queues and agents, as table functions take them.

Belongs here: the parts of the templates that every dataset begins with. Does not belong here: which
days are requested (days.py), and the datasets themselves.
"""

from __future__ import annotations

# What people choose from. Two queues or agents of one name are told apart by their identifiers.
NAMES = {
    label: f"""(
    select
        {entity}_id,
        case
            when count(*) over (partition by {entity}_name) = 1 then {entity}_name
            else {entity}_name || ' (' || {entity}_id || ')'
        end as {label}
    from dim_{entity}s
)"""
    for label, entity in (("queue", "queue"), ("agent", "user"))
}

TEXTS = """
{%- macro texts(names) -%}
    {%- for name in names -%}
        {{ dialect.text(name | string) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
"""

# The filter bar. The table functions take the days of both ends, and lists of identifiers.
FILTERS = (
    TEXTS
    + """
{%- set days = requested_days(
    filter_values('period', remove_filter=True),
    filter_values('from_day', remove_filter=True),
    filter_values('to_day', remove_filter=True)
) -%}
{%- set queues = filter_values('queue', remove_filter=True) -%}
{%- set agents = filter_values('agent', remove_filter=True) -%}
{%- set first_day -%} cast('{{ days.first }}' as date) {%- endset -%}
{%- set last_day -%} cast('{{ days.last }}' as date) {%- endset -%}
{%- set queue_ids -%}
    array(select queue_id from QUEUES as queues where queue in ({{ texts(queues) }}))
{%- endset -%}
{%- set user_ids -%}
    array(select user_id from AGENTS as agents where agent in ({{ texts(agents) }}))
{%- endset -%}
""".replace("QUEUES", NAMES["queue"]).replace("AGENTS", NAMES["agent"])
)

ARGUMENTS = """(
    {{ first_day }},
    {{ last_day }},
    queues := {{ queue_ids if queues else 'null' }},
    users := {{ user_ids if agents else 'null' }}
)"""

# The columns of the filter bar that a dataset does not give are empty: a chart is filtered by columns that
# it has.
FILTER_COLUMNS = ("period", "from_day", "to_day", "queue", "agent")


def empty(*given: str) -> str:
    """The columns of the filter bar but those that are given."""
    return ", ".join(f"cast(null as varchar) as {name}" for name in FILTER_COLUMNS if name not in given)
