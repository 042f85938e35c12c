"""The line by which a refresh says that figures of settled days are other than before.

Belongs here: what is counted, and its words. Does not belong here: the rows behind it (printed_why.py), and
what counts as settled, which the published table `restatements` says.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.sql import one_row

WORDS_OF_ORDERS = {
    "order_cancelled": "cancelled",
    "order_changed": "corrected",
    "order_refunded": "refunded",
    "order_reinstated": "reinstated",
    "order_new": "added",
    "order_removed": "removed",
}
WORDS_OF_MESSAGES = {
    "message_late": "late",
    "message_changed": "corrected",
    "message_removed": "removed",
    "message_new": "added",
}
WORDS_OF_OTHERS = {
    "setting_changed": "the settings changed",
    "software_changed": "the software changed",
    "as_of_moved": "the as-of day moved",
}

LAST_VERSION = """
    select version, settings.currency from versions order by version desc limit 1
"""

# The revenue is the credited one, which adds up over days: an order counts once, whatever touches it.
DAYS = """
    with settled as (

        select * from restatements where to_version = ? and was_settled

    )

    select
        (
            select count(distinct day)
            from (select unnest([message_date_before, message_date_after]) as day from settled)
        ) as days,
        coalesce(
            sum(
                if(is_last_touch_after, order_value_after, 0)
                - if(is_last_touch_before, order_value_before, 0)
            ),
            0
        ) as moved
    from settled
"""

CAUSES = """
    select
        cause,
        count(distinct order_id),
        count(distinct message_id) filter (entity = 'message')
    from (
        select entity, message_id, order_id, unnest(causes) as cause
        from restatements
        where to_version = ? and was_settled
    )
    group by cause
"""


def restated_days(published: Path) -> str | None:
    """How many settled days the last version changed, by how much and why; None when it changed none.

    Args:
        published: the published file.
    """
    with duckdb.connect(str(published), read_only=True) as connection:
        version, currency = one_row(connection, LAST_VERSION)
        days, moved = one_row(connection, DAYS, [version])
        counts = {
            cause: (orders, messages)
            for cause, orders, messages in connection.execute(CAUSES, [version]).fetchall()
        }
    if not days:
        return None
    orders = {cause: of_orders for cause, (of_orders, _) in counts.items()}
    messages = {cause: of_messages for cause, (_, of_messages) in counts.items()}
    why = [*_phrases("order", WORDS_OF_ORDERS, orders), *_phrases("message", WORDS_OF_MESSAGES, messages)]
    why += [words for cause, words in WORDS_OF_OTHERS.items() if cause in counts]
    return (
        f"{days:,} settled day{'s' if days > 1 else ''} changed by {'+' if moved > 0 else ''}{moved:,.2f} "
        f"{currency}: {', '.join(why)}; see make why"
    )


def _phrases(noun: str, words: dict[str, str], counts: dict[str, int]) -> list[str]:
    """What became of so many events, such as "2 orders cancelled", "1 corrected"; the noun stands once.

    A message that is no settled one itself can take over the credit of one: then no number is told.
    """
    found = [(words[cause], counts[cause]) for cause in words if cause in counts]
    if not found:
        return []
    (first, count), *others = found
    nouns = noun if count == 1 else f"{noun}s"
    return [f"{count:,} {nouns} {first}" if count else f"{first} {nouns}"] + [
        f"{count:,} {word}" if count else word for word, count in others
    ]
