"""The errors a user can meet: what happened, where, and what to do.

Nothing here prints or exits; the command line turns an error into one or two lines.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KwdagError(Exception):
    """Something the user can mend.

    Args:
        message: one plain sentence, lower case, no full stop.
        where: the file (and line) or the option that it is about.
        hint: what to do about it, often the nearest valid name.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None):
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.hint}" if self.hint else text


class MatrixError(KwdagError):
    """The params document is malformed or names something that does not exist."""


class PipelineError(KwdagError):
    """The pipeline cannot be found, imported or wired."""


class PlanError(KwdagError):
    """The rows do not resolve to jobs: a missing input, an unknown key, a colliding id."""


class RootError(KwdagError):
    """The root directory cannot be used as asked."""


class ResultError(KwdagError):
    """Results cannot be found, read or ranked as asked."""


class BackendError(KwdagError):
    """The chosen backend is missing or refuses what it was asked."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that ``name`` most likely stands for, or None.

    >>> nearest("parm1", ["param1", "src_fpath"])
    'param1'
    """
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """A hint that names the nearest valid name, else all of them when they are few.

    >>> did_you_mean("tmx", ["serial", "tmux"])
    "did you mean 'tmux'?"
    >>> did_you_mean("foo", ["serial", "tmux"])
    'known: serial, tmux'
    """
    names = sorted(names)
    close = nearest(name, names)
    if close is not None:
        return f"did you mean {close!r}?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= 12 else None
