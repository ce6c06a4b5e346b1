"""How a click command becomes a program: its exit codes, its one line of complaint, its output files.

What a program computes does not belong here.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from kwdag.errors import KwdagError
from kwdag.signals import Interrupted, stopping
from pipelines.errors import BadInput

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def run(command: click.Command, argv: Sequence[str] | None = None) -> NoReturn:
    """Run ``command`` and exit: 0 done, 2 bad input or no such library (a line `error: ...` on stderr).

    Values that follow an option declared with `multiple=True` belong to it: `--x 1 2` is `--x=1 --x=2`.
    Anything else that goes wrong is a fault of ours and keeps its traceback. SIGTERM and SIGHUP unwind like
    Ctrl-C, so that nothing half-written stays, and then end the process as they would have.
    """
    arguments = _spread(command, list(sys.argv[1:] if argv is None else argv))
    try:
        with stopping():
            command.main(arguments, prog_name=_name(command), standalone_mode=False)
    except Interrupted as stop:
        code = _end_by(stop.signum)
    except KwdagError as error:
        code = _complain(str(error))
    except click.UsageError as error:
        code = _complain(error.format_message())
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "kwdag", "pipelines"):
            raise
        extra = "fpe" if ".fpe." in _name(command) else "geo"
        code = _complain(f"needs {missing}; pip install 'kwdag[{extra}]'")
    except (KeyboardInterrupt, click.Abort):
        code = INTERRUPTED
    else:
        code = 0
    sys.exit(code)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # where none can be made, as below /proc
        raise BadInput(f"cannot be made ({error.strerror})", where=folder) from None


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside ``path`` that becomes it when the block ends, and goes when it fails.

    The temporary name keeps the suffix, by which writers choose a format; folders are made.

    Raises:
        BadInput: the folder cannot be made or written in.
    """
    path = Path(path)
    if not path.name:
        raise BadInput("is a folder, not a file to write", where=path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        _make_folder(path.parent)
        yield temporary
        temporary.replace(path)
    except (PermissionError, NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise BadInput(f"cannot be written ({error.strerror})", where=path) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def staged(folder: str | os.PathLike[str], last: str | os.PathLike[str]) -> Iterator[Path]:
    """A hidden folder in ``folder`` whose files take the same places in it when the block ends.

    All of them go when it fails. What another run left there that was killed outright goes, too.

    Args:
        last: the file that says that the others are there, in ``folder`` or elsewhere: an older one goes
            before any of them moves, and it moves last.

    Raises:
        BadInput: a folder or a file cannot be made.
    """
    folder, last = Path(folder), Path(last)
    hidden = folder / f".{os.getpid()}.{last.name}"
    with _there(folder):
        try:
            with _told(folder):
                hidden.mkdir(exist_ok=True)
                _sweep(folder, last.name)
            yield hidden
            with _told(folder):
                _move(hidden, folder, last)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Look whether a file can be made in ``folder``, before work that would be lost; nothing of it stays.

    Raises:
        BadInput: the folder or a file cannot be made.
    """
    with _there(Path(folder)), _told(Path(folder)), tempfile.TemporaryFile(dir=folder):
        pass


@contextlib.contextmanager
def _there(folder: Path) -> Iterator[None]:
    """A folder with those above it; which of them were made goes again, if nothing is in it in the end."""
    with _told(folder):
        made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for one in made:
            with contextlib.suppress(OSError):  # it holds something now
                one.rmdir()


def _move(hidden: Path, folder: Path, last: Path) -> None:
    last.unlink(missing_ok=True)  # it must not list files that are not its own
    files = [path.relative_to(hidden) for path in hidden.rglob("*") if path.is_file()]
    for name in sorted(files, key=lambda name: (folder / name == last, name)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (hidden / name).replace(folder / name)


def _sweep(folder: Path, name: str) -> None:
    for left in folder.glob(f".*.{glob.escape(name)}"):
        pid = left.name.removesuffix(f".{name}")[1:]
        if pid.isdecimal() and left.is_dir() and not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _told(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror})", where=where) from None


def write_json(path: str | os.PathLike[str], data: Any) -> None:
    """Write ``data`` with sorted keys, whole or not at all.

    >>> write_json("x.json", {"a": float("nan")})
    Traceback (most recent call last):
    ValueError: Out of range float values are not JSON compliant: nan
    """
    text = json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n"
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_lines(path: str | os.PathLike[str], otherwise: str) -> list[str]:
    """The lines of a text in UTF-8, with or without a byte order mark.

    Raises:
        BadInput: the file cannot be read; it is no such text, which ``otherwise`` says.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from None
    except UnicodeDecodeError:
        raise BadInput(otherwise, where=path) from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """The JSON document in ``path``.

    Raises:
        BadInput: the file is missing, not text or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"is not JSON ({error})", where=path) from None


def _spread(command: click.Command, arguments: list[str]) -> list[str]:
    """Repeat the name of a `multiple` option before every value that follows it."""
    several = {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.multiple
        for name in parameter.opts
    }
    spread: list[str] = []
    option: str | None = None
    for argument in arguments:
        if argument.startswith("--") or re.match(r"-[A-Za-z]", argument):  # -1 is a value
            name, equals, _ = argument.partition("=")
            option = name if name in several else None
            if option is None or equals:
                spread.append(argument)
        elif option is not None:
            spread.append(f"{option}={argument}")
        else:
            spread.append(argument)
    return spread


def _name(command: click.Command) -> str:
    """How the user started this program."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return f"python -m {spec.name}" if spec is not None else (command.name or "program")


def _end_by(signum: int) -> int:
    """End as the signal would have ended the process, so that whoever waits for it sees why."""
    if signum != signal.SIGINT:
        sys.stdout.flush()
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
    return INTERRUPTED


def _complain(text: str) -> int:
    click.echo(f"error: {' '.join(text.split())}", err=True)
    return KwdagError.exit_code
