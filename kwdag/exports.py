"""Result tables as files: csv, parquet, Excel, Markdown and LaTeX; each appears whole or not at all.

What a format cannot hold is refused before anything is written; reading targets back belongs elsewhere.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kwdag import excel
from kwdag.cells import as_json, encodable, is_missing, is_nested, is_utf8, plain
from kwdag.errors import ResultError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

_OTHER_NAMES = {"markdown": "md", "latex": "tex", "excel": "xlsx"}
_LIBRARIES = {
    "csv": (),
    "parquet": ("pyarrow",),
    "xlsx": ("openpyxl",),
    "md": ("tabulate",),
    "tex": ("jinja2",),
}
_METADATA = b"kwdag"


def export(tables: Mapping[str, pd.DataFrame], folder: Path, formats: Iterable[str]) -> list[Path]:
    """Write each node's table to `<folder>/<node>.<format>`; the paths, in the order of nodes and formats.

    Lists and mappings are JSON text in all formats. Parquet gives every table back as it was (see
    ``read_parquet``), csv and Excel all but the types of some values; Markdown and LaTeX are for readers.

    Raises:
        ResultError: an unknown format, a missing library, a table too large for Excel (nothing is written
            then), or the disk refuses.
    """
    formats = check_formats(formats)
    if "xlsx" in formats:
        for node, table in tables.items():
            excel.check_fits(table, f"{node}.xlsx")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _replace(folder / f"{node}.{name}", _WRITERS[name], table, node)
            for node, table in tables.items()
            for name in formats
        ]
    except OSError as error:
        raise ResultError(f"cannot write: {error.strerror}", where=str(error.filename or folder)) from error


def check_formats(formats: Iterable[str]) -> list[str]:
    """The formats by their file endings, each once.

    Raises ResultError for an unknown one or a missing library.

    >>> check_formats(["csv", "LaTeX", "csv"])
    ['csv', 'tex']
    """
    found = []
    for asked in formats:
        name = _OTHER_NAMES.get(asked.lower(), asked.lower().removeprefix("."))
        if name not in _LIBRARIES:
            hint = did_you_mean(name, [*_LIBRARIES, *_OTHER_NAMES])
            raise ResultError(f"cannot export {asked!r}", where="export_tables", hint=hint)
        for library in _LIBRARIES[name]:
            if importlib.util.find_spec(library) is None:
                raise ResultError(f"{name} needs {library}", where="export_tables",
                                  hint="pip install 'kwdag[tables]'")  # fmt: skip
        found.append(name)
    return list(dict.fromkeys(found))


def _replace(path: Path, write: Callable[..., None], table: pd.DataFrame, node: str) -> Path:
    """Write by rename: a reader sees the old file or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            write(table, file, node)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
    return path


# -- csv -------------------------------------------------------------------------------------------


def _write_csv(table: pd.DataFrame, file: IO[bytes], node: str) -> None:
    flat = {name: _mapped(table[name], _flat) for name in _object_columns(table)}
    table.assign(**flat).to_csv(file, index=False, errors="backslashreplace")


def _mapped(column: pd.Series, function: Callable[[Any], Any]) -> pd.Series:
    """Each value by itself; ``Series.map`` would make floats of ints, and refuse half a surrogate pair."""
    import pandas as pd

    return pd.Series([function(value) for value in column.tolist()], index=column.index, dtype=object)


def _flat(value: Any) -> Any:
    return as_json(value) if is_nested(value) else value


def _object_columns(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if table[name].dtype == object]


# -- parquet ---------------------------------------------------------------------------------------


def _write_parquet(table: pd.DataFrame, file: IO[bytes], node: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {name: _kind(table[name].tolist()) for name in _object_columns(table)}
    encoded = {name: _json_column(table[name]) for name, kind in kinds.items() if kind == "json"}
    arrow = pa.Table.from_pandas(table.assign(**encoded), preserve_index=False)
    note = {_METADATA: json.dumps({"schema": 1, "objects": kinds}).encode()}
    pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **note}), file)


def _kind(values: Sequence[Any]) -> str:
    """`plain` where Arrow has one type for all values, else `json`: 1, 1.0, True and '1' stay four values."""
    types = {type(value) for value in values if value is not None}
    if types == {str} and all(is_utf8(value) for value in values if value is not None):
        return "plain"
    if types == {int} and all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return "plain"
    return "plain" if types == {bool} else "json"


def _json_column(column: pd.Series) -> pd.Series:
    return column.map(lambda value: None if value is None else json.dumps(value, default=plain)).astype(
        object
    )


def read_parquet(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table as it was exported, value by value; one that is not from here as pandas reads it."""
    import pandas as pd
    import pyarrow.parquet as pq

    arrow = pq.read_table(path)
    note = json.loads((arrow.schema.metadata or {}).get(_METADATA, b"{}"))
    table = arrow.to_pandas()
    for name, kind in note.get("objects", {}).items():
        values = arrow.column(name).to_pylist()
        if kind == "json":
            values = [None if value is None else json.loads(value) for value in values]
        table[name] = pd.Series(values, index=table.index, dtype=object)
    return table


# -- for readers -----------------------------------------------------------------------------------


def _readable(value: Any) -> str:
    """A value on one line; six digits of a number, nothing for what is missing."""
    if is_missing(value):
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(encodable(as_json(value) if is_nested(value) else str(value)).split())


# An underscore inside a word is no emphasis.
_MARKUP = re.compile(r"[\\`*<>\[\]|~&]|(?<![^\W_])_|_(?![^\W_])")


def _write_markdown(table: pd.DataFrame, file: IO[bytes], node: str) -> None:
    from tabulate import tabulate

    names = [_MARKUP.sub(r"\\\g<0>", _readable(name)) for name in table.columns]
    columns = [
        [_MARKUP.sub(r"\\\g<0>", _readable(value)) for value in table[name].tolist()]
        for name in table.columns
    ]
    text = tabulate(
        list(zip(*columns, strict=True)), names, "pipe", disable_numparse=True, colalign=_alignments(table)
    )
    file.write(text.encode() + b"\n")


def _alignments(table: pd.DataFrame) -> list[str]:
    from pandas.api.types import is_numeric_dtype

    return ["right" if is_numeric_dtype(table[name].dtype) else "left" for name in table.columns]


def _write_latex(table: pd.DataFrame, file: IO[bytes], node: str) -> None:
    import pandas as pd

    texts = {_readable(name): list(map(_readable, table[name].tolist())) for name in table.columns}
    alignment = "".join(side[0] for side in _alignments(table))
    latex = pd.DataFrame(texts, dtype=object).to_latex(index=False, escape=True, column_format=alignment)
    file.write(latex.encode())


_WRITERS: dict[str, Callable[..., None]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "xlsx": excel.write,
    "md": _write_markdown,
    "tex": _write_latex,
}
