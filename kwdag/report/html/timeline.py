"""When which job ran where: every job gets a lane of its host, so that no two bars overlap.

Pure functions on a table of jobs; drawing is the page's business.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kwdag.report.html import encode, links
from kwdag.report.labels import clean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Beyond this many bars those that are too short to be seen apart are drawn as one.
MOST_BARS = 40_000
_SLOTS = 4000


def timeline(jobs: pd.DataFrame, page_folder: str) -> dict[str, Any] | None:
    """The bars as columns for the page, None where no job recorded its times.

    Columns: `start` and `stop` in seconds since the first start, `lane` (0 at the top), `node`, `state`,
    `count` of jobs in the bar, `job` and its directory (of the first).
    """
    import numpy as np

    rows = jobs[_finite(jobs, "start") & _finite(jobs, "stop")]
    if rows.empty:
        return None
    host = rows["host"] if "host" in rows else rows["node"].map(lambda _: "")
    rows = rows.assign(
        host=[clean(name) if isinstance(name, str) and name else "unknown host" for name in host]
    )
    rows = rows.sort_values(["host", "start", "stop"], kind="stable")
    origin = float(rows["start"].astype(float).min())
    start = rows["start"].to_numpy(float) - origin
    stop = np.maximum(rows["stop"].to_numpy(float) - origin, start)
    lanes, names = _lanes(rows["host"].tolist(), start, stop)
    bars = _merged(rows, start, stop, lanes) if len(rows) > MOST_BARS else None
    return _encoded(rows, start, stop, lanes, bars, page_folder) | {"origin": origin, "hosts": names}


def _finite(jobs: pd.DataFrame, name: str) -> pd.Series:
    import numpy as np
    import pandas as pd

    if name not in jobs:
        return pd.Series(False, index=jobs.index)
    values = pd.to_numeric(jobs[name], errors="coerce").to_numpy(float, na_value=np.nan)
    return pd.Series(np.isfinite(values), index=jobs.index)


def _lanes(
    hosts: Sequence[str], start: np.ndarray[Any, Any], stop: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], list[tuple[str, int, int]]]:
    """The lane of each bar, and (host, its first lane, the one after its last); bars come by host and start.

    A bar takes the lowest lane that is free, which needs the fewest lanes (interval partitioning).
    """
    import numpy as np

    lanes = np.empty(len(start), dtype=np.int64)
    spans: list[tuple[str, int, int]] = []
    first, busy, free, top = 0, [], [], 0  # type: ignore[var-annotated]
    for i, host in enumerate(hosts):
        if i == 0 or host != hosts[i - 1]:
            first, busy, free = top, [], []
            spans.append((host, first, first))
        while busy and busy[0][0] <= start[i]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            heapq.heappush(free, top)
            top += 1
        lanes[i] = heapq.heappop(free)
        heapq.heappush(busy, (float(stop[i]), int(lanes[i])))
        spans[-1] = (host, first, top)
    return lanes, spans


def _merged(
    rows: pd.DataFrame, start: np.ndarray[Any, Any], stop: np.ndarray[Any, Any], lanes: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """The number of the bar of each job: neighbours in a lane of one node and state that share a slot."""
    import numpy as np
    import pandas as pd

    slot = np.floor(start / max(float(stop.max()), 1e-9) * _SLOTS).astype(np.int64)
    texts = [pd.factorize(rows[name].to_numpy(object))[0] for name in ("node", "state") if name in rows]
    keys = dict(enumerate([lanes, slot, *texts]))
    return pd.DataFrame(keys).groupby(list(keys), sort=False).ngroup().to_numpy()


def _encoded(
    rows: pd.DataFrame,
    start: np.ndarray[Any, Any],
    stop: np.ndarray[Any, Any],
    lanes: np.ndarray[Any, Any],
    bars: np.ndarray[Any, Any] | None,
    page_folder: str,
) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({"start": start, "stop": stop, "lane": lanes, "n": 1})
    for name in ("node", "state", "host", "job_id", "dpath"):
        values = rows[name].tolist() if name in rows else [""] * len(rows)
        frame[name] = pd.Series(values, dtype=object)  # text of other kinds must be good UTF-8
    if bars is not None:
        how = dict.fromkeys(frame.columns, "first") | {"start": "min", "stop": "max", "n": "sum"}
        frame = frame.groupby(bars, sort=False).agg(how)
    job_ids = [clean(name) for name in frame["job_id"]]
    return {
        "start": encode.floats(frame["start"].to_numpy(np.float64)),
        "stop": encode.floats(frame["stop"].to_numpy(np.float64)),
        "lane": encode.packed(frame["lane"].to_numpy(np.int64), int(lanes.max()) + 1),
        "count": encode.packed(frame["n"].to_numpy(np.int64), int(frame["n"].max()) + 1),
        "node": encode.texts([clean(name) for name in frame["node"]]),
        "state": encode.texts([clean(name) for name in frame["state"]]),
        "job": encode.texts(job_ids),
        "folders": links.folders(frame["dpath"].tolist(), job_ids, page_folder),
    }
