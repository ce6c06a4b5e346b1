"""The one error that programs of these pipelines raise for what its user can mend.

Nothing here prints or exits; `program.run` turns the error into its line and exit code 2.
"""

from __future__ import annotations

import os

from kwdag.errors import KwdagError


class BadInput(KwdagError):
    """A file, a value or a combination of them that a program cannot work with.

    Args:
        message: one plain sentence, lower case, no full stop, naming the value.
        where: the file or the option that it is about.
        hint: what to do about it.
    """

    def __init__(self, message: str, where: str | os.PathLike[str] | None = None, hint: str | None = None):
        place = None if where is None else os.fspath(where)
        super().__init__(" ".join(message.split()), where=place, hint=hint)
