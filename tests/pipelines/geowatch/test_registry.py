"""`kwdag registry`, called as a user would, with its file in a folder of the test."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest

from kwdag import cli
from pipelines.geowatch import registry_file

POINTS = [
    EntryPoint("manager", "pipelines.geowatch.manager:command", "kwdag.commands"),
    EntryPoint("registry", "pipelines.geowatch.registry:command", "kwdag.commands"),
]


@pytest.fixture
def kwdag(tmp_path, monkeypatch, capsys):
    """Call a command line of kwdag that has the two commands; gives exit code, output, complaints."""
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: POINTS)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)

    def call(*argv):
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(list(map(str, argv)))
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return call


@pytest.fixture
def filled(kwdag, tmp_path):
    """Four entries; that of the highest priority is not there."""
    for name, hardware, priority, tags in (
        ("slow", "hdd", 50, "phase2_expt,big"),
        ("fast", "ssd", 10, "phase2_expt"),
        ("data", "hdd", 20, "phase2_data"),
        ("gone", "ssd", 99, "phase2_expt"),
    ):
        if name != "gone":
            (tmp_path / name).mkdir()
        code, _, err = kwdag("registry", "add", f"--name={name}", f"--path={name}", f"--hardware={hardware}",
                             f"--priority={priority}", f"--tags={tags}")  # fmt: skip
        assert (code, bool(err)) == (0, name == "gone")
    return kwdag


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["find", "--tags=phase2_expt"], "slow"),
        (["--tags=phase2_expt"], "slow"),
        (["--tags", "phase2_expt"], "slow"),
        (["find", "--tags=phase2_expt", "--hardware=auto"], "fast"),
        (["find", "--tags=phase2_expt", "--hardware=ssd"], "fast"),
        (["find", "--tags=phase2_data", "--hardware=auto"], "data"),
        (["find", "--tags=big,phase2_expt"], "slow"),
        (["find", "--name=data"], "data"),
        (["find"], "slow"),
    ],
)
def test_find_prints_the_best_folder_that_exists(filled, tmp_path, asked, found):
    assert filled("registry", *asked) == (0, f"{tmp_path / found}\n", "")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("find --name=dat", "nothing is registered for --name=dat; did you mean 'data'?"),
        ("find --tags=phase2_exp",
         "nothing is registered for --tags=phase2_exp; did you mean 'phase2_expt'?"),
        ("find --name=gone", "no folder of --name=gone exists here: {here}/gone"),
        ("add --name=slow --path=x",
         "--name: 'slow' is taken by {here}/slow; kwdag registry set changes it"),
        ("add --name=x --path=a\nb",
         "registry add: invalid value for '--path': 'a\\nb' is not a path that fits on one line"),
        ("set --name=slo --priority=1", "--name: nothing is registered as 'slo'; did you mean 'slow'?"),
        ("set --name=slow", "nothing to change; give --path, --hardware, --priority or --tags"),
        ("remove --name=slo", "--name: nothing is registered as 'slo'; did you mean 'slow'?"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_changes_nothing(filled, tmp_path, asked, said):
    before = registry_file.path().read_bytes()
    assert filled("registry", *asked.split(" ")) == (2, "", f"kwdag: {said.format(here=tmp_path)}\n")
    assert registry_file.path().read_bytes() == before


def test_set_changes_what_is_given_and_keeps_the_rest(filled, tmp_path):
    assert filled("registry", "set", "--name=gone", "--path=fast", "--tags=")[0] == 0
    entries = {one.name: one for one in registry_file.read(registry_file.path())}
    assert entries["gone"] == registry_file.Entry("gone", str(tmp_path / "fast"), "ssd", 99, ())


def test_remove_forgets_the_entry_and_keeps_the_folder(filled, tmp_path):
    assert filled("registry", "remove", "--name=slow") == (0, "", "")
    assert (tmp_path / "slow").is_dir()
    assert filled("registry", "--tags=phase2_expt")[1] == f"{tmp_path / 'fast'}\n"


def test_list_has_a_line_for_each_entry_best_first(filled, tmp_path):
    _, out, _ = filled("registry", "list")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["name", "exists"], ["gone", "False"], ["slow", "True"], ["data", "True"], ["fast", "True"],
    ]  # fmt: skip
    entries = json.loads(filled("registry", "list", "--json")[1])["entries"]
    assert entries[1] == {
        "name": "slow", "path": str(tmp_path / "slow"), "hardware": "hdd", "priority": 50,
        "tags": ["phase2_expt", "big"], "exists": True,
    }  # fmt: skip


def test_a_long_path_is_one_line_in_a_narrow_terminal(tmp_path):
    deep = tmp_path / ("a long name with spaces " * 8).strip() / ("x" * 60)
    deep.mkdir(parents=True)
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "20"}
    program = [sys.executable, "-m", "pipelines.geowatch.registry"]
    subprocess.run([*program, "add", "--name=deep", f"--path={deep}", "--tags=t"], env=env, check=True)
    shell = 'cd "$("$@")" && pwd'
    done = subprocess.run(
        ["bash", "-c", shell, "bash", *program, "--tags=t"], env=env, text=True, capture_output=True
    )
    assert done.stdout == f"{deep}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is damaged: not JSON; mend or delete it"),
        ("[]", "is damaged: no registry; mend or delete it"),
        ('{"schema": "kwdag.registry", "version": 9, "entries": []}', "has version 9; this kwdag knows 1"),
        ('{"schema": "kwdag.registry", "version": 1, "entries": [3]}',
         "is damaged: not an entry: 3; mend or delete it"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", [["list"], ["add", "--name=x", "--path=."]])
def test_a_damaged_file_is_named_and_kept(kwdag, content, said, verb):
    file = registry_file.path()
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert kwdag("registry", *verb) == (2, "", f"kwdag: {file}: {said}\n")
    assert file.read_text() == content


def test_a_registry_that_is_a_link_stays_one(kwdag, tmp_path):
    file = registry_file.path()
    file.parent.mkdir(parents=True)
    file.symlink_to(tmp_path / "dotfiles.json")
    assert kwdag("registry", "add", "--name=x", "--path=.")[0] == 0
    assert file.is_symlink()
    assert [one.name for one in registry_file.read(tmp_path / "dotfiles.json")] == ["x"]


def _register(file: Path, worker: int) -> None:
    for number in range(10):
        with registry_file.changing(file) as entries:
            entry = registry_file.Entry(f"{worker}-{number}", "/")
            entries[entry.name] = entry


def test_writers_at_once_lose_nothing(tmp_path):
    file = tmp_path / "registry.json"
    writers = [
        multiprocessing.get_context("fork").Process(target=_register, args=(file, n)) for n in range(4)
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert len(registry_file.read(file)) == 40
    assert sorted(one.name for one in tmp_path.iterdir()) == ["registry.json", "registry.lock"]


def test_the_help_lists_the_commands_of_pipelines(kwdag):
    _, out, _ = kwdag("--help")
    assert "Commands of pipelines:\n  manager   Say what models" in out
    code, _, err = kwdag("registy")
    assert (code, err) == (2, "kwdag: no command 'registy'; did you mean 'registry'?\n")


def test_a_command_that_cannot_be_loaded_hurts_no_other(kwdag, monkeypatch):
    broken = [EntryPoint("broken", "no_such_module:command", "kwdag.commands"),
              EntryPoint("wrong", "os:sep", "kwdag.commands"),
              EntryPoint("status", "no_such_module:command", "kwdag.commands")]  # fmt: skip
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: broken)
    said = "no_such_module:command: command 'broken' cannot be loaded: No module named 'no_such_module'"
    assert kwdag("broken") == (2, "", f"kwdag: {said}\n")
    assert kwdag("wrong") == (2, "", "kwdag: os:sep: command 'wrong' is no click command\n")
    code, out, _ = kwdag("--help")
    assert code == 0 and "cannot be loaded" in " ".join(out.split())
    assert isinstance(cli.LazyGroup().get_command(click.Context(cli.cli), "status"), click.Command)


def test_the_two_commands_import_nothing_heavy():
    program = (
        "import sys, pipelines.geowatch.manager, pipelines.geowatch.registry\n"
        "print(sorted({'pandas', 'numpy', 'torch', 'dvc', 'rich', 'yaml', 'networkx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
