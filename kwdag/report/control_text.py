"""What `why`, `diff`, `cancel` and `clean` say, as text and for programs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kwdag.cancel import Cancelled
from kwdag.clean import Doomed
from kwdag.compare import Difference
from kwdag.explain import Explanation, Finding
from kwdag.report.labels import plural
from kwdag.report.watch import duration

#: So many jobs are named in one place.
SHOWN = 10
_INDENT = 10


# -- why -------------------------------------------------------------------------------------------


def explanation_lines(found: Explanation) -> list[str]:
    """The state first, then what it rests on."""
    out = [str(found.job)]
    out += _labelled("next run", [found.next])
    out += _labelled("ran", _ran(found))
    out += _labelled("reads", _some(found.reads))
    direct = {one.job_id for one in found.reads}
    out += _labelled("behind", _some([one for one in found.troubles if one.job_id not in direct]))
    out += _labelled("folder", [found.dpath])
    return out + _labelled("log", [f"| {line}" for line in found.log])


def _labelled(label: str, lines: Iterable[str]) -> list[str]:
    """Lines in a column, the label beside the first."""
    return [f"  {label if i == 0 else '':<{_INDENT}}{line}" for i, line in enumerate(lines)]


def _some(findings: Sequence[Finding]) -> list[str]:
    """Jobs, those that are not done first; of many only the first."""
    ordered = sorted(findings, key=lambda one: one.state == "done")
    more = len(ordered) - SHOWN
    return [*map(str, ordered[:SHOWN]), *([f"and {more} more"] if more > 0 else [])]


def _ran(found: Explanation) -> list[str]:
    """When and where it ran last, or runs."""
    if found.holder:
        since = found.holder.get("since")
        began = f"since {_clock(since)}, {duration(time.time() - since)} ago, " if since else ""
        return [f"{began}process {found.holder.get('pid', '?')} on {_host(found.holder)}"]
    status = found.status
    if not status:
        return []
    parts = [_clock(status["start"])] if status.get("start") else []
    parts += [f"{status['wall']:.2f} s"] if status.get("wall") is not None else []
    parts += [f"on {_host(status)}"] if status.get("host") else []
    parts += [str(status["backend"])] if status.get("backend") else []
    parts += [f"attempt {status['attempt']}"] if status.get("attempt") else []
    parts += [f"exit code {status['exit_code']}"] if status.get("exit_code") is not None else []
    return [", ".join(parts)] if parts else []


def _host(entry: Mapping[str, Any]) -> str:
    return str(entry.get("host", "?")).partition("/")[0]


def _clock(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def explanation_json(found: Explanation) -> dict[str, Any]:
    """The whole explanation for programs."""
    names = "start", "stop", "wall", "host", "backend", "attempt", "exit_code"
    return {
        **asdict(found.job),
        "dpath": found.dpath,
        "next": found.next,
        "reads": [asdict(one) for one in found.reads],
        "troubles": [asdict(one) for one in found.troubles],
        "ran": {name: found.status[name] for name in names if name in found.status},
        "holder": dict(found.holder),
        "log": list(found.log),
    }


# -- diff ------------------------------------------------------------------------------------------


def difference_lines(found: Difference) -> Iterator[str]:
    """A block for each kind of difference, `-` what the first job has and `+` what the second has."""
    yield f"- {found.a}"
    yield f"+ {found.b}"
    for title, sides in found.sections.items():
        yield f"\n{title}"
        for name, have in sides.items():
            label = "" if title in ("state", "command") else f"{name}: "
            for side, mark in (("a", "-"), ("b", "+")):
                yield from (f"{mark} {label}{text}" for text in _values(have, side))
    if not found.sections:
        yield "\nnothing else differs"


def _values(have: Mapping[str, Any], side: str) -> list[str]:
    """What one side has, a line each."""
    if side not in have:
        return []
    value = have[side]
    # Ancestors and lines of a command come as lists of words, a parameter that is a list as itself.
    if isinstance(value, tuple):
        more = len(value) - SHOWN
        return [*value[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]


def difference_json(found: Difference) -> dict[str, Any]:
    """The whole difference for programs."""
    return {"a": found.a, "b": found.b, "differs": found.sections}


# -- cancel ----------------------------------------------------------------------------------------


def cancelled_lines(done: Cancelled, root: str) -> list[str]:
    """What was ended, and what was not."""
    out = _named("ended", done.ended)
    out += [f"{done.workers} {plural('worker', done.workers)} stopped"] if done.workers else []
    ids = " ".join(map(str, done.arrays))
    out += [f"{len(done.arrays)} Slurm {plural('array', len(done.arrays))} cancelled: {ids}"] * bool(ids)
    out += [f"may still run: {name} ({why})" for name, why in done.left.items()]
    return out or [f"nothing runs below {root}"]


def _named(word: str, ids: Sequence[str]) -> list[str]:
    more = [f"and {len(ids) - SHOWN} more"] if len(ids) > SHOWN else []
    return [f"{word} {one}" for one in ids[:SHOWN]] + more


def cancelled_json(done: Cancelled) -> dict[str, Any]:
    """The whole report for programs."""
    return asdict(done)


# -- clean -----------------------------------------------------------------------------------------


def doomed_lines(
    doomed: Sequence[Doomed], kept: Mapping[str, str], ran: bool, undecided: Sequence[str]
) -> list[str]:
    """The jobs with their reasons, the first of many, and the sum."""
    out = [f"{job.job_id}  {job.why}" for job in doomed[:SHOWN] if job.job_id not in kept]
    out += [f"and {len(doomed) - SHOWN} more"] if len(doomed) > SHOWN else []
    out += [f"kept {job_id}: {why}" for job_id, why in kept.items()]
    out += [f"kept all of {node}: some of its branches are not known yet" for node in undecided]
    gone = [job for job in doomed if job.job_id not in kept]
    if not gone:
        return [*out, "nothing to delete"]
    verb = "deleted" if ran else "would delete"
    nodes = ", ".join(f"{node} {count:,}" for node, count in Counter(job.node for job in gone).items())
    size = _size(sum(job.size for job in gone))
    out.append(f"{verb} {len(gone):,} {plural('job', len(gone))} ({nodes}), {size}")
    return out if ran else [*out, "--run=1 does it"]


def _size(count: float) -> str:
    """Bytes as a person reads them.

    >>> _size(12), _size(3_400_000)
    ('12 B', '3.4 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"


def doomed_json(
    doomed: Sequence[Doomed], kept: Mapping[str, str], ran: bool, undecided: Sequence[str]
) -> dict[str, Any]:
    """The whole report for programs."""
    return {
        "deleted": ran,
        "jobs": [asdict(job) for job in doomed if job.job_id not in kept],
        "kept": dict(kept),
        "undecided": list(undecided),
    }
