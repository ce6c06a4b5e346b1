"""Where jobs run: one class with the same few verbs for each backend, found by its name.

What to run has been decided before; a backend only runs it. Further ones are entry points of the group
`kwdag.backends`: a name, and a function from a Setup to a Backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from kwdag.backends.base import Backend, Setup
from kwdag.errors import BackendError, did_you_mean

OWN = {
    "serial": "kwdag.backends.serial",
    "tmux": "kwdag.backends.tmux",
    "slurm": "kwdag.backends.slurm",
}


def check_name(name: str) -> None:
    """Raise BackendError for a backend that nobody offers."""
    if name not in OWN and name not in _others():
        raise BackendError(
            f"{name!r} is unknown", where="--backend", hint=did_you_mean(name, {*OWN, *_others()})
        )


def make_backend(name: str, setup: Setup) -> Backend:
    """The backend of a name; raises BackendError when it cannot be had."""
    check_name(name)
    if name in OWN:
        backend: Backend = importlib.import_module(OWN[name]).make(setup)
        return backend
    return _others()[name]()(setup)


def _others() -> dict[str, Callable[[], Callable[[Setup], Backend]]]:
    from importlib.metadata import entry_points

    return {found.name: found.load for found in entry_points(group="kwdag.backends")}
