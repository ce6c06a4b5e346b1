"""What lies behind a row: the files of its job directory and of the ancestors' ones. Reads only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kwdag import inventory, jobdir, script
from kwdag.explain import Ledger, read_invoke, read_status
from kwdag.find_job import node_of

PICTURES = (".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp")
#: So many pictures of one job are named.
MOST_PICTURES = 50


@dataclass(frozen=True, slots=True)
class Output:
    """A declared output; the size in bytes is None where nothing is there."""

    key: str
    path: str
    size: int | None


@dataclass(frozen=True, slots=True)
class RowFiles:
    """The files behind a row.

    Attributes:
        status: what the job recorded at its end.
        ancestors: (job id, directory, state) of all jobs that it rests on, nearest first.
        pictures: of the job itself, then of its ancestors.
    """

    dpath: str
    status: dict[str, Any]
    outputs: tuple[Output, ...]
    command: str
    log: tuple[str, ...]
    ancestors: tuple[tuple[str, str, str], ...]
    pictures: tuple[str, ...]


def files_of(dpath: str, log_lines: int = 10) -> RowFiles | None:
    """What lies in a job directory; None where there is none (any more)."""
    if not os.path.isdir(dpath):
        return None
    root, job_id = os.path.dirname(os.path.dirname(dpath)), os.path.basename(dpath)
    ledger = Ledger(root)
    above = [(up, ledger.dpath(up)) for up in ledger.ancestors(job_id)]
    invoke = read_invoke(dpath)
    return RowFiles(
        dpath,
        read_status(dpath),
        tuple(Output(key, f"{dpath}/{name}", _size(f"{dpath}/{name}"))
              for key, name in script.outputs_of(invoke).items()),
        script.shown_command(invoke),
        tuple(jobdir.tail(f"{dpath}/{jobdir.LOG}", log_lines)),
        tuple((up, path, inventory.look(node_of(up), up, path).state) for up, path in above),
        tuple(found for path in (dpath, *(path for _, path in above)) for found in _pictures(path)),
    )  # fmt: skip


def _size(path: str) -> int | None:
    """Bytes of a file, or of all files below a folder."""
    if os.path.isdir(path):
        return sum(_size(f"{where}/{name}") or 0 for where, _, names in os.walk(path) for name in names)
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def _pictures(dpath: str) -> list[str]:
    found: list[str] = []
    for path in _walk(dpath):
        if path.lower().endswith(PICTURES):
            found.append(path)
            if len(found) == MOST_PICTURES:
                break
    return found


def _walk(dpath: str) -> Iterator[str]:
    """The files below a job directory, in order of their names; not what kwdag keeps there for itself."""
    for where, folders, names in os.walk(dpath):
        if where == dpath:
            folders[:] = [name for name in folders if name not in jobdir.BOOKKEEPING]
        folders.sort()
        yield from (f"{where}/{name}" for name in sorted(names))
