"""What `kwdag failures` says: each group of jobs that failed alike, what it goes with, and one example."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from kwdag import jobdir
from kwdag.culprits import Culprit
from kwdag.failures import Failures, Group, log_path
from kwdag.report.labels import clean, plural, relative, shortened, value_text
from kwdag.report.tables import WIDTH

_LONGEST_VALUE = 60
_INDENT = "   "


def failure_lines(
    found: Failures, lines: int = 5, most: int = 20, base: str | None = None, width: int = WIDTH
) -> Iterator[str]:
    """The report for people: the sum, then the groups, the largest first.

    Args:
        lines: last lines of the example's log.
        most: so many groups are shown.
    """
    if not found.groups:
        roots = ", ".join(relative(root, base) for root in found.roots)
        yield f"no job failed: {_count(found.jobs, 'job')} below {roots}"
        return
    ways = "in one way" if len(found.groups) == 1 else f"in {len(found.groups)} ways"
    waiting = f"; {_count(found.waiting, 'job')} cannot run because of them" if found.waiting else ""
    yield f"{found.failed:,} of {_count(found.jobs, 'job')} failed {ways}{waiting}"
    for number, group in enumerate(found.groups[:most], start=1):
        yield ""
        yield from _group(number, group, lines, base, width)
    hidden = found.groups[most:]
    if hidden:
        jobs = _count(sum(len(group.jobs) for group in hidden), "job")
        groups = plural("group", len(hidden))
        yield f"\nand {len(hidden):,} smaller {groups} with {jobs}; --most=N shows more"


def _group(number: int, group: Group, lines: int, base: str | None, width: int) -> Iterator[str]:
    nodes = ", ".join(f"{n:,} {node}" if len(group.nodes) > 1 else node for node, n in group.nodes.items())
    head = f"{number}. {_count(len(group.jobs), 'job')} of {nodes}: {clean(group.symptom)}"
    yield from _wrapped(head, width)
    yield from (line for text in notes(group, base) for line in _wrapped(_INDENT + text, width))
    example = group.jobs[0]
    yield f"{_INDENT}such as {relative(log_path(example), base)}"
    yield from (f"{_INDENT}| {_shown(line)}" for line in tail(group, lines))


def _shown(line: str) -> str:
    """A line of a log, indented as it is there."""
    line = line.expandtabs()
    return " " * (len(line) - len(line.lstrip())) + clean(line)


def _wrapped(text: str, width: int) -> list[str]:
    text = text.replace("(p < ", "(p\0<\0").replace("(p = ", "(p\0=\0")
    lines = textwrap.wrap(
        text, width, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\0", " ") for line in lines]


def tail(group: Group, lines: int) -> list[str]:
    """The last lines of the example's log."""
    return jobdir.tail(log_path(group.jobs[0]), lines) if lines else []


def notes(group: Group, base: str | None = None) -> Iterator[str]:
    """What is known of a group: the value that it goes with, and what waits for it."""
    if group.culprit is not None:
        yield accusation(group.culprit, base)
    elif len(group.jobs) == group.ended > 1:
        yield f"no job of {', '.join(group.nodes)} ended otherwise"
    if group.waiting:
        these = "this one" if len(group.jobs) == 1 else "these"
        yield f"and {_count(group.waiting, 'job')} {'waits' if group.waiting == 1 else 'wait'} for {these}"


def accusation(found: Culprit, base: str | None = None) -> str:
    """The values that jobs go with, how surely both ways, and how likely by chance."""
    values = _values(found.values.items(), base)
    part = f"all {found.size:,}" if found.inside == found.size else f"{found.inside:,} of {found.size:,}"
    if found.inside == found.having:
        others = (
            "and every job with it failed so"
            if len(found.values) == 1
            else "and every job with both failed so"
        )
        text = f"{part} have {values}, {others}"
    else:
        text = f"{part} have {values}, and {found.inside:,} of the {found.having:,} jobs with "
        text += ("it" if len(found.values) == 1 else "both") + " failed so"
    if found.always_with:
        text += f" (and so has {_values(found.always_with, base)})"
    return f"{text} ({chance(found.p)})"


def _values(pairs: Any, base: str | None) -> str:
    return " and ".join(
        f"{name}={shortened(value_text(value, base), _LONGEST_VALUE)}" for name, value in pairs
    )


def chance(p: float) -> str:
    """A probability in few digits.

    >>> chance(0.0312), chance(3e-7), chance(0.0)
    ('p = 0.031', 'p < 1e-6', 'p < 1e-9')
    """
    if p >= 0.001:
        return f"p = {p:.2g}"
    bound = next((f"1e-{n}" for n in range(9, 2, -1) if p < 10.0**-n), "0.001")
    return f"p < {bound}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {plural(word, number)}"


def failures_json(found: Failures, lines: int) -> dict[str, Any]:
    """The whole report for programs."""
    return {
        "roots": list(found.roots),
        "jobs": found.jobs,
        "failed": found.failed,
        "waiting": found.waiting,
        "groups": [_group_json(group, lines) for group in found.groups],
    }


def _group_json(group: Group, lines: int) -> dict[str, Any]:
    example = group.jobs[0]
    return {
        "symptom": group.symptom,
        "count": len(group.jobs),
        "nodes": dict(group.nodes),
        "ended": group.ended,
        "waiting": group.waiting,
        "culprit": group.culprit and _culprit_json(group.culprit),
        "example": {
            "id": example.job_id,
            "dpath": example.dpath,
            "reason": example.reason,
            "log_path": log_path(example),
            "log": tail(group, lines),
        },
        "jobs": [job.dpath for job in group.jobs],
    }


def _culprit_json(found: Culprit) -> dict[str, Any]:
    return {
        "values": dict(found.values),
        "always_with": dict(found.always_with),
        "inside": found.inside,
        "having": found.having,
        "precision": found.precision,
        "recall": found.recall,
        "p": found.p,
        "tried": found.tried,
    }
