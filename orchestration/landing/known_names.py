"""The names and values that systems export, for what the contract has: where a proposal begins.

Names are written as :func:`plain` has them, the likelier first. They are those of Shopify, WooCommerce,
Magento, BigCommerce, Square, Stripe, Twilio, Klaviyo, HubSpot and Segment, and of tills.

Belongs here: tables of names and values. Does not belong here: how a column is chosen (proposals.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What a column with the instant of a cancellation is named: where it has a value, the order is cancelled.
CANCELLED_AT = ("cancelledat", "canceledat", "cancelledon", "canceledon", "datecancelled", "voidedat")

_CREATED = ("createdat", "datecreatedgmt", "datecreated", "created", "createdon", "timestamp", "date")

_UPDATED = (
    *("updatedat", "datemodifiedgmt", "datemodified", "dateupdated", "lastmodified", "lastmodifieddate"),
    *("modifiedat", "updated", "hslastmodifieddate"),
)

KNOWN_NAMES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "orders": {
        "order_id": (
            *("orderid", "id", "ordernumber", "orderno", "incrementid", "transactionid", "receiptid"),
            *("receiptnumber", "receiptno", "invoicenumber", "paymentid", "belegnr", "bestellnr", "number"),
        ),
        "customer_id": (
            *("customerid", "email", "customeremail", "billingemail", "contactemail", "buyeremail"),
            *("customerreferenceid", "customer", "contactid", "clientid", "userid", "kundennr"),
        ),
        "ordered_at": (
            *("orderedat", "orderdate", "purchasedate", "purchasedat", "placedat", *_CREATED),
            *("processedat", "completedat", "transactiondate", "datetime", "datum"),
        ),
        "order_value": (
            *("ordervalue", "total", "totalprice", "currenttotalprice", "totalpricesetshopmoneyamount"),
            *("ordertotal", "grandtotalbase", "basegrandtotal", "grandtotal", "totalinctax", "totalincltax"),
            *("orderamount", "totalamount", "totalmoneyamount", "amounttotal", "amount", "totalcollected"),
            *("netsales", "grosssales", "revenue", "betrag", "summe", "umsatz"),
        ),
        "refunded_value": (
            *("refundedvalue", "refundedamount", "refundamount", "totalrefunded", "amountrefunded"),
            *("totalrefundedsetshopmoneyamount", "basetotalrefunded", "totalonlinerefunded"),
            *("refundedmoneyamount", "refundstotal", "refundsamount", "refundstransactionsamount"),
        ),
        "currency": (
            *("currency", "currencycode", "totalpricesetshopmoneycurrencycode", "ordercurrencycode"),
            *("basecurrencycode", "totalmoneycurrency", "presentmentcurrency", "währung"),
        ),
        "sales_channel": ("saleschannel", "source", "sourcename", "channel", "channelname", "orderchannel"),
        "status": (
            *(*CANCELLED_AT, "status", "orderstatus", "displayfinancialstatus", "financialstatus"),
            *("paymentstatus", "state", "vorgang"),
        ),
        "updated_at": _UPDATED,
    },
    "messages": {
        "message_id": (
            *("messageid", "id", "sid", "messagesid", "smsid", "eventid", "activityid", "hsobjectid"),
            *("engagementid", "uuid"),
        ),
        "customer_id": (
            *("customerid", "profileid", "relationshipsprofiledataid", "profiledataid", "contactid"),
            *("recipientid", "subscriberid", "recipientsid", "to", "tonumber", "recipient", "email"),
            *("contactemail", "phone", "phonenumber", "customer", "userid"),
        ),
        "queue_id": ("queueid", "queue", "queuename", "worklist", "worklistid", "taskqueue"),
        "user_id": (
            *("userid", "agentid", "agent", "agentname", "hubspotownerid", "ownerid", "owner", "senderid"),
            *("sender", "teammember", "employeeid", "employee", "staffid", "assignee", "from", "fromnumber"),
        ),
        "status": (
            *("status", "messagestatus", "hscommunicationstatus", "outcome", "disposition", "result"),
            *("event", "eventname", "action"),
        ),
        "occurred_at": (
            *("occurredat", "datetime", "sentdate", "datesent", "hstimestamp", "timestamp", "sentat"),
            *("senttime", "eventdate", *_CREATED),
        ),
        "updated_at": _UPDATED,
    },
}

# Too general to say anything at the end of a path.
GENERAL_NAMES = {
    *("id", "date", "total", "amount", "status", "state", "source", "number", "created", "to", "from"),
    *("event", "action", "result", "timestamp", "currency", "customer", "channel"),
}

# What an event is wrapped in.
WRAPPERS = {"attributes", "properties", "data", "node", "object", "fields", "record"}

# Columns with the time of day beside one with the day.
TIME_NAMES = ("time", "ordertime", "purchasetime", "senttime", "timeofday", "uhrzeit", "heure", "hora")

# Amounts under these names are whole cents where systems hand them over as whole numbers.
CENTS_NAMES = {
    *("amount", "amounttotal", "amountreceived", "amountcaptured", "amountrefunded", "totalmoneyamount"),
    *("refundedmoneyamount",),
}

DIRECTION = "direction"
OUTBOUND = "outbound"

# The words of a status, for what the contract has.
STATUS_WORDS: Mapping[str, Mapping[str, str]] = {
    "orders": {
        **dict.fromkeys(
            (
                *("paid", "complete", "completed", "processing", "succeeded", "success", "closed", "shipped"),
                *("fulfilled", "delivered", "authorized", "captured", "refunded", "hold", "open", "placed"),
                *("verkauf",),
            ),
            "placed",
        ),
        **dict.fromkeys(
            (
                *("canceled", "cancelled", "voided", "void", "failed", "declined", "expired", "trash"),
                *("pending", "unpaid", "storno"),
            ),
            "cancelled",
        ),
    },
    "messages": {
        **dict.fromkeys(("sent", "delivered", "undelivered", "read", "completed", "done"), "sent"),
        **dict.fromkeys(("skipped", "skip", "dismissed"), "skipped"),
    },
}

# The words of a sales channel that is no online one.
IN_STORE_WORDS = {"pos", "retail", "store", "instore", "till", "kiosk", "terminal"}
ONLINE_WORDS = {"online", "web", "website", "ecommerce", "app", "mobile"}


def plain(name: str) -> str:
    """A name as the tables have it: its letters and digits in lower case."""
    return re.sub(r"[\W_]", "", name).lower()


def words_of(value: str) -> set[str]:
    """The words of a value."""
    return set(re.split(r"[\W_]+", value.lower()))
