"""What a file or folder looked like: its size and time first, then a hash of its content.

Reads only; when a difference matters is state.py's business.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import Any

#: Above this many bytes a changed time counts as changed content: hashing would cost more than it saves.
HASH_LIMIT = 256 * 2**20

#: [size in bytes, mtime in ns, content hash or None]; for a folder the sums over the files below it.
Stamp = list[Any]


def look(path: str) -> tuple[int, int] | None:
    """Size and mtime in ns, None when nothing is there. A folder: total size and newest mtime below it."""
    try:
        found = os.stat(path)
    except OSError:  # gone, out of reach, a loop of links
        return None
    if (found.st_mode & 0o170000) != 0o040000:
        return found.st_size, found.st_mtime_ns
    size, newest = 0, 0
    for file in _files(path):
        with suppress(FileNotFoundError):  # deleted since it was listed
            inner = os.lstat(file)
            size, newest = size + inner.st_size, max(newest, inner.st_mtime_ns)
    return size, newest


def _files(folder: str) -> list[str]:
    """All files below a folder, without what a run itself leaves there: results and compiled modules."""
    found: list[str] = []
    for where, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name != "__pycache__" and not os.path.isdir(os.path.join(where, name, "_kwdag"))
        ]
        found += [os.path.join(where, name) for name in names]
    return sorted(found)


def content(path: str) -> str:
    """A hash of the bytes of a file, or of the names and bytes of all files in a folder."""
    hasher = hashlib.blake2b(digest_size=16)
    if os.path.isdir(path):
        for file in _files(path):
            hasher.update(os.path.relpath(file, path).encode("utf-8", "surrogateescape") + b"\0")
            _feed(hasher, file)
    else:
        _feed(hasher, path)
    return hasher.hexdigest()


def _feed(hasher: Any, path: str) -> None:
    with open(path, "rb") as file:
        while block := file.read(2**20):
            hasher.update(block)


def _content_if_small(path: str, size: int) -> str | None:
    try:
        return content(path) if size <= HASH_LIMIT else None
    except OSError:  # the program that reads it will say it better
        return None


class Stamps:
    """Stamps of many paths; each path is hashed once for as long as its size and time stay."""

    def __init__(self) -> None:
        self._seen: dict[str, Stamp] = {}

    def stamp(self, path: str) -> Stamp | None:
        """The full stamp of a path, None when nothing is there."""
        now = look(path)
        if now is None:
            return None
        seen = self._seen.get(path)
        if seen is None or (seen[0], seen[1]) != now:
            seen = self._seen[path] = [*now, _content_if_small(path, now[0])]
        return seen

    def same(self, path: str, recorded: Stamp) -> bool:
        """Whether a path still holds what was recorded; what cannot be read does not."""
        now = look(path)
        if now is None or now[0] != recorded[0]:
            return False
        if now[1] == recorded[1]:
            return True
        now_stamp = self.stamp(path)
        return recorded[2] is not None and now_stamp is not None and now_stamp[2] == recorded[2]
