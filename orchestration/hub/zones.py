"""The time zones that a hub and its landing tables may name.

Belongs here: which names are zones. Does not belong here: what is done with a zone.
"""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

# Names among the zones that are none: each machine has another zone behind the first, and none behind the
# second.
NO_ZONES = {"localtime", "Factory"}


def is_zone(value: object) -> bool:
    """Whether a value is the name of an IANA zone that every engine knows."""
    if isinstance(value, str) and value in _known_zones():
        ZoneInfo(value)
        return True
    return False


@cache
def _known_zones() -> frozenset[str]:
    # It reads hundreds of files to find them.
    return frozenset(available_timezones() - NO_ZONES)
