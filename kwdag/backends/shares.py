"""Who on this host holds how many CPUs, how much memory and which GPUs.

A ledger in one file that all processes draining a root on this host share. Only jobs that ask for resources
are in it; an entry whose holder is gone is dropped by whoever looks next.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kwdag import claims
from kwdag.cgroups import memory_limit
from kwdag.errors import BackendError, did_you_mean
from kwdag.units import count, memory


@dataclass(frozen=True, slots=True)
class Need:
    """What a job asks for: CPUs, bytes of memory, number of GPUs."""

    cpus: int = 0
    mem: int = 0
    gpus: int = 0

    @classmethod
    def of(cls, resources: Mapping[str, Any]) -> Need:
        """Read a node's ``resources``."""
        return cls(
            *(
                read(resources.get(key) or 0)
                for key, read in (("cpus", count), ("mem", memory), ("gpus", count))
            )
        )

    def __bool__(self) -> bool:
        return bool(self.cpus or self.mem or self.gpus)


@dataclass(frozen=True, slots=True)
class Host:
    """What this host has to share out."""

    cpus: int
    mem: int
    gpus: tuple[str, ...]

    def check(self, needs: Mapping[str, Need]) -> None:
        """Raise BackendError for the first node that asks for more than there is."""
        for node, need in needs.items():
            for what, asked, there in (
                ("cpus", need.cpus, self.cpus),
                ("bytes of memory", need.mem, self.mem),
                ("gpus", need.gpus, len(self.gpus)),
            ):
                if asked > there:
                    hint = "--devices names the GPUs to use" if what == "gpus" else None
                    raise BackendError(
                        f"node {node!r} asks for {asked:,} {what}, there are {there:,}", hint=hint
                    )


def this_host(devices: Any, wanted: bool) -> Host:
    """What this host has; ``devices`` is `auto`, None or a list such as `0,1`.

    Args:
        wanted: whether any job asks for a GPU; without, a machine that has none is no error.

    Raises:
        BackendError: a device that does not exist.
    """
    there = gpus()
    if devices in (None, ""):
        chosen: tuple[str, ...] = ()
    elif str(devices) == "auto":
        chosen = there
    else:
        listed = devices if isinstance(devices, list | tuple) else str(devices).split(",")
        chosen = tuple(str(device).strip() for device in listed if str(device).strip())
        for device in chosen:
            if device not in there and (there or wanted):
                raise BackendError(f"there is no device {device!r}", where="--devices",
                                   hint=did_you_mean(device, there) or "this machine has no GPU")  # fmt: skip
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Host(len(os.sched_getaffinity(0)), min(physical, memory_limit() or physical), chosen)


def gpus() -> tuple[str, ...]:
    """The indices of this machine's GPUs, as nvidia-smi lists them."""
    if shutil.which("nvidia-smi") is None:
        return ()
    found = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tuple(found.stdout.split()) if found.returncode == 0 else ()


class Shares:
    """The ledger of one root on this host."""

    def __init__(self, folder: str, host: Host):
        self.host = host
        self._path = f"{folder}/shares-{os.uname().nodename}.json"

    def take(self, dpath: str, need: Need) -> list[str] | None:
        """Reserve what a job needs: the GPUs that it gets, or None when it must wait."""
        with _Locked(self._path) as ledger:
            ledger.entries = {d: e for d, e in ledger.entries.items() if _lives(d, e)}
            held = ledger.entries.values()
            taken = {gpu for entry in held for gpu in entry["gpus"]}
            free = [gpu for gpu in self.host.gpus if gpu not in taken]
            if (
                sum(entry["cpus"] for entry in held) + need.cpus > self.host.cpus
                or sum(entry["mem"] for entry in held) + need.mem > self.host.mem
                or need.gpus > len(free)
            ):
                return None
            mine = free[: need.gpus]
            ledger.entries[dpath] = {"pid": os.getpid(), "cpus": need.cpus, "mem": need.mem, "gpus": mine}
            return mine

    def give_back(self, dpath: str) -> None:
        """Free what a job held."""
        with _Locked(self._path) as ledger:
            ledger.entries.pop(dpath, None)


def _lives(dpath: str, entry: Mapping[str, Any]) -> bool:
    """A share outlives its worker for as long as the job's own processes live."""
    return os.path.exists(f"/proc/{entry['pid']}") or claims.is_held(dpath)


class _Locked:
    """The ledger's entries, read and written under its lock."""

    def __init__(self, path: str):
        self._path = path
        self.entries: dict[str, Any] = {}

    def __enter__(self) -> _Locked:
        self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        # What follows the first value is the rest of an older and longer one.
        self.entries = json.JSONDecoder().raw_decode(self._file.read() or "{}")[0]
        return self

    def __exit__(self, *_: object) -> None:
        text = json.dumps(self.entries).encode()
        with self._file:
            os.pwrite(self._file.fileno(), text, 0)  # in one piece, whenever this process is killed
            os.ftruncate(self._file.fileno(), len(text))


def needs_of(nodes: Iterable[Any]) -> dict[str, Need]:
    """node -> what its jobs ask for, where they ask for anything."""
    found = {node.name: Need.of(node.resources) for node in nodes}
    return {name: need for name, need in found.items() if need}
