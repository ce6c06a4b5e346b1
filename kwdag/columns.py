"""Rows with differing keys as columns, and the columns as a table in which 1, 1.0 and True stay apart.

Knows the names of columns; where rows come from and what is made of tables is for others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kwdag.cells import encodable

if TYPE_CHECKING:
    import pandas as pd

IDENTITY = ("region_id", "param_hashid")
OWN_COLUMNS = ("node", "job_id", "dpath")
#: Why a job has no row.
STATE_COLUMNS = ("state", "reason")
#: What a job's status says of its run: seconds since the epoch, seconds, bytes; NaN where not recorded.
JOB_NUMBERS = ("job.start", "job.stop", "job.wall", "job.cpu", "job.max_rss")
JOB_TEXTS = ("job.host", "job.backend")

#: Whose row it is: no result can say otherwise.
RESERVED = frozenset([*IDENTITY, *OWN_COLUMNS])
_FIRST = RESERVED.union(STATE_COLUMNS)


@dataclass(slots=True)
class Columns:
    """Rows, kept as one list per key; a value that a row lacks is None.

    ``always``: the columns that the table has even without rows.
    """

    n_rows: int = 0
    lists: dict[str, list[Any]] = field(default_factory=dict)
    always: Sequence[str] = OWN_COLUMNS
    _names: tuple[str, ...] = ()
    _columns: list[list[Any]] = field(default_factory=list)

    def append(self, row: Mapping[str, Any]) -> None:
        names = tuple(row)
        # most rows have the names of the one before, which keeps their columns level
        if names == self._names:
            for column, value in zip(self._columns, row.values(), strict=True):
                column.append(value)
        else:
            for name, value in row.items():
                self._level(name).append(value)
            self._names, self._columns = names, [self.lists[name] for name in names]
        self.n_rows += 1

    def _level(self, name: str) -> list[Any]:
        """A column as long as there are rows."""
        column = self.lists.setdefault(name, [])
        column.extend([None] * (self.n_rows - len(column)))
        return column

    def table(self) -> pd.DataFrame:
        """A DataFrame: whose row it is, then parameters, metrics and whatever else was reported."""
        import pandas as pd

        for name in (*self.always, *self.lists):
            self._level(name)
        names = sorted(self.lists, key=_kind)  # within a kind as first seen
        return pd.DataFrame({encodable(name): _typed(name, self.lists[name]) for name in names})


def is_metric(name: str) -> bool:
    return name.startswith("metrics.")


def _kind(name: str) -> int:
    if name in _FIRST:
        return 0
    return 1 if name.startswith("params.") else 2 if is_metric(name) else 3


def _typed(name: str, values: list[Any]) -> pd.Series:
    """A column that keeps ints as ints and, for parameters, 1 and 1.0 and True apart."""
    import pandas as pd

    if name in JOB_NUMBERS:
        return pd.Series(values, dtype="float64")
    types = set(map(type, values))
    if types == {str}:
        return texts(values)
    if len(types) == 1 and types <= {float, bool}:
        return pd.Series(values)
    if is_metric(name) and types <= {int, type(None)}:
        return _numbers(values, "int64" if types == {int} else "Int64")
    if is_metric(name) and types <= {int, float, type(None)}:
        return _numbers(values, "float64")
    return _numbers(values, "int64") if types == {int} else pd.Series(values, dtype=object)


def texts(values: Sequence[str]) -> pd.Series:
    """A column of texts, also of such that no encoding takes."""
    import pandas as pd

    try:
        return pd.Series(values, dtype="str")
    except UnicodeEncodeError:  # half a surrogate pair; pyarrow holds UTF-8 only
        return pd.Series(values, dtype=object)


def _numbers(values: Iterable[Any], dtype: str) -> pd.Series:
    import pandas as pd

    try:
        return pd.Series(values, dtype=dtype)
    except (OverflowError, TypeError):  # an int of more than 64 bits
        return pd.Series(values, dtype=object)
