"""From what a person types to rows of tables: a param_hashid, a job id, or a unique beginning of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kwdag.errors import ResultError, nearest

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("param_hashid", "job_id")
#: So many candidates are named.
SHOWN = 5


def pick_row(tables: Mapping[str, pd.DataFrame], name: str, where: str) -> tuple[str, str]:
    """The column, one of COLUMNS, and the value that a name stands for.

    Raises:
        ResultError: it stands for none, or for several.
    """
    known = {
        column: {str(value) for table in tables.values() for value in table[column].tolist()}
        for column in COLUMNS
    }
    found = [(column, value) for column in COLUMNS for value in known[column] if _begins(name, value)]
    exact = [pair for pair in found if pair[1] == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        close = nearest(name, sorted(set().union(*known.values())))
        raise ResultError(f"no row {name!r}", where=where, hint=close and f"did you mean {close!r}?")
    values = sorted(value for _, value in found)
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    hint = ", ".join(values[:SHOWN]) + more
    raise ResultError(f"{name!r} stands for {len(values)} rows", where=where, hint=hint)


def _begins(name: str, value: str) -> bool:
    """Whether a value, or the hash in a job id, begins with a name."""
    return bool(name) and (value.startswith(name) or value.rpartition("_id_")[2].startswith(name))
