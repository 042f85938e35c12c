"""Which two versions the filter bar requests, and what is said of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from dashboards.connection import Database
from dashboards.versions import (
    NEWEST,
    ONE_BEFORE,
    YESTERDAYS,
    PublishedVersions,
    Version,
    read_requested_versions,
)

ZONE = "Europe/Berlin"


def published(*instants: datetime) -> PublishedVersions:
    """Versions of these instants, the oldest first, which are named v1, v2, ..."""
    kept = [
        Version(f"v{number}", instant.astimezone(ZoneInfo(ZONE)), date(2026, 10, 23 + number))
        for number, instant in enumerate(instants, start=1)
    ]
    return PublishedVersions(kept, ZONE)


# Two versions of the 23rd (the first one 23:30 in Berlin, the day before in UTC), two of the 24th.
VERSIONS = published(
    *(datetime(2026, 10, 22, hour, 30, tzinfo=UTC) for hour in (22, 23)),
    *(datetime(2026, 10, 24, hour, 0, tzinfo=UTC) for hour in (5, 6)),
)
NEXT_DAY = published(*(datetime(2026, 10, 23, hour, 30, tzinfo=UTC) for hour in (4, 21, 22, 23)))


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        ([], [], ("v3", "v4")),
        ([ONE_BEFORE], [NEWEST], ("v3", "v4")),
        (["23 Oct 2026, 00:30:00"], [], ("v1", "v4")),
        ([NEWEST], ["23 Oct 2026, 01:30:00"], ("v4", "v2")),
        ([YESTERDAYS], [], ("v2", "v4")),
    ],
)
def test_words_and_instants_name_versions(first: list[str], last: list[str], names: tuple[str, str]) -> None:
    requested = VERSIONS.requested(first, last)

    assert requested["is_comparable"]
    assert (requested["first"], requested["last"]) == names


def test_the_day_of_a_version_is_taken_in_the_reporting_zone() -> None:
    # Three of them are of one day in UTC, two in Berlin: yesterday's is the last one before midnight there.
    assert NEXT_DAY.requested([YESTERDAYS], [])["first"] == "v2"


def test_no_version_of_the_day_before_is_no_choice() -> None:
    assert (
        YESTERDAYS
        not in published(
            datetime(2026, 10, 21, 5, tzinfo=UTC), datetime(2026, 10, 24, 5, tzinfo=UTC)
        ).requested([], [])["choices"]
    )


def test_the_sentence_names_both_versions_and_how_far_their_data_goes() -> None:
    assert VERSIONS.requested([], [])["said"] == (
        "From the version of 24 Oct 2026, 07:00:00 (data up to 26 Oct 2026) to that of 24 Oct 2026, 08:00:00 "
        "(data up to 27 Oct 2026), in Europe/Berlin."
    )
    assert VERSIONS.requested([NEWEST], [])["said"].startswith("The version of 24 Oct 2026, 08:00:00 ")


def test_versions_of_one_reading_of_the_clock_are_told_apart() -> None:
    # The clocks of Berlin repeat the hour from 02:00 on.
    repeated = published(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))

    choices = repeated.requested([], [])["choices"]

    assert choices[2:] == ["25 Oct 2026, 02:30:00 (v2)", "25 Oct 2026, 02:30:00 (v1)"]
    assert repeated.requested(choices[3:], choices[2:3])["first"] == "v1"


@pytest.mark.parametrize(
    ("versions", "first", "said"),
    [
        (published(), [], "Nothing is compared: what is published has no ledger."),
        (published(datetime(2026, 10, 24, 5, tzinfo=UTC)), [], "Nothing is compared yet: the ledger has one"),
        (
            VERSIONS,
            ["1 Jan 2020, 00:00:00"],
            "Nothing is compared: there is no version “1 Jan 2020, 00:00:00”",
        ),
        (VERSIONS, [NEWEST, ONE_BEFORE], "Nothing is compared: there is no version “The newest, The one"),
    ],
)
def test_without_two_versions_nothing_is_compared_and_the_sentence_says_why(
    versions: PublishedVersions, first: list[str], said: str
) -> None:
    requested = versions.requested(first, [])

    assert not requested["is_comparable"]
    assert requested["said"].startswith(said)


def test_only_versions_to_which_the_ledger_leads_can_be_chosen(tmp_path: Path) -> None:
    file = tmp_path / "published.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create table report_info as select 'Europe/Berlin' as timezone, 'EUR' as currency"
        )
    requested_versions = read_requested_versions(Database.of_file(file, "100MB"))

    # As published by a version of this software that kept no ledger.
    assert requested_versions([], [])["choices"] == []

    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """
            create table versions as
            select
                'v' || number as version,
                timestamp '2026-10-23 22:00:00' + to_hours(number) as published_at,
                date '2026-10-23' as as_of,
                number not in (1, 3) as is_linked_to_previous
            from range(1, 5) as numbers (number)
            """
        )
    requested = requested_versions([], [])
    assert (requested["first"], requested["last"]) == ("v3", "v4")
    assert requested["choices"] == [
        *(NEWEST, ONE_BEFORE),
        *("24 Oct 2026, 04:00:00", "24 Oct 2026, 03:00:00"),
    ]
