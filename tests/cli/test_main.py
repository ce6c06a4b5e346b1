from __future__ import annotations

import json
import subprocess
import sys

import pytest

import kwdag as package
from kwdag.cli import COMMANDS

HEAVY = {"pandas", "numpy", "networkx", "torch", "rich", "yaml", "cmd_queue", "ubelt"}


def imported(*argv: str) -> set[str]:
    """The packages that a command of `kwdag` imports."""
    program = (
        "import sys, json, kwdag.cli\n"
        "try: kwdag.cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, text=True, check=True)
    return set(json.loads(found.stderr))


@pytest.mark.parametrize(
    "argv", [("--help",), ("schedule", "--help"), ("aggregate", "--help"), ("--version",)]
)
def test_help_imports_nothing_heavy(folder, argv):
    assert not imported(*argv) & HEAVY


def test_a_rerun_and_status_do_without_pandas(kwdag, project):
    run = ("schedule", "--params=params.yaml", "--root_dpath=out", "--run=1")
    kwdag(*run)
    assert not imported(*run, "--print_queue=0") & (HEAVY - {"yaml"})
    assert not imported("status", "out") & (HEAVY - {"yaml"})


def test_help_of_kwdag(kwdag, golden):
    found = kwdag("--help")
    assert (found.code, found.err) == (0, "")
    golden("help", found.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(kwdag, golden, command):
    found = kwdag(command, "--help")
    assert (found.code, found.err) == (0, "")
    golden(f"help_{command}", found.out)


def test_without_a_command_there_is_help_and_exit_code_2(kwdag):
    found = kwdag()
    assert (found.code, found.out) == (2, "")
    assert "Commands:" in found.err


def test_the_version(kwdag):
    assert kwdag("--version").out == f"kwdag, version {package.__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script(kwdag, shell):
    assert "_KWDAG_COMPLETE" in kwdag("completion", shell).out


def completions(line: str) -> list[str]:
    program = "import sys; sys.argv[0] = 'kwdag'; from kwdag.cli import main; main()"
    env = {"_KWDAG_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    found = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    return [text.partition(",")[2] for text in found.stdout.splitlines()]


def test_commands_and_options_are_completed():
    assert completions("kwdag sch") == ["schedule"]
    assert completions("kwdag schedule --root") == ["--root_dpath"]
    assert completions("kwdag completion z") == ["zsh"]


def test_a_reader_that_leaves_early_is_no_error(project):
    schedule = "kwdag schedule --params=params.yaml --root_dpath=out --print_commands=1"
    argv = f"{sys.executable} -m {schedule} | head -1"
    found = subprocess.run(["bash", "-c", argv], capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("pipeline    pipe.yaml\n", "")
