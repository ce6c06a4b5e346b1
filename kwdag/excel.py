"""A result table as an Excel sheet in which no text is a formula and no number loses a digit.

What Excel has no room for is refused; the other formats are the business of exports.py.
"""

from __future__ import annotations

import math
import re
from typing import IO, TYPE_CHECKING, Any

from kwdag.cells import as_json, is_missing, is_nested, plain
from kwdag.errors import ResultError

if TYPE_CHECKING:
    import pandas as pd

#: Excel's limits: rows with the heading, columns, UTF-16 units in a cell, and digits that a number keeps.
MAX_ROWS, MAX_COLUMNS, MAX_TEXT, MAX_WHOLE = 1_048_576, 16_384, 32_767, 2**53
# What XML 1.0 cannot hold, and the carriage return, which its readers turn into a newline.
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def check_fits(table: pd.DataFrame, where: str) -> None:
    """Raises ResultError where a sheet cannot hold a table."""
    rows, columns = len(table) + 1, len(table.columns)
    for count, limit, what in ((rows, MAX_ROWS, "rows"), (columns, MAX_COLUMNS, "columns")):
        if count > limit:
            raise _too_large(f"{count:,} {what}, Excel has room for {limit:,}", where)
    for name in table.columns:
        if table[name].dtype == object or table[name].dtype == "str":
            longest = max((_units(value) for value in table[name].tolist()), default=0)
            if longest > MAX_TEXT:
                found = f"a value of {name} has {longest:,} characters, Excel has room for {MAX_TEXT:,}"
                raise _too_large(found, where)


def _too_large(what: str, where: str) -> ResultError:
    return ResultError(what, where=where, hint="csv and parquet have no such limit")


def _units(value: Any) -> int:
    """The length of a cell as Excel counts it."""
    cell = _value(value)
    return len(cell.encode("utf-16-le")) // 2 if isinstance(cell, str) else 0


def _value(value: Any) -> Any:
    """A value as Excel can hold it: text, number, bool or nothing."""
    if is_missing(value):
        return None
    if is_nested(value):
        value = as_json(value)
    value = plain(value) if not isinstance(value, str | bool | int | float) else value
    if isinstance(value, str):
        return _NOT_XML.sub(lambda found: found[0].encode("unicode_escape").decode(), value)
    exact = math.isfinite(value) if isinstance(value, float) else abs(value) <= MAX_WHOLE
    return value if exact else str(value)


def write(table: pd.DataFrame, file: IO[bytes], node: str) -> None:
    """Write one sheet, named after the node; numbers of more than 15 digits and infinities become text."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\']|[^ -~]", "-", node)[:31])
    sheet.freeze_panes = "A2"

    def cell(value: Any) -> Any:
        value = _value(value)
        if isinstance(value, float):  # openpyxl itself would write 16 digits, and 1.0 as 1
            exact = WriteOnlyCell(sheet, repr(value))
            exact.data_type = "n"
            return exact
        if isinstance(value, str) and value[:1] in ("=", "#"):  # else a formula, or an error's name
            text = WriteOnlyCell(sheet, value)
            text.data_type = "s"
            return text
        return value

    sheet.append([cell(name) for name in table.columns])
    columns = [table[name].tolist() for name in table.columns]
    for row in zip(*columns, strict=True):
        sheet.append([cell(value) for value in row])
    book.save(file)
