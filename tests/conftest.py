"""Fixtures that build real pipelines of bash, and the rule that no backend's tests are skipped in CI.

A test that is marked `every_backend` runs three times: serially, on a tmux server of its own, and on a real
Slurm that all such tests share. `lab.schedule` then uses that backend; other tests ask for the fixture
`backend` and pass on its options or command line words.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import kwdag
from kwdag.resolve import build_plan
from kwdag.yaml_pipeline import from_spec
from tests.slurm_cluster import QUICK, cluster, missing
from tests.workers import pytest_collection_modifyitems  # noqa: F401  (a hook)

# How long one example takes says more about the machine than about the code.
settings.register_profile("kwdag", deadline=None)
settings.load_profile("kwdag")

REQUIRED = set(filter(None, os.environ.get("KWDAG_REQUIRE", "").split(",")))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    needed = REQUIRED & {mark.name for mark in item.iter_markers()}
    if report.skipped and needed and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but KWDAG_REQUIRE names {', '.join(sorted(needed))}: {report.longrepr}"
    return report


def pytest_configure(config):
    config.addinivalue_line("markers", "every_backend: holds for serial, tmux and Slurm, and runs on each")
    # A shell's background job, and what nohup starts, ignores these, and so would all that the tests start.
    for signum, handler in {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}.items():
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, handler)


BACKENDS = [
    pytest.param("serial"),
    pytest.param("tmux", marks=[
        pytest.mark.tmux,
        pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    ]),
    pytest.param("slurm", marks=[
        pytest.mark.slurm,
        pytest.mark.xdist_group("slurm"),
        pytest.mark.skipif(missing() is not None, reason=str(missing())),
    ]),
]  # fmt: skip


def pytest_generate_tests(metafunc):
    if metafunc.definition.get_closest_marker("every_backend"):
        metafunc.parametrize("backend", BACKENDS, indirect=True)


@dataclass(frozen=True, slots=True)
class Engine:
    """Where the jobs of a test run: the name of a backend and the options that it needs."""

    name: str = "serial"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """As options of `kwdag schedule`."""
        return [f"--backend={self.name}", *(f"--{key}={value}" for key, value in self.options.items())]


@pytest.fixture(scope="session")
def shared_slurm():
    """A real Slurm for all tests of this process that need nothing special of it."""
    with cluster(cpus=2, scheduler=QUICK) as running:
        yield running


@pytest.fixture
def tmux_server(tmp_path_factory, monkeypatch):
    """A tmux server that no other test and no person shares; nothing of it stays."""
    folder = str(tmp_path_factory.mktemp("tmux"))
    monkeypatch.setenv("TMUX_TMPDIR", folder)
    monkeypatch.setenv("HOME", folder)  # what a person's .bashrc does takes its time
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("SHELL", "/bin/bash")
    yield
    subprocess.run(["tmux", "kill-server"], capture_output=True, check=False)


@pytest.fixture
def slurm_jobs(shared_slurm, monkeypatch):
    """The shared Slurm, empty again after each test."""
    monkeypatch.setenv("SLURM_CONF", shared_slurm.env["SLURM_CONF"])
    yield shared_slurm
    shared_slurm.cancel_all()


@pytest.fixture
def backend(request):
    """The backend of this turn of a test that is marked `every_backend`; without the mark the serial one."""
    name = getattr(request, "param", "serial")
    if name == "tmux":
        request.getfixturevalue("tmux_server")
        return Engine("tmux", {"tmux_workers": 2, "queue_name": "test"})
    if name == "slurm":
        request.getfixturevalue("slurm_jobs")
        return Engine("slurm", {"queue_name": f"test-{os.getpid()}"})
    return Engine()


class Lab:
    """A folder with input files, a pipeline of bash and a root for its jobs.

    The body of a node is bash with `{port}` placeholders; that it ran is noted in a file outside the root.
    """

    def __init__(self, folder: Path, backend: Engine):
        self.folder = folder
        self.backend = backend
        self.root = folder / "root"
        self.spec: dict[str, Any] = {"nodes": {}, "edges": []}
        self._ran = folder / "ran.txt"

    def file(self, name: str, text: str = "text\n") -> str:
        """Write an input file; returns its absolute path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def node(self, name: str, body: str = "", *, ins: Any = (), outs: Any = None, **fields: Any) -> Lab:
        """Declare a node; by default it writes its job id into the output `dst`."""
        outs = {"dst": f"{name}.txt"} if outs is None else outs
        body = body or ("echo $KWDAG_JOB > {dst}" if "dst" in outs else "true")
        note = f"echo {name} >> '{self._ran}'; "
        self.spec["nodes"][name] = {
            "command_template": note + body, "in_paths": ins, "out_paths": outs, **fields
        }  # fmt: skip
        return self

    def edge(self, *edges: Any) -> Lab:
        self.spec["edges"] += edges
        return self

    def gather(self, src: str, dst: str, *group_by: Any, **more: Any) -> Lab:
        return self.edge({"src": src, "dst": dst, "gather": {"group_by": list(group_by), **more}})

    def scatter(self, name: str, items: str, **fields: Any) -> Lab:
        """Declare a node that lists branches; ``items`` is bash that writes the JSON to stdout."""
        return self.node(name, f"{{{{ {items}; }}}} > {{items}}", outs={"items": "items.json"},
                         scatter="items", **fields)  # fmt: skip

    def schedule(self, matrix: Mapping[str, Any], *, run: bool = True, **options: Any) -> Any:
        """Run a matrix from the lab's folder, on the lab's backend."""
        engine = {"backend": self.backend.name, **self.backend.options} if run else {}
        options = {"root_dpath": self.root, **engine, **options}
        here = Path.cwd()
        os.chdir(self.folder)
        try:
            matrix = matrix or {f"{next(iter(self.spec['nodes']))}.__enabled__": 1}
            return kwdag.schedule(matrix, pipeline=from_spec(self.spec), run=run, **options)
        finally:
            os.chdir(here)

    def look(self, matrix: Mapping[str, Any], **options: Any) -> dict[str, str]:
        """A dry run: job id -> what would become of it, with the reason."""
        selection = self.schedule(matrix, run=False, **options).outlook.selection
        return {
            **selection.run,
            **dict.fromkeys(selection.done, "done"),
            **{job: f"blocked: {why}" for job, why in selection.blocked.items()},
            **dict.fromkeys(selection.disabled, "disabled"),
        }

    def ran(self) -> list[str]:
        """The nodes whose programs ran since the last call, sorted."""
        names = self._ran.read_text().split() if self._ran.exists() else []
        self._ran.write_text("")
        return sorted(names)

    def plan(self, rows: Iterable[Mapping[str, Any]], **options: Any) -> Any:
        """Plan rows without touching the disk."""
        options = {"root": "/root", "workdir": "/work", **options}
        return build_plan(from_spec(self.spec).wiring(), list(rows), options.pop("root"), **options)

    def job(self, node: str) -> Path:
        """The directory of the one job of a node."""
        (found,) = (self.root / node).iterdir()
        return found

    def job_of(self, schedule: Any, node: str) -> Path:
        """The directory of the one job of a node in a plan."""
        (found,) = schedule.outlook.plan.by_node()[node]
        return Path(schedule.outlook.plan.dpath(found))

    def move_root(self, name: str, *, copy: bool = False) -> None:
        """Put the root elsewhere: moved, or copied as `cp -r` does it, with new times."""
        target = self.folder / name
        if copy:
            shutil.copytree(self.root, target, symlinks=True, copy_function=shutil.copyfile)
            shutil.rmtree(self.root)
        else:
            self.root.rename(target)
        self.root = target


@pytest.fixture
def lab(tmp_path, backend):
    return Lab(tmp_path, backend)


@pytest.fixture
def chain(lab):
    """`a` reads a file and has a parameter; `b` reads what `a` wrote."""
    lab.file("in.txt", "one\n")
    lab.node("a", "cat {src} > {dst}; echo {x} >> {dst}", ins=["src"], algo_params={"x": 1})
    lab.node("b", "cat {src} > {dst}; echo {y} >> {dst}", ins=["src"], algo_params={"y": 1})
    return lab.edge("a.dst -> b.src")
