"""What `kwdag schedule` says of a plan before it runs and after, as text and for programs.

It describes what was decided; it decides nothing, and only the dry run's script is written here.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from kwdag import bash_script, script
from kwdag.draw import draw
from kwdag.outlook import Outlook
from kwdag.plan import Job
from kwdag.render import token
from kwdag.report.labels import plural
from kwdag.scheduling import Schedule
from kwdag.state import count_kinds

#: So many commands are shown when nobody says how many; a drawing or a table longer than this is cut.
FEW = 3
MANY_VALUES = 6
INDENT = 12


def print_outlook(found: Schedule, *, queue: Any, varied: Any, commands: Any, will_run: bool,
                  skip_existing: bool) -> None:  # fmt: skip
    """Print what would run and why; for a dry run also the first commands and the script's path."""
    request, outlook = found.request, found.outlook
    out = [*_labelled("warning", request.warnings)]
    out += _labelled("pipeline", [_name(request.reference)])
    out += _labelled("plan", [_sentence(found)]) + _labelled("root", [request.root])
    if queue:
        out += ["", draw(request.wiring, node_notes(outlook)), ""]
    if varied:
        out += _labelled("varies", list(varied_lines(request.rows)))
    out += _labelled("open", _open(outlook))
    out += _labelled("disabled", _disabled(outlook))
    if outlook.selection.run or outlook.selection.blocked:
        out += _labelled("to run", reasons(outlook))
        if outlook.selection.done and not skip_existing:
            out += _labelled("done", [f"{_jobs(len(outlook.selection.done))}, not run again"])
    print("\n".join(out))
    if not will_run or commands is True:
        _print_commands(outlook, commands)
    sys.stdout.flush()


def _name(reference: Any) -> str:
    """A pipeline in one line."""
    if isinstance(reference, str) and "\n" not in reference:
        return reference
    return "given inline"


def _sentence(found: Schedule) -> str:
    plan = found.outlook.plan
    return f"{plan.n_rows:,} {plural('row', plan.n_rows)}, {_jobs(len(plan.jobs))}"


def _jobs(count: int) -> str:
    return f"{count:,} {plural('job', count)}"


def _labelled(label: str, lines: Iterable[str]) -> list[str]:
    return [f"{label if i == 0 else '':<{INDENT}}{line}" for i, line in enumerate(lines)]


def node_notes(outlook: Outlook) -> dict[str, str]:
    """For each node the number of its jobs in each state."""
    notes = {}
    for name, jobs in outlook.plan.by_node().items():
        kinds = count_kinds(outlook.states[job.id] for job in jobs)
        parts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
        notes[name] = _jobs(len(jobs)) + (f": {parts}" if parts else "")
    return notes


def varied_lines(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """A line for each key of the matrix that has more than one value."""
    values: dict[str, dict[Any, None]] = {}
    texts: dict[int, Any] = {}
    for row in rows:
        for key, value in row.items():
            text = texts.get(id(value))
            if text is None:
                text = texts[id(value)] = token(value)
            values.setdefault(key, {})[text] = None
    varied = {key: list(found) for key, found in values.items() if len(found) > 1}
    width = max(map(len, varied), default=0)
    for key, found in varied.items():
        some = ", ".join(_short(value) for value in found[:MANY_VALUES])
        yield f"{key:<{width}}  {len(found):,} values: {some}{', ...' if len(found) > MANY_VALUES else ''}"


def _short(value: Any, width: int = 32) -> str:
    text = repr(" ".join(value)) if isinstance(value, tuple) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= width else f"...{text[-width:]}"


def _open(outlook: Outlook) -> list[str]:
    """Nodes whose branches are not known yet, those of as many rows together."""
    alike: dict[int, list[str]] = {}
    for name, count in outlook.plan.open.items():
        alike.setdefault(count, []).append(name)
    return [
        f"branches of {count} row{'s' if count != 1 else ''} are not known yet: {', '.join(names)}"
        for count, names in alike.items()
    ]


def _disabled(outlook: Outlook) -> list[str]:
    counts = Counter(outlook.plan.jobs[job_id].node.name for job_id in outlook.selection.disabled)
    lines = [f"{name}: {_jobs(count)}" for name, count in counts.items()]
    return lines + [f"{name}: {count:,} {plural('row', count)}, not resolved"
                    for name, count in outlook.plan.skipped.items()]  # fmt: skip


def reasons(outlook: Outlook) -> list[str]:
    """How many jobs would run for which reason, and how many cannot."""
    selection = outlook.selection
    counts = Counter(_general(why) for why in selection.run.values())
    lines = [f"{_jobs(count)}: {why}" for why, count in counts.most_common(MANY_VALUES)]
    blocked = Counter(_general(why) for why in selection.blocked.values())
    return lines + [f"{count:,} blocked: {why}" for why, count in blocked.most_common(MANY_VALUES)]


def _general(why: str) -> str:
    """A reason without the ids in it, so that equal reasons count together."""
    import re

    return re.sub(r"(\S+)_id_[a-z2-7]{13}", r"\1", why)


def _print_commands(outlook: Outlook, commands: Any) -> None:
    jobs = [outlook.plan.jobs[job_id] for job_id in outlook.selection.run]
    if commands is True:
        shown, title = jobs, f"the commands of all {_jobs(len(jobs))}"
    else:
        # One of each node says more than several of the first one.
        shown = list({job.node.name: job for job in reversed(jobs)}.values())[::-1][:FEW]
        title = f"the commands of {len(shown)} of {_jobs(len(jobs))} (--print_commands=1 prints all)"
    if commands and jobs:
        _print_bash(f"\n# {title}\n" + "\n\n".join(_command(outlook, job) for job in shown))


def _command(outlook: Outlook, job: Job) -> str:
    return f"# {job.id}\n" + " \\\n    ".join(script.command_lines(outlook.plan, job))


def _print_bash(text: str) -> None:
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(text, "bash", theme="ansi_dark", background_color="default", word_wrap=True))


