"""An observed variable at other times: linear between neighbours that are near enough on both sides.

Where observations come from does not belong here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MAXGAP_MINUTES = 65.0  # hourly observations, and one that comes a little late


def averaged(observations: pd.DataFrame) -> pd.DataFrame:
    """One row for each time, in order of time: the mean of the finite values there.

    Args:
        observations: columns `timestamp` (UTC) and `value`; others are left out.
    """
    import numpy as np

    known = observations.loc[np.isfinite(observations["value"].astype(float)), ["timestamp", "value"]]
    return known.astype({"value": float}).groupby("timestamp", sort=True).mean().reset_index()


def interpolate(observations: pd.DataFrame, at: pd.Series, maxgap: float = MAXGAP_MINUTES) -> np.ndarray:
    """The value at each time of ``at``, NaN where the last observation before it or the first after it is
    more than ``maxgap`` minutes away, or is none.

    A time that has its own observation gets it, whatever its neighbours are.

    Args:
        observations: columns `timestamp` (UTC) and `value`, in any order; see `averaged`.
        at: times in UTC.
    """
    import numpy as np

    points = averaged(observations)
    if points.empty:
        return np.full(len(at), np.nan)
    known, wanted = _seconds(points["timestamp"]), _seconds(at)
    after = np.searchsorted(known, wanted, side="left")
    before = np.searchsorted(known, wanted, side="right") - 1
    inside = (before >= 0) & (after < len(known))
    last = len(known) - 1
    gap = np.maximum(wanted - known[before.clip(0)], known[after.clip(max=last)] - wanted)
    values = np.interp(wanted, known, points["value"].to_numpy())
    return np.where(inside & (gap <= maxgap * 60), values, np.nan)


def _seconds(times: pd.Series) -> np.ndarray:
    """Seconds since 1970 in UTC, exact to a microsecond."""
    import pandas as pd

    return pd.to_datetime(times, utc=True).astype("datetime64[us, UTC]").astype("int64").to_numpy() / 1e6
