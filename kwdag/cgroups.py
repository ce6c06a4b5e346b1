"""What the kernel's control groups say of memory: its limit, and whom the kernel ended for it.

Version 1 and 2, as containers and Slurm set them up; changes nothing in them.
"""

from __future__ import annotations

import re

_TOP = "/sys/fs/cgroup"


def memory_limit() -> int | None:
    """Bytes that the processes of this control group may use together, None without a limit."""
    limits = []
    for version, folder in _groups():
        if version == 1:
            limits += _numbers(f"{folder}/memory.stat", r"^hierarchical_memory_limit (\d+)$")
            continue
        while folder != _TOP:
            limits += _numbers(f"{folder}/memory.max", r"^(\d+)$")
            folder = folder.rpartition("/")[0]
    return min(limits, default=None)


def oom_kills() -> int:
    """How often the kernel ended a process of this control group for memory; -1 where it does not tell."""
    for version, folder in _groups():
        found = _numbers(
            f"{folder}/memory.{'oom_control' if version == 1 else 'events'}", r"^oom_kill (\d+)$"
        )
        if found:
            return found[0]
    return -1


def _groups() -> list[tuple[int, str]]:
    """Version and folder of the groups of this process that count memory."""
    try:
        with open("/proc/self/cgroup") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    old = [(1, f"{_TOP}/memory{path}") for _, kinds, path in lines if "memory" in kinds.split(",")]
    return old + [(2, f"{_TOP}{path}".rstrip("/")) for _, kinds, path in lines if not kinds]


def _numbers(path: str, pattern: str) -> list[int]:
    try:
        with open(path) as file:
            return [int(found) for found in re.findall(pattern, file.read(), re.MULTILINE)]
    except OSError:
        return []
