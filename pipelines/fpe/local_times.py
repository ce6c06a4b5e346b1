"""Times as the clock on the station's wall shows them: its hours, months and dates.

Which of them a dataset keeps stands in rank_input.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipelines.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Window:
    """The times that count, both ends of each range included; a date of None sets no limit.

    Attributes:
        min_hour, max_hour: of the local clock; 7 to 18 lasts until 18:59:59.
        min_month, max_month: of the local calendar, 1 to 12.
        start, end: local dates.
    """

    min_hour: int = 7
    max_hour: int = 18
    min_month: int = 1
    max_month: int = 12
    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        for name in ("hour", "month"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low > high:
                raise BadInput(f"min-{name} {low} is after max-{name} {high}")


def zone(name: object) -> ZoneInfo:
    """The time zone of a station.

    Raises:
        BadInput: no such zone.
    """
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):  # not found; absolute or odd; a folder such as `America`
        raise BadInput(f"the station's time zone {name!r} is not known") from None


def within(times: pd.Series, window: Window, timezone: ZoneInfo) -> pd.Series:
    """Whether each time (UTC) lies in ``window`` by the local clock, daylight saving included."""
    local = times.dt.tz_convert(timezone)
    hours = local.dt.hour.between(window.min_hour, window.max_hour)
    months = local.dt.month.between(window.min_month, window.max_month)
    return hours & months & between_dates(times, window.start, window.end, timezone)


def between_dates(times: pd.Series, start: date | None, end: date | None, timezone: ZoneInfo) -> pd.Series:
    """Whether the local date of each time (UTC) is from ``start`` to ``end``; None sets no limit."""
    dates = local_dates(times, timezone)
    return (dates >= (start or date.min)) & (dates <= (end or date.max))


def local_dates(times: pd.Series, timezone: ZoneInfo) -> pd.Series:
    """The local date of each time (UTC), as `datetime.date`."""
    return times.dt.tz_convert(timezone).dt.date
