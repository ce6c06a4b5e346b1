"""Describes the machine that the figures come from.
Nothing that would name it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe(scratch: Path) -> dict[str, object]:
    """Memory in bytes; `filesystem` is the kind below `scratch`, where the peers write."""
    return {
        "cpu": _field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.system(),
        "kernel": platform.release(),
        "distribution": platform.freedesktop_os_release().get("PRETTY_NAME", "?"),
        "python": platform.python_version(),
        "filesystem": _filesystem(scratch),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _field(path: Path, name: str) -> str | None:
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _filesystem(folder: Path) -> str:
    """The kind of the mount with the longest path that holds `folder`."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [mount for mount in mounts if folder.resolve().is_relative_to(mount[0])]
    return max(holding, key=lambda mount: len(mount[0]), default=["", "?"])[1]
