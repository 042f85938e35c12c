"""What holds for every asset: whom to ask about it, and from when on it is late."""

from datetime import timedelta

import dagster as dg

OWNERS = ["team:data-engineering"]

# The schedule runs daily: what is older than a day and some hours for the refresh is late. A refresh that
# finds nothing new counts, so an empty day is not a missing run.
STALE_AFTER = timedelta(hours=36)
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=STALE_AFTER, warn_window=timedelta(hours=26))
