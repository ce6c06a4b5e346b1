"""What a user of a program sees when something is wrong, and what is left on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kwdag.errors import MatrixError
from pipelines import program
from pipelines.errors import BadInput


@click.command()
@click.option("--dst", type=click.Path(path_type=Path))
@click.option("--sizes", type=int, multiple=True)
@click.option("-f", "--flag", type=bool, default=False)
@click.option("--fail", default="")
def sample(dst: Path | None, sizes: tuple[int, ...], flag: bool, fail: str) -> None:
    """A program."""
    if fail == "bad":
        raise BadInput("has no\nband 'nir'", where="a.tif", hint="look again")
    if fail == "matrix":
        raise MatrixError("no such thing")
    if fail == "library":
        import no_such_library  # noqa: F401
    if fail == "fault":
        raise ZeroDivisionError
    print(sizes, flag)
    if dst:
        program.write_json(dst, {"b": 1, "a": 2})


def exit_code(*argv: str) -> int:
    with pytest.raises(SystemExit) as end:
        program.run(sample, argv)
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--fail=bad"], "error: a.tif: has no band 'nir'; look again"),
        (["--fail=matrix"], "error: no such thing"),
        (["--fail=library"], "error: needs no_such_library; pip install 'kwdag[geo]'"),
        (["--nothing=1"], "error: No such option"),
        (["--sizes=x"], "error: Invalid value for '--sizes'"),
        (["--flag=perhaps"], "error: Invalid value for '-f' / '--flag'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(argv, line, capsys):
    assert exit_code(*argv) == 2
    out, err = capsys.readouterr()
    assert err.startswith(line) and err.count("\n") == 1 and out == ""


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        program.run(sample, ["--fail=fault"])


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        (["--sizes", "1", "2", "--flag=True"], "(1, 2) True"),
        (["--sizes=1", "2", "3", "--flag", "0"], "(1, 2, 3) False"),
        (["--sizes=1", "--sizes=2"], "(1, 2) False"),
        (["--sizes", "1", "-2", "-f", "1"], "(1, -2) True"),
        ([], "() False"),
    ],
)
def test_lists_are_several_values(argv, printed, capsys):
    assert exit_code(*argv) == 0
    assert capsys.readouterr().out.strip() == printed


@pytest.mark.parametrize(("path", "said"), [(".", "is a folder"), ("/proc/none/x.json", "cannot be made")])
def test_where_no_file_can_be_is_said(path, said):
    with pytest.raises(BadInput, match=said), program.writing(path):
        pytest.fail("not written")


def test_an_output_is_there_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "out.json"
    with pytest.raises(RuntimeError), program.writing(target) as temporary:
        assert temporary.suffix == ".json"
        temporary.write_text("half")
        raise RuntimeError
    assert list(target.parent.iterdir()) == []
    assert exit_code(f"--dst={target}") == 0
    assert target.read_text() == '{\n "a": 2,\n "b": 1\n}\n'


KILLED = """
import sys, time
from pathlib import Path
import click
from pipelines import program

@click.command()
@click.argument("target", type=Path)
@click.option("--wait", default=0)
def command(target, wait):
    with program.staged(target.parent, last=target) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "picture").write_text("new")
        (folder / target.name).write_text("new")
        print("half", flush=True)
        time.sleep(wait)

program.run(command)
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("before", [False, True])
def test_a_program_that_is_stopped_leaves_things_as_they_were(signum, before, tmp_path):
    target = tmp_path / "out" / "list"
    if before:
        target.parent.mkdir()
        target.write_text("old")
    assert stopped(signum, target) == (130 if signum == signal.SIGINT else -signum)
    assert files(tmp_path) == ({"out/list": "old"} if before else {})
    assert target.parent.exists() == before


def test_what_a_killed_program_left_is_cleared_by_the_next(tmp_path):
    target = tmp_path / "out" / "list"
    assert stopped(signal.SIGKILL, target) == -signal.SIGKILL
    (hidden,) = target.parent.iterdir()
    assert hidden.name.startswith(".")
    assert subprocess.run([sys.executable, "-c", KILLED, target]).returncode == 0
    assert files(tmp_path) == {"out/deep/picture": "new", "out/list": "new"}


def stopped(signum, target):
    """The exit code of a program that gets a signal when half of its work is done."""
    command = [sys.executable, "-c", KILLED, str(target), "--wait=60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signum)
    return process.returncode


def files(folder):
    return {str(f.relative_to(folder)): f.read_text() for f in folder.rglob("*") if f.is_file()}


def test_staged_files_move_into_folders_that_are_there(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mine").write_text("old")
    with program.staged(tmp_path, last=tmp_path / "list") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "its").write_text("new")
    assert files(tmp_path) == {"deep/its": "new", "deep/mine": "old"}


def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert exit_code(f"--dst={tmp_path}/file/out.json") == 2
    assert f"error: {tmp_path}/file/out.json: cannot be written" in capsys.readouterr().err


def test_a_staging_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BadInput, match=rf"^{tmp_path}/file/deep: cannot be written \(Not a directory\)"),
        program.staged(tmp_path / "file" / "deep", last=tmp_path / "file" / "deep" / "x"),
    ):
        pass


def test_folders_that_were_made_for_nothing_go_again(tmp_path):
    (tmp_path / "there").mkdir()
    deep = tmp_path / "there" / "a" / "b"
    with pytest.raises(ZeroDivisionError), program.staged(deep, last=deep / "list") as folder:
        (folder / "list").write_text("new")
        raise ZeroDivisionError
    program.check_writable(deep)
    assert list((tmp_path / "there").iterdir()) == []


def test_a_folder_that_cannot_be_written_in_is_known_before(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(BadInput, match=rf"^{folder}: cannot be written"):
            program.check_writable(folder)
    (tmp_path / "check").write_text("mine")
    program.check_writable(tmp_path)
    assert files(tmp_path) == {"file": "", "check": "mine"}


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe"])
def test_json_that_cannot_be_read_is_named(content, tmp_path):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=str(path)):
        program.read_json(path)


def test_the_installed_way_to_start_a_program(tmp_path):
    command = [sys.executable, "-m", "pipelines.geowatch.ingest", f"--src={tmp_path}/no", "--dst=x"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"error: {tmp_path}/no: no such folder\n"


def test_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        program.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not (tmp_path / "a.json").exists()
