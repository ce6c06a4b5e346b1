"""Who may run a job: one holder at a time, and the holder's attempt number.

A claim is a lock that the job's processes inherit (it falls when the last of them ends) and a file
`.claim-<attempt>` that only one can create; what a finished attempt is worth is state.py's business.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from kwdag import leases
from kwdag.jobdir import CLAIM, DRAFT, LOCK, DamagedFile, read_json, read_status

#: What a file system without hard links says of one.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a job, held as long as ``fd`` is open in any process."""

    dpath: str
    attempt: int
    fd: int

    def holds(self) -> bool:
        """False once another holder has taken over: then this one's result is refused."""
        return latest_attempt(self.dpath) == self.attempt

    def again(self) -> Claim:
        """The next attempt by the same holder; raises OSError."""
        _create(self.dpath, self.attempt + 1)
        return Claim(self.dpath, self.attempt + 1, self.fd)

    def beat(self) -> None:
        """Tell other hosts that the holder lives."""
        leases.beat(f"{self.dpath}/{CLAIM}{self.attempt}")

    def release(self) -> None:
        os.close(self.fd)


@cache
def host_id() -> str:
    """This host in this boot: a lock of an earlier boot is held by nobody."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{socket.gethostname()}/{file.read().strip()[:8]}"
    except OSError:
        return socket.gethostname()


def acquire(dpath: str, known_attempt: int) -> Claim | int | None:
    """Claim a job for this process.

    Args:
        known_attempt: the attempt that was the latest when the job was chosen to run.

    Returns:
        The claim; None when somebody else holds the job; the number of a later attempt that has ended
        since, whose result is to be looked at first.

    Raises:
        OSError: the disk refused.
    """
    fd = _lock(dpath)
    if fd is None:
        return None
    try:
        latest = latest_attempt(dpath)
        # First of all: what another host's attempt is worth can be told only when it has ended.
        if latest and held_abroad(dpath, latest):
            os.close(fd)
            return None
        if latest > known_attempt:
            os.close(fd)
            return latest
        _create(dpath, latest + 1)
    except FileExistsError:  # a holder on another host was faster, whose lock this host does not see
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return Claim(dpath, latest + 1, fd)


def _lock(dpath: str) -> int | None:
    fd = os.open(f"{dpath}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _create(dpath: str, attempt: int) -> None:
    """Claim an attempt for this host, whose lock is held; raises FileExistsError when another one has."""
    path = f"{dpath}/{CLAIM}{attempt}"
    holder = {"host": host_id(), "pid": os.getpid(), "since": time.time()}
    # A link appears whole: a claim that did not name its host yet would be anybody's.
    draft = f"{dpath}/{DRAFT}{host_id().partition('/')[0]}"
    _write(draft, holder, os.O_TRUNC)
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _write(path, holder, os.O_EXCL)
    finally:
        os.unlink(draft)
    if latest_attempt(dpath) > attempt:  # others have come and gone since this host looked
        os.unlink(path)
        raise FileExistsError(path)
    with suppress(FileNotFoundError):
        os.unlink(f"{dpath}/{CLAIM}{attempt - 1}")


def _write(path: str, holder: Mapping[str, Any], how: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o666)
    try:
        os.write(fd, json.dumps(holder).encode())
    finally:
        os.close(fd)


def latest_attempt(dpath: str) -> int:
    """The number of the last attempt that anybody claimed, 0 for none."""
    attempts = [name[len(CLAIM) :] for name in os.listdir(dpath) if name.startswith(CLAIM)]
    return max((int(number) for number in attempts if number.isdecimal()), default=0)


def is_held(dpath: str) -> bool:
    """Whether some process on this host holds the job right now."""
    try:
        fd = os.open(f"{dpath}/{LOCK}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def held_abroad(dpath: str, attempt: int) -> bool:
    """Whether another host claimed an attempt that has not ended and whose lease has not run out."""
    host = str(holder(dpath).get("host") or host_id()).partition("/")[0]
    if host == host_id().partition("/")[0]:
        return False  # its lock is all there is to know: after a reboot nobody holds it
    try:
        status = read_status(dpath)
    except DamagedFile:
        status = None
    ended = status is not None and status.get("attempt") == attempt
    return not ended and not leases.expired(f"{dpath}/{CLAIM}{attempt}")


def holder(dpath: str) -> dict[str, Any]:
    """Who claimed the last attempt: host, pid, since (unix time); empty when it is not known."""
    try:
        found = read_json(f"{dpath}/{CLAIM}{latest_attempt(dpath)}")
    except (OSError, DamagedFile):
        return {}
    return found if isinstance(found, dict) else {}
