"""What is around a run: the environment that a command leaves behind, the commit of a folder.

Asked once a run, before any job starts.
"""

from __future__ import annotations

import os
import subprocess

from kwdag.errors import BackendError


def environment(command: str) -> dict[str, str]:
    """The environment that a bash command such as `conda activate it` leaves behind.

    Raises:
        BackendError: it failed.
    """
    found = subprocess.run(
        ["bash", "-c", f"{{ {command}\n}} >&2 && env -0"], capture_output=True, check=False
    )
    if found.returncode:
        last = found.stderr.decode(errors="replace").strip().splitlines()[-1:] or [
            f"exit code {found.returncode}"
        ]
        raise BackendError(f"{command!r} failed: {last[0]}", where="--virtualenv_cmd")
    pairs = (line.partition("=") for line in os.fsdecode(found.stdout).split("\0") if line)
    return {name: value for name, _, value in pairs}


def git_commit(folder: str) -> str | None:
    """The commit that a folder is at, None outside a checkout or without git."""
    try:
        found = subprocess.run(
            ["git", "-C", folder, "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
