"""What a program receives is what the matrix says, byte for byte: run by kwdag and by hand."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kwdag
from kwdag import jobdir
from kwdag.errors import KwdagError

# Each argument ends with a NUL, which no argument can hold.
DUMP = 'printf "%s\\0" "$@" > "$DUMP/$KWDAG_JOB"\n'

HARD = [
    '', ' ', '  two  ', "'", '"', "''", '\'"\'"\'', '\\', '\\\\', '\\n', 'trailing\\', 'a\nb', '\n',
    'end\n', 'end\n\n', '\r', 'a\r\nb', '\t', '\x0b\x0c\x1b[31m\x7f', '-', '--', '-x', '--x=1',
    '$(touch pwned)', '`touch pwned`', '$HOME', '${HOME}', '$', "$'a'", '!', '!!', '!$', '*', '?', '[a-z]',
    '{a,b}', '{x}', '{{x}}', '~', '~root', '#', 'a #b', 'a;b', 'a&b', 'a|b', 'a>b', '<(b)', '(', ')', 'a=b',
    '=', '%s%n', '^a^b', 'é', '日本語', '\u200b', '\ufeff', '\u2028', 'é', '🦆', '\udcff', 'KWDAG_END', 'EOF',
    '<root>', '__enabled__', '1', '1.0', 'True', 'None', 'null', '~/x', "a" * 5000,
]  # fmt: skip
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from("'\"$`\\\n\r\t -!*#~;&|()<>{}[]=%é"),
    max_size=12,
)
STYLES = {
    "--key=value": lambda key, value: [f"--{key}={value}"],
    "--key value": lambda key, value: [f"--{key}", value],
    "-key value": lambda key, value: [f"-{key}", value],
    "key=value": lambda key, value: [f"{key}={value}"],
}


def received(folder: Path) -> dict[str, list[str]]:
    """Job id -> the arguments that its program got."""
    return {
        path.name: os.fsdecode(path.read_bytes()).split("\0")[:-1]
        for path in folder.iterdir()
        if path.is_file()
    }


class Bench:
    """Runs pipelines of programs that write down their arguments."""

    def __init__(self, folder: Path, monkeypatch, backend):
        self.folder = folder
        self.backend = backend
        self.program = folder / "dump.sh"
        self.program.write_text(DUMP)
        self.executable = f"bash {shlex.quote(str(self.program))}"
        self.monkeypatch = monkeypatch
        self.count = 0

    def run(self, spec, matrix, root=None):
        """Run a matrix; returns the arguments by job id as kwdag passed them, and the finished schedule."""
        self.count += 1
        here = self.folder / f"run{self.count}"
        dump = here / "dump"
        dump.mkdir(parents=True)
        self.monkeypatch.setenv("DUMP", str(dump))
        found = kwdag.schedule(
            {"pipeline": spec, "matrix": matrix}, root_dpath=root or here / "root", run=True,
            backend=self.backend.name, **self.backend.options,
        )  # fmt: skip
        assert found.complete, [event.reason for event in found.ended]
        return received(dump), found

    def by_hand(self, found):
        """Run `invoke.sh` of every job, from another folder; returns the arguments by job id."""
        dump = self.folder / f"run{self.count}" / "hand"
        dump.mkdir()
        script = 'for job; do bash "$job" || echo "$job"; done'
        plan = found.outlook.plan
        jobs = [f"{plan.dpath(job)}/{jobdir.INVOKE}" for job in plan.jobs.values()]
        done = subprocess.run(
            ["bash", "-c", script, "-", *jobs],
            cwd="/",
            env={**os.environ, "DUMP": str(dump)},
            capture_output=True,
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        return received(dump)


@pytest.fixture
def bench(tmp_path, monkeypatch, backend):
    return Bench(tmp_path, monkeypatch, backend)


def check(bench, spec, matrix, expected):
    """Every job gets what ``expected`` makes of it; returns the schedule."""
    got, found = bench.run(spec, matrix)
    jobs = found.outlook.plan.jobs.values()
    wanted = {job.id: expected(job) for job in jobs}
    assert got == wanted
    if bench.backend.name == "serial":  # by hand no backend has a part in it
        assert bench.by_hand(found) == wanted
    assert not list(bench.folder.rglob("pwned"))
    return found


@pytest.mark.every_backend
def test_hard_values_arrive_in_every_flag_style(bench):
    nodes = {
        f"n{i}": {"executable": bench.executable, "algo_params": ["x"], "flag_style": style}
        for i, style in enumerate(STYLES)
    }
    matrix = {"zip": {f"{name}.x": HARD for name in nodes}}
    found = check(bench, {"nodes": nodes}, matrix,
                  lambda job: STYLES[job.node.flag_style]("x", job.params["x"]))  # fmt: skip
    assert len(found.outlook.plan.jobs) == len(HARD) * len(STYLES)


@pytest.mark.every_backend
def test_hard_values_arrive_in_a_list_and_through_a_template(bench):
    words = f"{bench.executable} {{x}} -- '{{{{literal}}}}' {{many}} $'\\x41' {{flags}}"
    spec = {"nodes": {"a": {"command_template": words, "algo_params": ["x", "many", "y"]}}}
    matrix = {"a.x": HARD, "a.many": [[HARD, ["one"]][0]], "a.y": ["\n"]}
    check(bench, spec, matrix,
          lambda job: [job.params["x"], "--", "{literal}", *job.params["many"], "A", "--y=\n"])  # fmt: skip


@given(st.lists(TEXT, min_size=1, max_size=60, unique=True), st.lists(st.lists(TEXT, max_size=4), max_size=5))
@settings(max_examples=4, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_any_text_arrives(bench, texts, lists):
    spec = {
        "nodes": {
            "a": {"executable": bench.executable, "algo_params": ["x"]},
            "b": {"command_template": f"{bench.executable} {{x}}", "algo_params": ["x"]},
        }
    }
    matrix = {"zip": {"a.x": [*texts, *lists], "b.x": [*texts, *texts[:1] * len(lists)]}}

    def expected(job):
        value = job.params["x"]
        if job.node.name == "b":
            return [value]
        return ["--x", *value] if isinstance(value, list) else [f"--x={value}"]

    got, found = bench.run(spec, matrix)
    wanted = {job.id: expected(job) for job in found.outlook.plan.jobs.values()}
    assert got == wanted
    assert bench.by_hand(found) == wanted


@pytest.mark.parametrize("value", ["a\0b", ["a", "\0"], "\ud800", {"k": "\udfff\ud800"}], ids=ascii)
def test_what_no_program_can_receive_is_refused(tmp_path, value):
    spec = {"nodes": {"a": {"executable": "true", "algo_params": ["x"]}}}
    with pytest.raises(KwdagError, match="cannot be passed to a program"):
        kwdag.schedule({"pipeline": spec, "matrix": {"a.x": [value]}}, root_dpath=tmp_path / "root", run=True)
    assert not (tmp_path / "root").exists()


ODD_NAMES = ["with space", "it's", 'a "b" $(touch pwned) `c` $HOME', "new\nline", "end\n", "日本é", "-dash",
             "\udcff", "*", "back\\slash", "tab\t!"]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_a_root_and_a_working_directory_may_have_any_name(tmp_path, monkeypatch, backend, name):
    check_name(tmp_path, monkeypatch, backend, name)


# What tmux, Slurm and their file name patterns make something of, too.
ODD_FOR_ALL = '-it\'s a "b" $(touch pwned) `c` $HOME #{session_name} %j%% 日本é\t! *'


@pytest.mark.every_backend
@pytest.mark.parametrize("name", [ODD_FOR_ALL, "new\nline", "\udcff"], ids=ascii)
def test_so_on_every_backend(tmp_path, monkeypatch, backend, name):
    check_name(tmp_path, monkeypatch, backend, name)


def check_name(tmp_path, monkeypatch, backend, name):
    """Run a chain below a working directory and a root of that name, again, and by hand."""
    engine = {"backend": backend.name, **backend.options}
    work = tmp_path / name
    work.mkdir()
    monkeypatch.chdir(work)
    (work / f"in {name}").write_text("one\n")
    copy = {"command_template": "cat -- {src} > {dst}; pwd >> {dst}", "in_paths": ["src"]}
    spec = {
        "nodes": {
            "a": {**copy, "out_paths": {"dst": "o.txt"}},
            "b": {**copy, "out_paths": {"dst": f"o {name}"}},
        },
        "edges": ["a.dst -> b.src"],
    }
    params = {"pipeline": spec, "matrix": {"a.src": f"in {name}"}}
    root = f"root {name}"
    assert kwdag.schedule(params, root_dpath=root, run=True, **engine).counts == {"done": 2}
    again = kwdag.schedule(params, root_dpath=root, run=True, **engine)
    assert again.counts == {}
    results = sorted(Path(root).glob("?/*/o*"))
    contents = [path.read_bytes() for path in results]
    assert contents == [b"one\n" + os.fsencode(f"{work}\n") * count for count in (1, 2)]
    plan = again.outlook.plan
    for job in plan.jobs.values():
        subprocess.run(["bash", f"{plan.dpath(job)}/{jobdir.INVOKE}"], cwd="/", check=True)
    assert [path.read_bytes() for path in results] == contents
    adopted = kwdag.schedule(params, root_dpath=root, run=True)
    assert (adopted.counts, len(adopted.adopted)) == ({}, 2)
    for path in Path(root).rglob("*"):
        assert path.exists(), f"{path} dangles"


def test_a_newline_in_a_gathered_path_is_refused(lab, tmp_path):
    """The manifest is one path a line: a reader would see two."""
    lab.node("a", algo_params=["x"]).node("b", ins=["parts"]).gather("a.dst", "b.parts")
    with pytest.raises(KwdagError, match="newline"):
        lab.schedule({"a.x": [1, 2]}, root_dpath=tmp_path / "new\nline")
    assert not (tmp_path / "new\nline").exists()
