"""What stands below a table: which places are settled, who is on the Pareto front, who is left out.

Text only; each finding is made by a module of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from kwdag.metrics import Metric
from kwdag.pareto import pareto_front

if TYPE_CHECKING:
    import pandas as pd

#: So many hashids are named.
SHOWN = 5


def settled_lines(flags: Sequence[bool], absent: pd.DataFrame) -> Iterator[str]:
    """Which places, 1 for the best, no missing job can change; nothing where none is missing.

    ``flags`` in the order of the ranked rows, best last; ``absent`` are the missing jobs that matter to them.
    """
    if not len(absent) or not len(flags):
        return
    places = {True: [], False: []}  # type: dict[bool, list[int]]
    for place, settled in enumerate(reversed(list(flags)), 1):
        places[bool(settled)].append(place)
    why = f"{_jobs(len(absent))} without a result"
    if not places[False]:
        yield f"All places are settled, in spite of {why}."
    elif not places[True]:
        yield f"All places are open: {why} could change them."
    else:
        yield f"Settled: {_ranges(places[True])}. Open, for {why}: {_ranges(places[False])}."


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"


def _ranges(numbers: Iterable[int]) -> str:
    """Whole numbers with their runs drawn together.

    >>> _ranges([1, 2, 3, 7])
    'places 1-3 and 7'
    """
    numbers = list(numbers)
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    text = f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]
    return f"{'place' if len(numbers) == 1 else 'places'} {text}"


def pareto_lines(rows: pd.DataFrame, metrics: Sequence[Metric]) -> Iterator[str]:
    """The hashids on the Pareto front of two or more metrics, best last."""
    metrics = [metric for metric in metrics if metric.column in rows]
    if len(metrics) < 2 or not len(rows):
        return
    front = rows["param_hashid"][pareto_front(rows, metrics)].tolist()
    names = ", ".join(f"{metric.name} {'up' if metric.maximize else 'down'}" for metric in metrics)
    yield f"Pareto front ({names}): {len(front)} of {len(rows)}: {_some(list(dict.fromkeys(front))[::-1])}"


def left_out_lines(missing: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Who was not measured on all regions, by the regions that they lack."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for hashid, regions in missing.items():
        lacking.setdefault(tuple(regions), []).append(hashid)
    for regions, hashids in lacking.items():
        yield f"Left out, for want of {', '.join(regions)}: {_some(hashids)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
