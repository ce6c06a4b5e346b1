"""DVC and git, as far as sharing models and evaluations needs them.

Which files are shared is decided in sync.py. DVC is used through its Python API: its command line would tell
its makers of each use.
"""

from __future__ import annotations

import contextlib
import logging
import re
import subprocess
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kwdag.errors import KwdagError, did_you_mean
from pipelines.errors import BadInput

_ANSI = re.compile(r"\x1b\[[0-9;]*m|<?https://error\.dvc\.org/\S*")


class SharingFailed(KwdagError):
    """DVC or git did not do what it was asked; the same command goes on from there."""

    exit_code = 1


class Store:
    """The DVC repository that an experiment folder lies in, and one of its remotes.

    Args:
        remote: its name, None for the default one.

    Raises:
        BadInput: the folder lies in no DVC repository, or there is no such remote.
    """

    def __init__(self, folder: Path, remote: str | None = None):
        self.folder = folder
        self.remote = remote
        names = list(self._repo.config["remote"])
        default = self._repo.config["core"].get("remote")
        if remote is None and default is None:
            known = f"--dvc_remote is one of {', '.join(names)}" if names else "dvc remote add -d store DIR"
            raise BadInput("no default remote is configured", where=folder, hint=known)
        if (remote or default) not in names:
            raise BadInput(
                f"no remote {remote or default!r}", "--dvc_remote", did_you_mean(remote or default, names)
            )

    @cached_property
    def _repo(self) -> Any:
        try:
            from dvc.exceptions import NotDvcRepoError
            from dvc.repo import Repo
        except ImportError:
            raise BadInput("needs the package dvc", hint="pip install 'kwdag[dvc]'") from None
        # what it would advise we do ourselves, and its errors are raised
        for name in ("dvc", "dvc_data", "dvc_objects"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            return Repo(str(self.folder))
        except NotDvcRepoError:
            raise BadInput(
                "lies in no DVC repository", where=self.folder, hint="dvc init makes one"
            ) from None

    @property
    def name(self) -> str:
        """The name of the remote."""
        return str(self.remote or self._repo.config["core"]["remote"])

    @property
    def uses_git(self) -> bool:
        return not self._repo.config["core"].get("no_scm")

    def add(self, files: Sequence[Path]) -> None:
        """Put files into the cache and write their `.dvc` files."""
        with _told("dvc add"):
            self._repo.add([str(file) for file in files])

    def push(self, files: Sequence[Path]) -> int:
        """Copy what the remote lacks of the files; how many it lacked."""
        with _told("dvc push"):
            return int(self._repo.push(targets=[str(file) for file in files], remote=self.remote))

    def pull(self, files: Sequence[Path]) -> None:
        """Bring the files here; those that can be had come also when others cannot."""
        with _told("dvc pull"):
            self._repo.pull(targets=[str(file) for file in files], remote=self.remote)

    def lacking(self, files: Sequence[Path]) -> set[Path]:
        """Those of the tracked files whose data the remote lacks."""
        with _told("dvc status"):
            status = self._repo.status(targets=[str(file) for file in files], cloud=True, remote=self.remote)
        root = Path(self._repo.root_dir)
        there = {root / name for name, state in status.items() if state in ("new", "missing")}
        return {file for file in files if file in there}


@contextlib.contextmanager
def _told(verb: str) -> Iterator[None]:
    """DVC's errors in one line of ours."""
    from dvc.exceptions import DvcException

    try:
        yield
    except (DvcException, OSError) as error:
        raise SharingFailed(f"{verb}: {' '.join(_ANSI.sub('', str(error)).split())}") from None


def commit(folder: Path, files: Sequence[Path], message: str) -> bool:
    """Commit these files alone, whatever else has changed; False when they are committed already."""
    names = [str(file) for file in files]
    _git(folder, "add", "--", *names)
    if not _git(folder, "diff", "--cached", "--name-only", "--", *names):
        return False
    _git(folder, "commit", "--quiet", "-m", message, "--", *names)
    return True


def git_push(folder: Path) -> bool:
    """Push the branch where it follows another and is ahead of it."""
    if not follows(folder) or _git(folder, "rev-list", "--count", "@{upstream}..HEAD") == "0":
        return False
    _git(folder, "push", "--quiet")
    return True


def git_pull(folder: Path) -> bool:
    """Bring the branch up to the one it follows, if any; never merges."""
    if not follows(folder):
        return False
    _git(folder, "pull", "--quiet", "--ff-only")
    return True


def follows(folder: Path) -> bool:
    """Whether the current branch has one that it follows."""
    try:
        return bool(_git(folder, "rev-parse", "--abbrev-ref", "@{upstream}"))
    except SharingFailed:
        return False


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise SharingFailed(f"git: {error.strerror}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise SharingFailed(f"git {words[0]}: {said}", hint="mend it and run the same command again")
    return done.stdout.strip()
