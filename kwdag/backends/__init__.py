"""Where jobs run: one class with the same few verbs for each backend.

What to run has been decided before; a backend only runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kwdag.backends.base import Backend
from kwdag.errors import BackendError, did_you_mean
from kwdag.worker import Worker

NAMES = ("serial",)


def make_backend(name: str, worker: Worker, options: Mapping[str, Any]) -> Backend:
    """The backend of a name; raises BackendError for an unknown one."""
    if name not in NAMES:
        raise BackendError(f"no backend {name!r}", where="--backend", hint=did_you_mean(name, NAMES))
    from kwdag.backends.serial import SerialBackend

    return SerialBackend(worker, max_failures=int(options.get("max_failures") or 0))
