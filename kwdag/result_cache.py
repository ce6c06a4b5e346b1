"""What aggregate remembers of results that it has read, below `<root>/_kwdag/cache/`.

Never needed and never trusted: an entry counts only while all files that it was read from look as they did.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from kwdag import jobdir, regular
from kwdag.job_reading import Look
from kwdag.loading import ResultFile
from kwdag.version import __version__

FOLDER = "cache"
SCHEMA = 1
#: A file that changed so shortly before it was read may have changed again within one tick of its clock.
RACY = 2 * 10**9
#: The file is written anew when at least one entry of so many has changed.
WORTHWHILE = 50

_Entry = list[Any]  # the place of its names, a stamp, the values


@dataclass(slots=True)
class ResultCache:
    """The rows of one node below one root.

    Attributes:
        path: where they are remembered, None for nowhere.
        key: what they depend on besides the files of their jobs.
    """

    path: str | None
    key: Mapping[str, Any]
    _file: str
    _names: list[tuple[str, ...]] = field(default_factory=list)
    _known: dict[str, _Entry] = field(default_factory=dict)
    _kept: dict[str, _Entry] = field(default_factory=dict)
    _places: dict[tuple[str, ...], int] = field(default_factory=dict)
    _fresh: dict[str, int] = field(default_factory=dict)
    _began: int | None = None

    def holds(self, job_id: str, dpath: str) -> bool:
        """Whether a job is remembered, and its files have not changed since."""
        entry = self._known.get(job_id)
        if entry is None:
            return False
        files = (jobdir.STATUS, jobdir.CONFIG, self._file)
        try:
            same = entry[1] == Look.of(*(os.stat(f"{dpath}/{name}") for name in files)).stamp
        except OSError:
            return False
        if same:
            self._kept[job_id] = entry
        return same

    def values(self, job_id: str) -> dict[str, Any]:
        """What a job that it ``holds`` gave."""
        entry = self._known[job_id]
        return dict(zip(self._names[entry[0]], entry[2:], strict=True))

    def starts_reading(self) -> None:
        """To be called before files are read whose values are then ``put``."""
        if self._began is None:
            self._began = time.monotonic_ns()

    def put(self, job_id: str, values: Mapping[str, Any], look: Look) -> None:
        """Remember what was just read from files that looked so."""
        names = tuple(values)
        place = self._places.setdefault(names, len(self._names))
        if place == len(self._names):
            self._names.append(names)
        self._kept[job_id] = [place, look.stamp, *values.values()]
        self._fresh[job_id] = look.newest

    def save(self) -> None:
        """Write down what is remembered; where that cannot be done, nothing happens.

        A reader calls it when all is well: one that was asked for what does not exist writes nothing.
        """
        if self.path is None or len(self._fresh) * WORTHWHILE < max(1, len(self._kept)):
            return
        self._forget_racy(_clock(self.path))
        if not self._kept:
            return
        with suppress(OSError, ValueError, TypeError, RecursionError):
            body = json.dumps([self._names, self._kept], separators=(",", ":")).encode()
            header = json.dumps({"key": self.key, "digest": _digest(body)}).encode()
            _replace(self.path, header + b"\n" + body)

    def _forget_racy(self, clock: int | None) -> None:
        """Without what may have changed again since it was read, within one tick of the files' clock."""
        elapsed = time.monotonic_ns() - (self._began or 0)
        for job_id, newest in self._fresh.items():
            if clock is None or newest > clock - elapsed - RACY:
                del self._kept[job_id]


def open_cache(root: str, file: ResultFile, wanted: bool = True) -> ResultCache:
    """What is remembered of a node below a root; empty where there is nothing, or nothing whole."""
    key = {"schema": SCHEMA, "kwdag": __version__, **asdict(file), "metrics": list(file.metrics)}
    if not wanted or not os.path.isdir(f"{root}/{jobdir.RUN_DPATH}"):
        return ResultCache(None, key, file.name)
    path = f"{root}/{jobdir.RUN_DPATH}/{FOLDER}/{file.node}.json"
    try:
        names, known = _read(path, key)
    except (OSError, ValueError, TypeError, RecursionError):
        names, known = [], {}
    return ResultCache(path, key, file.name, names, known, _places={n: i for i, n in enumerate(names)})


def _read(path: str, key: Mapping[str, Any]) -> tuple[list[tuple[str, ...]], dict[str, _Entry]]:
    header, _, body = regular.read(path)[0].partition(b"\n")
    if json.loads(header) != {"key": key, "digest": _digest(body)}:
        raise ValueError("another node, another version, or damaged")
    names, known = json.loads(body)
    return [tuple(one) for one in names], known


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _clock(path: str) -> int | None:
    """The time in ns by the file system's clock, or by ours if that is behind; None where it is read-only.

    On a network the two may differ, and the file system's is the one that stamps files.
    """
    probe = f"{path}.{os.getpid()}.clock"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            return min(os.fstat(fd).st_mtime_ns, time.time_ns())
        finally:
            os.close(fd)
            os.unlink(probe)
    except OSError:
        return None


def _replace(path: str, content: bytes) -> None:
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
