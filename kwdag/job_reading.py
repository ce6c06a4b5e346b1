"""What one job directory holds: its state, and a row where it is done.

Reads only; whatever lies there, the answer is a row or a reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from kwdag import inventory, jobdir, regular
from kwdag.columns import JOB_NUMBERS, JOB_TEXTS, RESERVED, is_metric
from kwdag.errors import KwdagError
from kwdag.loading import ResultFile

#: What reads a result: a declared file, or a hook of the user's that is given a job directory.
Loader = ResultFile | Callable[[Path], Mapping[str, Any]]

#: A larger result is set aside: metrics are small, and thousands of such files would fill the memory.
LARGEST_FILE = 64 * 2**20
#: So are more values in one row, a longer text, and a list or mapping that holds or nests more.
MOST_VALUES, LONGEST_TEXT, MOST_ITEMS, DEEPEST = 10_000, 2**16, 10**6, 50

_STATES = ("done", "failed", "interrupted", "running", "blocked", "pending")


class Job(NamedTuple):
    """A job directory and the loader of the pipeline that made it."""

    job_id: str
    dpath: str
    load: Loader


class Skipped(NamedTuple):
    """A job directory that should hold a result and does not hold a readable one."""

    path: str
    reason: str


class Look(NamedTuple):
    """How some files looked: equal for equal files, and when the newest of them changed, in ns."""

    stamp: str
    newest: int

    @classmethod
    def of(cls, *stats: os.stat_result) -> Look:
        # programs can set the time of modification (rsync does), the time of change they cannot
        stamp = " ".join(f"{s.st_mtime_ns} {s.st_ctime_ns} {s.st_size} {s.st_ino}" for s in stats)
        return cls(stamp, max(max(s.st_mtime_ns, s.st_ctime_ns) for s in stats))


class Reading(NamedTuple):
    """What a job directory holds.

    Attributes:
        state: as recorded; `damaged` where the result of a done job, or that record, is not readable.
        values: column -> value; for a job that is not done its parameters alone, as far as they are known.
        reason: one line, why there is no row.
        look: how the files looked that were read, None where a hook may have read others.
    """

    state: str
    values: dict[str, Any]
    reason: str | None = None
    look: Look | None = None


class _Unusable(Exception):
    """The reason why a done job gives no row."""


def read(node: str, job: Job) -> Reading:
    """Read one job directory; raises nothing."""
    try:
        status, stat = _status(job.dpath)
        if status is None:
            entry = inventory.look(node, job.job_id, job.dpath)
            return Reading(entry.state, _params(job.dpath), entry.reason or _why_pending(entry.state))
        state = _state(status)
    except Exception as error:
        return Reading("damaged", _params(job.dpath), _reason(error))
    if state != "done":
        reason = status.get("reason")
        return Reading(state, _params(job.dpath), None if reason is None else one_line(str(reason)))
    try:
        return _done(job, status, stat)
    except Exception as error:  # a user's hook may raise anything, and must not stop the rest
        return Reading("damaged", _params(job.dpath), _reason(error))


def _status(dpath: str) -> tuple[dict[str, Any] | None, Any]:
    path = f"{dpath}/{jobdir.STATUS}"
    try:
        content, stat = regular.read(path, LARGEST_FILE)
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    return jobdir.parse_status(path, content), stat


def _state(status: Mapping[str, Any]) -> str:
    state = str(status["state"])
    if state == "finished":
        # a job that was run by hand records its exit code and leaves the judgement to its readers
        return "done" if status.get("exit_code") == 0 else "failed"
    if state not in _STATES:
        raise _Unusable(f"{jobdir.STATUS} names the state {state!r}, which is unknown")
    return state


def _why_pending(state: str) -> str | None:
    return f"no {jobdir.STATUS}: kwdag has neither run nor adopted it" if state == "pending" else None


def _config(dpath: str) -> tuple[dict[str, Any], os.stat_result]:
    """The parameters of a job and its ancestors under the names of their columns."""
    path = f"{dpath}/{jobdir.CONFIG}"
    try:
        content, stat = regular.read(path, LARGEST_FILE)
    except (FileNotFoundError, NotADirectoryError):
        raise _Unusable(f"{jobdir.CONFIG} is missing") from None
    config = jobdir.parse_config(path, content)
    return {intern(f"params.{key}"): value for key, value in config.items()}, stat


def _params(dpath: str) -> dict[str, Any]:
    """The parameters of a job without a row; empty where they cannot be read either."""
    try:
        values = _config(dpath)[0]
        _check_size(values)
    except Exception:
        return {}
    return values


def _done(job: Job, status: Mapping[str, Any], status_stat: os.stat_result) -> Reading:
    values, config_stat = _config(job.dpath)
    values.update(_job_values(status))
    result, result_stat = _result(job)
    for key, value in result.items():
        if key not in RESERVED:
            values.setdefault(intern(str(key)), value)
    _check_size(values)
    return Reading("done", values, None, result_stat and Look.of(status_stat, config_stat, result_stat))


def _job_values(status: Mapping[str, Any]) -> dict[str, Any]:
    """When and where a job ran, at what cost; None for what is not recorded."""
    values: dict[str, Any] = {}
    for name in JOB_NUMBERS:
        number = status.get(name[4:])
        values[name] = number if type(number) is float else _as_float(number)
    for name in JOB_TEXTS:
        text = status.get(name[4:])
        values[name] = text if isinstance(text, str) else None
    return values


def _as_float(value: Any) -> float | None:
    return float(value) if type(value) is int and abs(value) < 2**63 else None


def _result(job: Job) -> tuple[Mapping[str, Any], os.stat_result | None]:
    if not isinstance(job.load, ResultFile):
        result = job.load(Path(job.dpath))
        if not isinstance(result, Mapping):
            raise _Unusable(f"load_result returned {type(result).__name__}, not a mapping")
        return result, None
    content, stat = regular.read(f"{job.dpath}/{job.load.name}", LARGEST_FILE)
    result = _parse(job.load, content)
    if b"Infinity" not in content:
        _check_overflow(result)
    return result, stat


def _parse(file: ResultFile, content: bytes) -> Mapping[str, Any]:
    try:
        return file.parse(content)
    except RecursionError:
        raise _Unusable("its result is nested too deep") from None
    except ValueError as error:
        raise _Unusable(f"its result is not JSON: {error}") from None
    except (AttributeError, TypeError) as error:
        raise _Unusable(f"its result is not built as results are: {error}") from None


def _check_overflow(result: Mapping[str, Any]) -> None:
    """`1e999` is read as infinity, which would be ranked as the best of all."""
    for key, value in result.items():
        if isinstance(value, float) and value in (inf, -inf):
            raise _Unusable(f"{key} is a number too large to be one")


def _check_size(values: Mapping[str, Any]) -> None:
    if len(values) > MOST_VALUES:
        raise _Unusable(f"it holds {len(values):,} values, more than {MOST_VALUES:,}")
    for key, value in values.items():
        if isinstance(value, str):
            if len(value) > LONGEST_TEXT:
                raise _Unusable(f"{key[:80]} is a text of {len(value):,} characters")
        elif isinstance(value, list | Mapping) and _weight(value) > MOST_ITEMS:
            raise _Unusable(f"{key[:80]} holds more than {MOST_ITEMS:,} items")


def _weight(value: Any, depth: int = 0) -> int:
    """The number of items and characters in a value."""
    if depth > DEEPEST:
        raise _Unusable("it is nested too deep")
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(str(key)) + _weight(item, depth + 1) for key, item in value.items())
    return 1 + sum(_weight(item, depth + 1) for item in value) if isinstance(value, list | tuple) else 1


def has_metrics(values: dict[str, Any]) -> bool:
    return any(map(is_metric, reversed(values)))  # they come last


def _reason(error: Exception) -> str:
    """One line that says what is wrong with a job directory."""
    if isinstance(error, KwdagError):
        return one_line(f"{Path(error.where).name} {error.message}" if error.where else str(error))
    if isinstance(error, _Unusable):
        return one_line(str(error))
    if isinstance(error, regular.NotRegular):
        return one_line(f"{Path(str(error.filename)).name} {error.strerror}")
    if isinstance(error, FileNotFoundError) and error.filename:
        return one_line(f"no file {Path(str(error.filename)).name}")
    if isinstance(error, OSError):
        return one_line(f"{error.strerror or error}: {error.filename}")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return one_line(f"its result is not JSON: {error}")
    return one_line(f"load_result raised {type(error).__name__}: {error}")


def one_line(text: str) -> str:
    return " ".join(text[:1000].split())[:300]
