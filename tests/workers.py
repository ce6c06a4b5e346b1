"""What the workers of pytest-xdist share: tests of one group run in one of them, costly things are made once.

Nothing that a single process has for itself: that is a fixture.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let `--dist loadgroup` see the marks `xdist_group`.

    It reads the group from the end of a test's id. pytest-xdist 3.8 puts it there through an attribute that
    pytest 9.2 no longer has, and then every test is a group of its own.
    """
    if not config.getoption("loadgroup", False):
        return
    for item in items:
        group = "_".join(sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")}))
        if group and not item.nodeid.endswith(f"@{group}"):
            item._id = type(item._id).parse(f"{item.nodeid}@{group}")  # type: ignore[attr-defined]


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that ``make`` has filled, once for all workers of a run; no test may change what it holds.

    Another worker that asks meanwhile waits. Where ``make`` raises, who asks next tries again from nothing.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    made, ready = base / name, base / f"{name}.ready"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            make(made)
            ready.touch()
    return made
