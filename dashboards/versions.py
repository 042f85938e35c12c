"""Which two published versions are compared, and how they are said: by words, or by their instants.

Belongs here: the versions to choose from, and what two choices mean together. Does not belong here: what
differs between them, which the ledger knows; the SQL (datasets.py); the bar
(reports.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from dashboards.connection import Database
from dashboards.days import say_day

NEWEST = "The newest"
ONE_BEFORE = "The one before"
YESTERDAYS = "Yesterday's"

HAS_LEDGER = "select count(*) > 0 from information_schema.tables where table_name = 'versions'"

# The ledger leads to the last version that it does not link to the one before, and to all that followed.
KEPT_VERSIONS = """
select version, published_at, as_of
from versions
where version >= (select coalesce(max(version) filter (where not is_linked_to_previous), '') from versions)
order by version"""


class RequestedVersions(TypedDict):
    """What a template of a dataset reads: names of versions, and the sentence that the dashboard shows."""

    is_comparable: bool
    first: str
    last: str
    said: str
    choices: list[str]


@dataclass(frozen=True)
class Version:
    """A published version to which the ledger leads.

    Attributes:
        name: as in the table `versions`.
        published_at: when it was published, in the reporting zone.
        as_of: its as-of day.
    """

    name: str
    published_at: datetime
    as_of: date

    @property
    def instant(self) -> str:
        """When it was published, as people write it: 29 Nov 2026, 18:14:10."""
        return f"{say_day(self.published_at.date())}, {self.published_at:%H:%M:%S}"

    @property
    def said(self) -> str:
        """Its instant, and how far its data goes."""
        return f"{self.instant} (data up to {say_day(self.as_of)})"


@dataclass(frozen=True)
class PublishedVersions:
    """The versions that can be compared.

    Attributes:
        kept: the versions, the oldest one first.
        timezone: the reporting zone.
    """

    kept: Sequence[Version]
    timezone: str

    def choices(self) -> dict[str, Version]:
        """The versions by what they are called in the filter bar: words first, then the newest one first."""
        newest_first = list(reversed(self.kept))
        relative = dict(zip((NEWEST, ONE_BEFORE), newest_first, strict=False))
        if newest_first:
            day_before = newest_first[0].published_at.date() - timedelta(days=1)
            of_day_before = [each for each in newest_first if each.published_at.date() == day_before]
            relative.update(zip((YESTERDAYS,), of_day_before, strict=False))
        # Of one second, or of the hour that a clock repeats.
        versions_of_instant = Counter(version.instant for version in newest_first)
        instants = {
            version.instant
            if versions_of_instant[version.instant] == 1
            else f"{version.instant} ({version.name})": version
            for version in newest_first
        }
        return {**relative, **instants}

    def requested(self, first: Sequence[str], last: Sequence[str]) -> RequestedVersions:
        """The two versions that are compared.

        Args:
            first: the chosen version to compare from; none is the one before the newest.
            last: the chosen version to compare with; none is the newest.

        Returns:
            The versions. Where there are no two of them, or a choice names none, nothing is compared.
        """
        choices = self.choices()
        chosen = [", ".join(first) or ONE_BEFORE, ", ".join(last) or NEWEST]
        pair = [choices[choice] for choice in chosen if choice in choices]
        is_comparable = len(pair) == len(chosen)
        return {
            "is_comparable": is_comparable,
            "first": pair[0].name if is_comparable else "",
            "last": pair[1].name if is_comparable else "",
            "said": self._compared(*pair) if is_comparable else self._not_compared(chosen),
            "choices": list(choices),
        }

    def _compared(self, first: Version, last: Version) -> str:
        if first == last:
            return f"The version of {first.said} with itself, in {self.timezone}."
        return f"From the version of {first.said} to that of {last.said}, in {self.timezone}."

    def _not_compared(self, chosen: Sequence[str]) -> str:
        if not self.kept:
            return "Nothing is compared: what is published has no ledger. The next refresh begins one."
        unknown = [choice for choice in chosen if choice not in (*self.choices(), ONE_BEFORE)]
        if not unknown:
            return (
                f"Nothing is compared yet: the ledger has one version, of {self.kept[0].said}, in "
                f"{self.timezone}. What changed is shown from the next one on."
            )
        return (
            f"Nothing is compared: there is no version “{unknown[0]}”, or the ledger does not keep it any "
            "more. Choose one from the list."
        )


def read_requested_versions(
    database: Database,
) -> Callable[[Sequence[str], Sequence[str]], RequestedVersions]:
    """For the templates of the datasets: the versions that are requested of those published then."""
    engine = database.engine()

    def requested_versions(first: Sequence[str], last: Sequence[str]) -> RequestedVersions:
        with engine.connect() as connected:
            timezone: str = connected.exec_driver_sql("select timezone from report_info").scalar_one()
            has_ledger: bool = connected.exec_driver_sql(HAS_LEDGER).scalar_one()
            rows: Sequence[Any] = connected.exec_driver_sql(KEPT_VERSIONS).all() if has_ledger else []
        zone = ZoneInfo(timezone)
        kept = [
            Version(name, published_at.replace(tzinfo=UTC).astimezone(zone), as_of)
            for name, published_at, as_of in rows
        ]
        return PublishedVersions(kept, timezone).requested(first, last)

    return requested_versions
