"""Exported tables as targets: rows of csv, parquet and Excel files back as columns.

The identity of a row is the exported one; its values are what the program received, text or number.
"""

from __future__ import annotations

import ast
import csv
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kwdag.cells import as_json, is_missing
from kwdag.columns import IDENTITY, OWN_COLUMNS
from kwdag.errors import ResultError, did_you_mean

NEEDED = (*IDENTITY, *OWN_COLUMNS)
_LIBRARIES = {".csv": None, ".parquet": "pyarrow", ".xlsx": "openpyxl"}
SUFFIXES = tuple(_LIBRARIES)

Row = dict[str, Any]


def is_table(path: Path) -> bool:
    return path.suffix.lower() in _LIBRARIES


def read(path: Path) -> dict[str, list[Row]]:
    """node -> the rows of an exported table, with ``region_id`` and ``param_hashid`` as they stand there.

    Raises:
        ResultError: it cannot be read, or is no table of ours.
    """
    names, rows = _read(path)
    for name in NEEDED:
        if name not in names:
            hint = did_you_mean(name, names) or "only what --export_tables wrote can be read"
            raise ResultError(f"this is no exported table: no column {name!r}", where=str(path), hint=hint)
    found: dict[str, list[Row]] = {}
    for row in rows:
        values = dict(zip(names, row, strict=True))
        found.setdefault(str(values["node"]), []).append(values)
    return found


def _read(path: Path) -> tuple[list[str], list[Sequence[Any]]]:
    suffix = path.suffix.lower()
    library = _LIBRARIES[suffix]
    if library is not None and importlib.util.find_spec(library) is None:
        raise ResultError(f"{suffix} needs {library}", where=str(path), hint="pip install 'kwdag[tables]'")
    try:
        table = {".csv": _csv, ".parquet": _parquet, ".xlsx": _xlsx}[suffix](path)
    except ResultError:
        raise
    except Exception as error:  # which ones a library raises for a damaged file, only it knows
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ResultError(f"cannot read this table: {reason}", where=str(path)) from None
    return [str(name) for name in table[0]] if table else [], table[1:]


def _csv(path: Path) -> list[Sequence[Any]]:
    csv.field_size_limit(sys.maxsize)
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file, strict=True))
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            found = f"row {number} has {len(row)} values for {len(rows[0])} columns"
            raise ResultError(found, where=str(path))
    return [*rows[:1], *_restored_rows(rows)]


def _parquet(path: Path) -> list[Sequence[Any]]:
    from kwdag.exports import read_parquet

    table = read_parquet(path)
    columns = [map(_without_na, table[name].tolist()) for name in table.columns]
    return [list(table.columns), *zip(*columns, strict=True)]


def _without_na(value: Any) -> Any:
    return None if is_missing(value) and not isinstance(value, float) else value


def _xlsx(path: Path) -> list[Sequence[Any]]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        rows = list(book.worksheets[0].iter_rows(values_only=True))
    finally:
        book.close()
    width = max(map(len, rows), default=0)  # a row ends with its last cell that is not empty
    padded = [(*row, *[None] * (width - len(row))) for row in rows]
    return [*padded[:1], *_restored_rows(padded)]


def _restored_rows(rows: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
    """The rows after the first, in which the names stand."""
    names = [str(name) for name in rows[0]] if rows else []
    for row in rows[1:]:
        yield [_restored(name, value) for name, value in zip(names, row, strict=True)]


def _restored(name: str, value: Any) -> Any:
    """A value as it was before it became text.

    Text is read as a number only where that number would be written so: its token, and with it what the
    program received and the identity of the row, is the same either way.
    """
    if not isinstance(value, str) or name in NEEDED:
        return value
    if value == "":
        return None
    for read_back in (_number, _nested):
        found = read_back(value)
        if found is not None:
            return found
    return value


def _number(text: str) -> int | float | bool | None:
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        # what is no number is written as nothing, so that `nan` is a text
        if repr(number) == text != "nan":
            return number
    return None


def _nested(text: str) -> Any:
    """The list or mapping that is written so, as JSON or, in older tables, as Python has it."""
    if text[0] not in "[{":
        return None
    for parse, write in ((json.loads, as_json), (ast.literal_eval, repr)):
        try:
            found = parse(text)
            if isinstance(found, list | dict) and write(found) == text:
                return found
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def real_dpath(dpath: str, known: dict[str, str]) -> str:
    """A job directory by its real path; ``known`` remembers those of roots."""
    root, *inside = dpath.rsplit("/", 2)
    if root not in known:
        known[root] = os.path.realpath(root)
    return "/".join([known[root], *inside])
