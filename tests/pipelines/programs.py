"""Programs of the pipelines, called by the command line they have, for several test modules."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable
from typing import NamedTuple

from pipelines import program


class Ended(NamedTuple):
    code: int
    err: str


def caller(package: str) -> Callable[..., Ended]:
    """What runs a program of ``package`` (as in `pipelines.fpe`) by name and arguments, in this process."""

    def call(name: str, *arguments: object) -> Ended:
        command = importlib.import_module(f"{package}.{name}").command
        err = io.StringIO()
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            try:
                program.run(command, [str(one) for one in arguments])
            except SystemExit as stop:
                return Ended(int(stop.code or 0), err.getvalue())
        raise AssertionError("a program exits")

    return call
