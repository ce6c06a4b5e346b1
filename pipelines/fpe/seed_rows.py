"""Which keys of the seed's JSON objects become which columns, and of which kind they must be.

Files stand in seed_files.py, the tables in tables.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from pipelines.errors import BadInput
from pipelines.fpe.tables import CODE_LENGTH, STATUSES

REQUIRED = object()


@dataclass(frozen=True)
class Kind:
    """A kind of value: its name, and how a JSON value becomes it.

    It is none where that raises ValueError, TypeError or OverflowError.
    """

    name: str
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class Column:
    """A column of a table, by the key of the object."""

    kind: Kind
    default: Any = REQUIRED  # for a key that is missing or null
    key: str | None = None  # of the object, where it is not the column's name


Columns = Mapping[str, Column]


def read_row(data: Any, columns: Columns, path: Path, number: int | None = None) -> dict[str, Any]:
    """The columns of a row. A column `id` that is missing is left out: the database gives it.

    Args:
        number: of the object in its file, if that is a list.

    Raises:
        BadInput: a key is missing or of another kind; the message names file, number and key.
    """
    place = "" if number is None else f"[{number}]"
    if not isinstance(data, dict):
        raise BadInput(f"{place} is {unlike(data)}, not an object", where=path)
    row = {name: _value(data, name, column, path, place) for name, column in columns.items()}
    if "id" in row and row["id"] is None:
        del row["id"]
    return row


def unlike(data: Any) -> str:
    """What a JSON value is instead, for messages."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(data), "a number")


def _value(data: dict[str, Any], name: str, column: Column, path: Path, place: str) -> Any:
    key = column.key or name
    found = data.get(key)
    where = f"{place}.{key}".lstrip(".")
    if found is None:
        if column.default is REQUIRED:
            raise BadInput(f"{where}: {'is null' if key in data else 'is missing'}", where=path)
        return column.default
    try:
        return column.kind.read(found)
    except (ValueError, TypeError, OverflowError):
        raise BadInput(f"{where}: {found!r} is not {column.kind.name}", where=path) from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    value.encode()  # half a surrogate pair, which JSON can write, is no text for a database
    return value


def _code(value: Any) -> str:
    if len(_text(value)) > CODE_LENGTH:
        raise ValueError
    return str(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError
    return value


def _number(value: Any) -> float:
    if not math.isfinite(number := _observed(value)):
        raise ValueError
    return number


def _observed(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    return float(value)


def _truth(value: Any) -> bool:
    if value not in (True, False):  # 0 and 1, too
        raise ValueError
    return bool(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def _status(value: Any) -> str:
    if value not in STATUSES:
        raise ValueError
    return str(value)


def _zone(value: Any) -> str:
    if _text(value) not in available_timezones():
        raise ValueError
    return str(value)


def _file_name(value: Any) -> str:
    if "/" in _text(value) or value in (".", ".."):
        raise ValueError
    return str(value)


TEXT = Kind("a text", lambda value: value if value == "" else _text(value))
NAME = Kind("a text with something in it", _text)
CODE = Kind(f"a text of 1 to {CODE_LENGTH} characters", _code)
FILE_NAME = Kind("the name of a file", _file_name)
WHOLE = Kind("a whole number", _whole)
NUMBER = Kind("a number", _number)
OBSERVED = Kind("a number", _observed)  # or none that is known, NaN
TRUTH = Kind("true or false", _truth)
OBJECT = Kind("an object", _object)
MOMENT = Kind("a time with an offset, such as 2023-01-02T14:05:00Z", _moment)
STATUS = Kind(f"one of {', '.join(STATUSES)}", _status)
ZONE = Kind("a time zone, such as US/Eastern", _zone)

VARIABLE: Columns = {"id": Column(CODE), "description": Column(TEXT, None)}
MODEL_TYPE: Columns = {"id": Column(CODE), "name": Column(TEXT, None)}
USER: Columns = {
    "id": Column(FILE_NAME),
    "affiliation_code": Column(TEXT, None),
    "affiliation_name": Column(TEXT, None),
}
STATION: Columns = {
    "id": Column(WHOLE, None),
    "name": Column(NAME),
    "description": Column(TEXT, None),
    "latitude": Column(NUMBER, None),
    "longitude": Column(NUMBER, None),
    "timezone": Column(ZONE),
    "nwis_id": Column(TEXT, None),
    "waterbody_type": Column(TEXT, None),
    "status": Column(TEXT, None),
}
DATASET: Columns = {"uuid": Column(FILE_NAME), "status": Column(STATUS), "filename": Column(TEXT, None)}
VALUE: Columns = {"timestamp": Column(MOMENT), "value": Column(OBSERVED, None), "flag": Column(TEXT, None)}
IMAGESET: Columns = {
    "uuid": Column(FILE_NAME),
    "status": Column(STATUS),
    "n_images": Column(WHOLE, None),
    "pii_status": Column(TEXT, None),
}
IMAGE: Columns = {
    "id": Column(WHOLE, None),
    "filename": Column(FILE_NAME),
    "timestamp": Column(MOMENT),
    "width": Column(WHOLE, None),
    "height": Column(WHOLE, None),
    "full_s3": Column(OBJECT, None),
    "full_url": Column(TEXT, None),
    "status": Column(STATUS),
    "pii_person": Column(NUMBER, None),
    "pii_vehicle": Column(NUMBER, None),
    "pii_on": Column(TRUTH, False),
    "pii_off": Column(TRUTH, False),
}
ANNOTATION: Columns = {
    "uuid": Column(FILE_NAME),
    "status": Column(STATUS),
    "n": Column(WHOLE, None),
    "url": Column(TEXT, None),
    "flag": Column(TRUTH, False),
    "variable_id": Column(TEXT, None, key="variable"),
}
