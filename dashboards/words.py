"""The words of the dashboard, for people who have never seen a table.

Belongs here: labels, explanations, and what Superset's own buttons are called here. Does not belong here:
what a figure is exactly, which the comments of the published file say for analysts.
"""

from __future__ import annotations

from typing import Any

from dashboards.days import DEFAULT_PERIOD

LABELS = {
    "messages_sent": "Messages sent",
    "messages_skipped": "Messages skipped",
    "customers_messaged": "Customers messaged",
    "customers_converted": "Customers converted",
    "conversion_rate": "Conversion rate",
    "orders_generated": "Orders generated",
    "revenue_generated": "Revenue generated",
    "revenue_refunded": "Revenue refunded",
    "revenue_credited": "Revenue credited",
    "active_users": "Active users",
    "revenue_per_message": "Revenue per message",
    "messages_in_open_window": "Messages still open",
    "share_of_all_revenue": "Share of all revenue",
}

# What a figure of the days before is called beside that of the days.
OF_THE_BASE = "{figure}, days before"

COLUMNS = {
    "ordered_at": "Ordered at (UTC)",
    "order_value": "Order value",
    "refunded_value": "Refunded",
    "messages_before": "Messages before it",
    "queue": "Queue",
    "agent": "Agent",
    "days_shown": "Days shown",
    "data_up_to": "Data",
    "refreshed": "Last refresh",
    "timezone": "Time zone",
    "before": "Before",
    "after": "After",
    "difference": "Difference",
    "compared": "Versions",
    "outcome": "Outcome",
}


def figure_of(name: str) -> str:
    """The figure that a column holds, of the days or of their base."""
    return name.removesuffix("_base")


def label(name: str) -> str:
    """What a column or a metric is called."""
    if (figure := figure_of(name)) != name:
        return OF_THE_BASE.format(figure=LABELS[figure])
    return LABELS.get(name) or COLUMNS.get(name) or name.replace("_", " ").capitalize()


# What moved a figure, by the codes of the ledger.
CAUSES = {
    "message_new": "message is of a new day",
    "message_late": "message landed late",
    "message_changed": "message changed",
    "message_removed": "message removed",
    "order_new": "order is new",
    "order_changed": "order changed",
    "order_cancelled": "order cancelled",
    "order_reinstated": "order reinstated",
    "order_refunded": "order refunded",
    "order_removed": "order removed",
    "as_of_moved": "window closed or opened with the as-of day",
    "setting_changed": "setting changed",
    "software_changed": "software changed",
}

# The fields of messages and orders, by their names in the ledger.
FIELDS = {
    "customer_id": "customer",
    "queue_id": "queue",
    "user_id": "agent",
    "status": "status",
    "occurred_at": "time of the message",
    "ordered_at": "time of the order",
    "sales_channel": "channel",
    "order_value": "order value",
    "refunded_value": "refund",
}

# What each figure means, in a sentence or two. {days} is the length of the attribution window.
MEANINGS = {
    "messages_sent": "How many messages were sent. Skipped messages do not count.",
    "messages_skipped": "How many messages were skipped instead of sent.",
    "customers_messaged": "How many customers were sent a message. Each counts once, however many messages.",
    "customers_converted": "How many of the customers messaged ordered within {days} days after a message.",
    "conversion_rate": "The share of the customers messaged who ordered within {days} days after a message.",
    "orders_generated": "How many orders came within {days} days after a message to the same customer. Each "
    "counts once, however many messages came before it. Cancelled orders do not count.",
    "revenue_generated": "The value of the orders generated, each counted once. An order that came after "
    "messages of two queues or agents is in the row of both, and once in the total.",
    "revenue_refunded": "What was refunded of the orders generated.",
    "revenue_credited": "The value of the orders, each credited to the last message before it and no other. "
    "The rows of queues and agents add up to the total.",
    "active_users": "How many agents sent at least one message. Messages without an agent count for nobody.",
    "revenue_per_message": "Revenue generated divided by messages sent.",
    "messages_in_open_window": "How many of the messages were sent less than {days} days before the end of "
    "the data. Orders can still follow them, so their figures can still rise.",
    "share_of_all_revenue": "The part of the value of all orders of these days that is credited to a "
    "message, by the day of the order. With queues or agents chosen: to one of their messages.",
}

# What the columns and rows of a comparison of two versions mean.
CHANGES = {
    "Version": "What was published at an instant, and shown from then on. The tab keeps to the versions that "
    "it names until a filter is changed or the page is loaded again.",
    "Settled": "Of a message: its {days} days had passed at the end of the data of the earlier version.",
    "Growth": "What came through messages that were not settled at the earlier version, or of later days. "
    "Figures of recent days grow.",
    "Restatement": "The rest: what became of settled messages, as when an order is cancelled or corrected.",
    "Growth and restatement": "Together they are the difference of the figure. Of a rate they are percentage "
    "points (pp).",
}

# Beside the big figures, short enough for a phone.
SUBTITLES = {
    "messages_sent": "skipped messages not counted",
    "revenue_generated": "ordered within {days} days after a message",
    "conversion_rate": "of the customers messaged ordered within {days} days",
    "messages_in_open_window": "sent less than {days} days ago: orders can follow",
    "active_users": "agents who sent a message",
    "revenue_per_message": "revenue generated divided by messages sent",
    "share_of_all_revenue": "of all orders, by the day of the order",
}

# What can be done, beside the filters and the tables.
HINTS = {
    "Period": f"Every period ends with the last complete day. Without a choice: {DEFAULT_PERIOD.lower()}.",
    "From": "The first day, itself included. Choose one of the period, or type it as in 12 Nov 2026.",
    "To": "The last day, itself included. Choose one of the period, or type it as in 12 Nov 2026.",
    "Queues": "Without a choice: all of them.",
    "Agents": "Without a choice: all of them.",
    "From version": "The version to compare from. Without a choice: the one before the newest. “Yesterday's” "
    "is the last one of the day before that of the newest.",
    "To version": "The version to compare with. Without a choice: the newest.",
    "changed amounts": "Each order that moved revenue, the largest difference first.",
    "changed counts": "Each message, order, customer and agent that counts and did not, or did and does not.",
    "breakdown": "Click a row to see only its orders in the table below; click it again to see all.",
    "days": "The pale line: as many days just before, side by side with these. Point at a day for its "
    "figures and those of the day beside it.",
    "members": "The agents with the most messages have a line each. Beyond {lines}, the others share one.",
    "orders": "Each order that came after a message, once, the newest first. Below: the total of all pages.",
}

NOTHING = "-"

# Superset's own words, and what they are here.
SUPERSET = {
    # A figure that no message makes, such as a rate of no customers.
    "No data": NOTHING,
    "Clear all": f"Reset to {DEFAULT_PERIOD.lower()}",
}


def language_pack() -> dict[str, Any]:
    """The words as Superset's pages read them."""
    return {
        "domain": "superset",
        "locale_data": {
            "superset": {
                "": {"domain": "superset", "lang": "en", "plural_forms": "nplurals=2; plural=(n != 1)"},
                **{words: [ours] for words, ours in SUPERSET.items()},
            }
        },
    }
