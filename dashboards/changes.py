"""The SQL of the tab of two versions: what the ledger answers, in words.

Belongs here: how the tab asks why() and why_figures(). Does not belong here: which versions are requested
(versions.py), and what differs between them, which the ledger knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from dashboards import words
from dashboards.filters import ARGUMENTS, FILTERS, NAMES, TEXTS, empty
from dashboards.in_words import FIGURES_IN_WORDS, in_words, quoted

# The tab of two versions: its own filters, and what why() and why_figures() are called with.
VERSIONS = (
    FILTERS
    + """
{%- set versions = requested_versions(
    filter_values('from_version', remove_filter=True),
    filter_values('to_version', remove_filter=True)
) -%}
"""
)

COMPARED = ARGUMENTS.replace(
    "(\n",
    """(
    {{ texts([versions.first]) }},
    {{ texts([versions.last]) }},
""",
    1,
)

VERSION_COLUMNS = "cast(null as varchar) as from_version, cast(null as varchar) as to_version"

# What moved the figures. Where there are no two versions, there are no rows of these columns.
MOVES = f"""
{{%- set moves -%}}
    {{%- if versions.is_comparable -%}}
        why{COMPARED}
    {{%- else -%}}
        (
            select
                '' as figure, '' as entity,
                '' as message_id, '' as order_id, '' as customer_id, '' as user_id,
                cast(0 as decimal(38, 2)) as before,
                cast(0 as decimal(38, 2)) as after,
                cast(0 as decimal(38, 2)) as difference,
                false as was_settled,
                {{{{ dialect.no_texts() }}}} as causes,
                {{{{ dialect.no_texts() }}}} as changed_fields,
                {{{{ dialect.no_files() }}}} as files
            where false
        )
    {{%- endif -%}}
{{%- endset -%}}
"""


def _said(code: str, meanings: Mapping[str, str]) -> str:
    """A code in words; one that has none stays as it is."""
    cases = " ".join(
        f"when {quoted(name)} then {quoted(meaning)}" for name, meaning in sorted(meanings.items())
    )
    return f"case {code} {cases} else {code} end"


def _joined(codes: str, code: str, meanings: Mapping[str, str]) -> str:
    """Codes of a list in words."""
    joined = f"{{{{ dialect.joined('{codes}', '{code}', said) }}}}"
    return f"{{% set said %}}{_said(code, meanings)}{{% endset %}}{joined}"


# One row: the versions that are compared, and whether anything differs.
VERSIONS_COMPARED = f"""{VERSIONS}{MOVES}
select
    {{{{ texts([versions.said]) }}}} as compared,
    {{% if versions.is_comparable %}}
    (
        select
            case
                when count(*) = 0 then 'Nothing differs in these days, queues and agents'
                else
                    count(*) || case when count(*) = 1 then ' difference: ' else ' differences: ' end
                    || count(*) filter (where not moves.was_settled) || ' by growth, '
                    || count(*) filter (where moves.was_settled) || ' by restatement'
            end
        from {{{{ moves }}}} as moves
    )
    {{% else %}}
    ''
    {{% endif %}} as outcome,
    {empty()},
    {VERSION_COLUMNS}"""


FIGURE_ROWS = ",\n    ".join(
    f"({place}, '{name}', {quoted(words.LABELS[name])}, '{kind}')"
    for place, (name, kind) in enumerate(FIGURES_IN_WORDS.items(), start=1)
)

CHANGED_FIGURES = f"""{VERSIONS}
select
    shown.place,
    shown.label as "Figure",
    {in_words("figures.before", "shown.kind")} as "Before",
    {in_words("figures.after", "shown.kind")} as "After",
    {in_words("figures.growth", "shown.kind", is_difference=True)} as "Growth",
    {in_words("figures.restatement", "shown.kind", is_difference=True)} as "Restatement",
    {empty()},
    {VERSION_COLUMNS}
from (
    values
    {FIGURE_ROWS}
) as shown (place, figure, label, kind)
inner join
    {{%- if versions.is_comparable %}}
    why_figures{COMPARED}
    {{%- else %}}
    (
        select '' as figure, 0.0 as before, 0.0 as after, 0.0 as growth, 0.0 as restatement
        where false
    )
    {{%- endif %}} as figures
    on shown.figure = figures.figure"""


def _behind_the_changes(*figures: str) -> str:
    """A dataset of what moved these figures, a row for each figure and message, order, customer or agent."""
    return f"""{VERSIONS}{MOVES}
select
    row_number() over (
        order by
            abs(moves.difference) desc, moves.figure, moves.entity,
            moves.order_id, moves.message_id, moves.customer_id, moves.user_id
    ) as place,
    {_said("moves.figure", words.LABELS)} as "Figure",
    case moves.entity
        when 'message' then 'Message ' || moves.message_id
        when 'order' then 'Order ' || moves.order_id
        when 'customer' then 'Customer ' || moves.customer_id
        else 'Agent ' || coalesce(agents.agent, moves.user_id)
    end as "What",
    moves.before,
    moves.after,
    moves.difference,
    case when moves.was_settled then 'Restatement' else 'Growth' end as "Kind",
    {_joined("moves.causes", "cause", words.CAUSES)} as "Why",
    {_joined("moves.changed_fields", "field", words.FIELDS)} as "Changed fields",
    {{{{ dialect.paths('moves.files') }}}} as "Files",
    {empty()},
    {VERSION_COLUMNS}
from {{{{ moves }}}} as moves
left join {NAMES["agent"]} as agents on moves.user_id = agents.user_id
where moves.figure in ({", ".join(quoted(figure) for figure in figures)})"""


# In two datasets, because amounts are formatted as money and sorted as numbers.
AMOUNTS = ("revenue_generated", "revenue_refunded", "revenue_credited")
COUNTS = (
    *("messages_sent", "messages_skipped", "messages_in_open_window", "customers_messaged"),
    *("customers_converted", "orders_generated", "active_users"),
)

# What is chosen from, not what is chosen: so that each choice can be changed.
VERSIONS_TO_CHOOSE = (
    TEXTS
    + """
select place, name as from_version, name as to_version
from (
    values
    (0, '')
    {%- for name in requested_versions([], []).choices %}
    , ({{ loop.index }}, {{ texts([name]) }})
    {%- endfor %}
) as choices (place, name)
where place > 0"""
)


DATASETS_OF_CHANGES = {
    "versions_compared": VERSIONS_COMPARED,
    "changed_figures": CHANGED_FIGURES,
    "changed_amounts": _behind_the_changes(*AMOUNTS),
    "changed_counts": _behind_the_changes(*COUNTS),
    "versions_to_choose": VERSIONS_TO_CHOOSE,
}
