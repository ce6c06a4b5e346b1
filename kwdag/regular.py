"""Reading a file that may turn out to be anything: a pipe that nobody writes to, a folder, far too large.

Bytes only; what they mean is for others to say.
"""

from __future__ import annotations

import os
import stat


class NotRegular(OSError):
    """What lies there is no file that can be read whole; ``strerror`` says what it is."""


def read(path: str, limit: int | None = None) -> tuple[bytes, os.stat_result]:
    """The bytes of a file, and its stat as it was before they were read.

    Raises:
        NotRegular: it is no regular file, or larger than ``limit`` bytes. OSError: it cannot be read.
    """
    # without O_NONBLOCK a pipe would be waited for, perhaps for ever
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
            raise NotRegular(None, f"is {kind}, not a file", path)
        return _read_all(fd, path, found.st_size, limit), found
    finally:
        os.close(fd)


def _read_all(fd: int, path: str, size: int, limit: int | None) -> bytes:
    content = b""
    while limit is None or max(size, len(content)) <= limit:
        block = os.read(fd, max(size - len(content), 0) + 1)
        if not block:
            return content
        content = content + block if content else block
    raise NotRegular(None, f"is larger than {limit >> 20} MiB", path)
