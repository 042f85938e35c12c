"""What the filter bar requests: days of both ends, and nothing where it cannot be read."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from dashboards.days import ALL_TIME, DEFAULT_PERIOD, LATER_TOO, PublishedDays, say_days

# The as-of day, the day of the first message, and one after the as-of day.
PUBLISHED = PublishedDays(date(2026, 11, 28), date(2026, 6, 2), date(2026, 11, 28))


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("Last 7 days", "2026-11-22", "2026-11-28"),
        ("Last 30 days", "2026-10-30", "2026-11-28"),
        ("Last 90 days", "2026-08-31", "2026-11-28"),
        ("Last 365 days", "2025-11-29", "2026-11-28"),
        ("This month", "2026-11-01", "2026-11-28"),
        ("Last month", "2026-10-01", "2026-10-31"),
        (ALL_TIME, "2026-06-02", "2026-11-28"),
    ],
)
def test_each_period_has_its_first_and_last_day(period: str, first: str, last: str) -> None:
    requested = PUBLISHED.requested([period], [], [])

    assert (requested["first"], requested["last"]) == (first, last)
    assert period in requested["periods"]


def test_without_a_choice_the_days_are_those_of_the_default_period_and_say_so() -> None:
    requested = PUBLISHED.requested([], [], [])

    assert requested == PUBLISHED.requested([DEFAULT_PERIOD], [], [])
    assert requested["said"] == "30 Oct - 28 Nov 2026, last 30 days"


@pytest.mark.parametrize("written", ["12 Nov 2026", "2026-11-12", " 12  nov 2026 "])
def test_one_day_is_that_day_however_it_is_written(written: str) -> None:
    requested = PUBLISHED.requested([ALL_TIME], [written], [written])

    assert (requested["first"], requested["last"]) == ("2026-11-12", "2026-11-12")
    assert requested["said"] == "12 Nov 2026, a part of “All time”"


def test_chosen_days_never_go_beyond_the_period() -> None:
    requested = PUBLISHED.requested(["Last 7 days"], ["1 Jan 2026"], ["1 Jan 2027"])

    assert (requested["first"], requested["last"]) == ("2026-11-22", "2026-11-28")


@pytest.mark.parametrize(
    ("period", "first", "last", "said"),
    [
        (
            "Last 7 days",
            "1 Nov 2026",
            "3 Nov 2026",
            "1 Nov - 3 Nov 2026 has no day in common with “Last 7 days”",
        ),
        (ALL_TIME, "12 Nov 2026", "11 Nov 2026", "12 Nov 2026 is after 11 Nov 2026"),
        (ALL_TIME, "31 Feb 2026", "12 Nov 2026", "“31 Feb 2026” is not a day"),
        ("Yesterday", "12 Nov 2026", "12 Nov 2026", "there is no period “Yesterday”"),
    ],
)
def test_what_cannot_be_shown_shows_nothing_and_says_why(
    period: str, first: str, last: str, said: str
) -> None:
    requested = PUBLISHED.requested([period], [first], [last])

    assert requested["first"] > requested["last"]
    assert requested["said"].startswith("No days: ")
    assert said in requested["said"]


def test_messages_after_the_as_of_day_are_in_no_period_but_one() -> None:
    later = PublishedDays(PUBLISHED.as_of, PUBLISHED.first, PUBLISHED.as_of + timedelta(days=40))

    ends = {period: last for period, (_, last) in later.periods().items()}

    assert ends.pop(LATER_TOO) == later.last
    assert max(ends.values()) == PUBLISHED.as_of
    assert LATER_TOO not in PUBLISHED.periods()


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (date(2026, 10, 29), date(2026, 11, 27), "29 Oct - 27 Nov 2026"),
        (date(2025, 11, 29), date(2026, 11, 28), "29 Nov 2025 - 28 Nov 2026"),
        (date(2026, 11, 5), date(2026, 11, 5), "5 Nov 2026"),
    ],
)
def test_days_are_said_as_people_say_them(first: date, last: date, said: str) -> None:
    assert say_days(first, last) == said


@pytest.mark.parametrize(
    ("period", "first", "last", "base"),
    [
        ("Last 30 days", [], [], "30 Sep - 29 Oct 2026"),
        (ALL_TIME, ["12 Nov 2026"], ["12 Nov 2026"], "11 Nov 2026"),
        # The base begins with the first day of all.
        (ALL_TIME, ["4 Jun 2026"], ["5 Jun 2026"], "2 Jun - 3 Jun 2026"),
    ],
)
def test_the_base_is_as_many_days_just_before(
    period: str, first: list[str], last: list[str], base: str
) -> None:
    requested = PUBLISHED.requested([period], first, last)

    assert requested["is_compared"]
    assert say_days(*map(date.fromisoformat, (requested["first_base"], requested["last_base"]))) == base
    assert requested["said_base"] == f"against {base}"


@pytest.mark.parametrize(
    ("period", "first", "said"),
    [
        ("Last 365 days", [], "not compared: messages begin on 2 Jun 2026"),
        (ALL_TIME, [], "not compared: messages begin on 2 Jun 2026"),
        ("Yesterday", [], "not compared"),
        (ALL_TIME, ["29 Nov 2026"], "not compared"),
    ],
)
def test_days_without_a_whole_base_are_not_compared(period: str, first: list[str], said: str) -> None:
    requested = PUBLISHED.requested([period], first, [])

    assert not requested["is_compared"]
    assert requested["said_base"] == said
