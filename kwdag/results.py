"""Job directories to columns: the parameters and metrics of every done job of a node, and what has no row.

Reads only, but for the cache, and knows nothing of ranks; a damaged result never stops the rest.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from kwdag.columns import JOB_NUMBERS, JOB_TEXTS, OWN_COLUMNS, STATE_COLUMNS, Columns
from kwdag.forked import forked_map, is_safe
from kwdag.job_reading import Job, Reading, Skipped, has_metrics, read
from kwdag.loading import ResultFile
from kwdag.result_cache import ResultCache, open_cache

#: Told of progress: jobs read so far, and jobs in all.
Progress = Callable[[int, int], None]

#: So many results are read by several processes: for fewer it does not pay to start them.
MANY = 2_000
_PROBES = 10
_BATCH = 512


@dataclass(slots=True)
class NodeResults:
    """What the jobs of one node have come to.

    Attributes:
        columns: a row for each done job.
        absent: for each other job its `state`, the `reason` and what is known of its parameters.
        states: how many jobs are in which state; `damaged` are those that should have a row.
        skipped: path and reason of each damaged one.
        caches: what is worth remembering; whoever is content with the results calls ``remember``.
    """

    columns: Columns = field(default_factory=lambda: Columns(always=(*OWN_COLUMNS, *JOB_NUMBERS, *JOB_TEXTS)))
    absent: Columns = field(default_factory=lambda: Columns(always=(*OWN_COLUMNS, *STATE_COLUMNS)))
    states: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)
    caches: list[ResultCache] = field(default_factory=list)

    def remember(self) -> None:
        """Write down below each root what was read, where the disk allows it."""
        for one in self.caches:
            one.save()

    def add(self, node: str, job_id: str, dpath: str, found: Reading) -> None:
        """Count one job, as a row or as an absent one."""
        self.states[found.state] += 1
        own = {"node": node, "job_id": job_id, "dpath": dpath}
        if found.state == "done":
            self.columns.append(own | found.values)
            return
        self.absent.append(own | {"state": found.state, "reason": found.reason} | found.values)
        if found.state == "damaged":
            self.skipped.append(Skipped(dpath, str(found.reason)))


def load_node(
    node: str,
    jobs: Iterable[Job],
    *,
    need_metrics: bool = True,
    io_workers: int | None = None,
    cache: bool = False,
    progress: Progress | None = None,
) -> NodeResults:
    """One row for each done job of ``node``, in order of job ids.

    Args:
        need_metrics: set a done job without any ``metrics.*`` aside instead of giving it a row.
        io_workers: how many read at a time, 0 for this process alone, None for as many as pay.
        cache: take what is remembered below each root, and read only what has changed since. What a hook of
            the user's returns is never remembered: nobody knows what it depends on.
        progress: called now and then.
    """
    jobs = sorted(jobs, key=_place)
    caches = _caches(jobs, cache)
    results = NodeResults(caches=list(caches.values()))
    for n_read, (job, found) in enumerate(_readings(node, jobs, caches, io_workers), 1):
        if found.state == "done" and need_metrics and not has_metrics(found.values):
            found = found._replace(state="damaged", reason="its result holds no metrics")
        results.add(node, job.job_id, job.dpath, found)
        if progress is not None and (n_read % _BATCH == 0 or n_read == len(jobs)):
            progress(n_read, len(jobs))
    return results


def reports_metrics(node: str, jobs: Iterable[Job]) -> bool:
    """Whether the first of the ``jobs`` that can be read has metrics; gives up after ten."""
    found = (read(node, job) for job in islice(jobs, _PROBES))
    return has_metrics(next((one.values for one in found if one.state == "done"), {}))


def _place(job: Job) -> tuple[str, str]:
    return job.job_id, job.dpath


def _root(job: Job) -> str:
    return job.dpath.rsplit("/", 2)[0]


def _caches(jobs: Iterable[Job], wanted: bool) -> dict[str, ResultCache]:
    """Root -> what is remembered below it, where a declared file is read and not a hook."""
    files = {_root(job): job.load for job in jobs if wanted and isinstance(job.load, ResultFile)}
    return {root: open_cache(root, file) for root, file in files.items()}


def _readings(
    node: str, jobs: Sequence[Job], caches: Mapping[str, ResultCache], workers: int | None
) -> Iterator[tuple[Job, Reading]]:
    """Each job with what is remembered of it, else with what it holds."""
    mine = [caches.get(_root(job)) for job in jobs] if caches else [None] * len(jobs)
    known = [
        cache is not None and cache.holds(job.job_id, job.dpath)
        for job, cache in zip(jobs, mine, strict=True)
    ]
    unknown = [job for job, is_known in zip(jobs, known, strict=True) if not is_known]
    for one in caches.values() if unknown else ():
        one.starts_reading()
    fresh = iter(_map(partial(read, node), unknown, workers))
    for job, cache, is_known in zip(jobs, mine, known, strict=True):
        if cache is not None and is_known:
            yield job, Reading("done", cache.values(job.job_id))
            continue
        found = next(fresh)
        if cache is not None and found.look is not None:
            cache.put(job.job_id, found.values, found.look)
        yield job, found


def _map(function: Callable[[Job], Reading], jobs: Sequence[Job], workers: int | None) -> Iterable[Reading]:
    """The results in order, made by processes where that is safe and pays, else by threads or one by one."""
    ours = all(isinstance(job.load, ResultFile) for job in jobs)
    if workers is None:
        # more than there are processors: a cold disk serves several at a time
        workers = 2 * (os.cpu_count() or 1) if ours and len(jobs) >= MANY and is_safe() else 0
    if workers > 0 and ours and is_safe():
        return forked_map(function, jobs, workers)
    return _in_threads(function, jobs, workers) if workers > 0 else map(function, jobs)


def _in_threads(function: Callable[[Job], Reading], jobs: Sequence[Job], workers: int) -> Iterator[Reading]:
    """A batch at a time, so that memory stays bounded."""
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(jobs), _BATCH):
            yield from pool.map(function, jobs[start : start + _BATCH])