def script_path(root: str, queue_name: str) -> str:
    """Where the script of a dry run is written: in the user's cache, never below the root."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    mark = hashlib.sha256(root.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return os.path.join(cache, "kwdag", f"{queue_name.replace(os.sep, '_')}-{mark}.sh")


def _write_script(outlook: Outlook, path: str) -> None:
    jobs = [outlook.plan.jobs[job_id] for job_id in outlook.selection.run]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(bash_script.write_script(outlook.plan, jobs))


def ending(found: Schedule, queue_name: str) -> str:
    """The last lines: what became of the run, or how to start it."""
    count = len(found.outlook.selection.run)
    if found.ended:
        return _after(found)
    if found.left_alone:
        root = shlex.quote(found.request.root)
        return f"{_jobs(found.left_alone)} under way; look: kwdag status --watch {root}"
    if found.ran or not count:
        return f"\n{_nothing(found)}"
    path = script_path(found.request.root, queue_name)
    _write_script(found.outlook, path)
    return (
        f"\ndry run, nothing was changed; to run {_jobs(count)}, add --run=1\n"
        f"or, with bash alone: bash {shlex.quote(path)}"
    )


def _after(found: Schedule) -> str:
    counts = found.counts
    parts = ", ".join(
        f"{counts[state]:,} {state}" for state in ("done", "failed", "blocked") if counts.get(state)
    )
    left = _left(found)
    text = f"{parts} of {_jobs(len(found.ended))}{left}"
    if found.complete:
        return text
    failed = [event for event in found.ended if event.state == "failed"]
    lines = [text, *(f"  failed  {event.job.id}: {event.reason}" for event in islice(failed, 10))]
    if len(failed) > 10:
        lines.append(f"  and {len(failed) - 10} more")
    return "\n".join([*lines, f"more: kwdag status {shlex.quote(found.request.root)}"])


def _nothing(found: Schedule) -> str:
    """Why no job was run."""
    if not found.complete:
        return "nothing can run"
    done = len(found.outlook.selection.done)
    text = f"nothing to run: all {_jobs(done)} are done" if done > 1 else "nothing to run"
    return text + (f"; {len(found.adopted):,} made by hand were recorded" if found.adopted else "")


def _left(found: Schedule) -> str:
    ended = {event.job.id for event in found.ended}
    left = [job_id for job_id in found.outlook.selection.run if job_id not in ended]
    return f"; {len(left)} left to run" if left else ""


def as_json(found: Schedule) -> dict[str, Any]:
    """The whole of a schedule for programs."""
    outlook = found.outlook
    selection = outlook.selection
    return {
        "root": found.request.root,
        "rows": outlook.plan.n_rows,
        "warnings": list(found.request.warnings),
        "ran": found.ran,
        "complete": found.complete,
        "left_alone": found.left_alone,
        "counts": found.counts,
        "open": dict(outlook.plan.open),
        "jobs": [
            {
                "id": job.id,
                "node": job.node.name,
                "dpath": outlook.plan.dpath(job),
                "state": outlook.states[job.id].kind,
                "reason": selection.run.get(job.id)
                or selection.blocked.get(job.id)
                or outlook.states[job.id].reason,
                "action": _action(selection, job.id),
                "upstream": [up.id for up in job.predecessors()],
            }
            for job in outlook.plan.jobs.values()
        ],
        "ended": [
            {"id": event.job.id, "state": event.state, "reason": event.reason} for event in found.ended
        ],
    }


def _action(selection: Any, job_id: str) -> str:
    for action in ("run", "blocked", "disabled"):
        if job_id in getattr(selection, action):
            return action
    return "keep"
