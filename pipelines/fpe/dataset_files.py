"""Where a station's datasets and models lie, and how their tables are written and read.

What is in the tables does not belong here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipelines.errors import BadInput
from pipelines.fpe.settings import at_home

if TYPE_CHECKING:
    import pandas as pd

TIMES = {"timestamp", "left.timestamp", "right.timestamp"}
TEXTS = ("filename", "url", "rank", "true_rank", "comment", "attributes", "timestamp")
NUMBERS = {"image_id": "i", "imageId": "i", "value": "if"}  # kinds of numpy; all empty is float


def folder_of(given: str | None, directory: str, station_id: int | None, *parts: str | None) -> Path:
    """``given``, else `<directory>/<station id>/<parts>`.

    Raises:
        BadInput: neither is said in full, or a part is no name of a folder.
    """
    if given:
        return Path(at_home(given))
    if station_id is None:
        raise BadInput("neither the station nor a folder is given", hint="see --station-id")
    for part in parts:
        if not part:
            raise BadInput("neither a code nor a folder is given", hint="see --help")
        if part in (".", "..") or "/" in part:
            raise BadInput(f"{part!r} is no name of a folder")
    return Path(at_home(directory), str(station_id), *map(str, parts))


def refuse_existing(folder: Path, names: Sequence[str], overwrite: bool) -> None:
    """Raises BadInput if ``folder`` has any of the files, unless they may be replaced."""
    existing = [name for name in names if (folder / name).exists()]
    if existing and not overwrite:
        raise BadInput(f"has {existing[0]} already", where=folder, hint="--overwrite replaces it")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """CSV with times as 2022-12-20T14:54:55Z (with a fraction where one has it), missing values empty."""
    times = {str(name): table[name].map(_zulu) for name in table if "timestamp" in str(name)}
    table.assign(**times).to_csv(path, index=False, lineterminator="\n")


def read_table(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """A table that `write_table` has written: its times in UTC, its texts as they stand.

    Raises:
        BadInput: it is missing, is no such table, lacks a column of ``needed``, or has no number or time
            where one belongs.
    """
    import pandas as pd

    # an image may be called NA; nothing but an empty field is missing
    texts: dict[Any, Any] = {name: "str" for name in needed if name.rpartition(".")[2] in TEXTS}
    try:
        table = read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from None
    except ValueError as error:  # pandas' own of a torn line, no line at all, another encoding
        raise BadInput(f"is no table ({error})", where=path) from None
    for name in needed:
        if name not in table:
            raise BadInput(f"has no column {name!r}", where=path)
        kinds = NUMBERS.get(name.rpartition(".")[2])
        if kinds and len(table) and table[name].dtype.kind not in kinds:
            raise BadInput(f"has something else than numbers in {name!r}", where=path)
    for name in TIMES & set(table):
        table[name] = pd.to_datetime(table[name], utc=True, format="ISO8601", errors="coerce")
        if table[name].isna().any():
            raise BadInput(f"has something else than times in {name!r}", where=path)
    return table


def read_csv(path: Path, **how: Any) -> pd.DataFrame:
    """What pandas reads, but never the first cells of rows that have too many as the names of rows.

    Raises:
        ValueError: this is no table, or some row has more cells than there are columns.
        OSError: it cannot be read.
    """
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(path, index_col=False, **how)
        except pd.errors.ParserWarning:
            raise ValueError("more cells in a row than columns") from None


def span(times: pd.Series, timezone: ZoneInfo) -> dict[str, Any]:
    """Count, first and last of the times (UTC), as ISO 8601 with the local offset; null where none is."""
    local = times.dt.tz_convert(timezone)
    ends = (None, None) if local.empty else (local.min().isoformat(), local.max().isoformat())
    return {"count": len(local), "start": ends[0], "end": ends[1]}


def underscored(token: str) -> str:
    """For click's `token_normalize_func`: `--min_hour`, as kwdag writes a parameter, is `--min-hour`."""
    return token.replace("_", "-")


def _zulu(time: Any) -> str:
    return time.isoformat().replace("+00:00", "Z")
