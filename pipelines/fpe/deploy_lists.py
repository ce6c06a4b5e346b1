"""The list of stations whose models are deployed, and the two lists beside it of what became of them.

What is deployed does not belong here.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.program import read_lines, staged


def read_stations(path: Path) -> list[int]:
    """The ids of stations, one a line, in their order; blank lines and repetitions left out.

    Raises:
        BadInput: the file cannot be read, names none, or a line is no id.
    """
    lines = read_lines(path, otherwise="is no list of stations")
    found = {_id(line.strip(), f"{path}, line {number}"): None for number, line in enumerate(lines, 1)
             if line.strip()}  # fmt: skip
    if not found:
        raise BadInput("names no station", where=path)
    return list(found)


def beside(stations: Path) -> tuple[Path, Path]:
    """The files of rows and of uuids.

    >>> [path.name for path in beside(Path("stations.txt"))]
    ['stations-models-db.csv', 'stations-models-uuid.txt']
    """
    stem = f"{stations.stem}-models"
    return stations.with_name(f"{stem}-db.csv"), stations.with_name(f"{stem}-uuid.txt")


def write(stations: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write both: the rows below the names of their columns, as SQL clients read them, and `station,uuid`."""
    table, uuids = beside(stations)
    with staged(stations.parent, uuids) as folder:
        with (folder / table.name).open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(rows[0])
            lines.writerows([_cell(value) for value in row.values()] for row in rows)
        text = "".join(f"{row['station_id']},{row['uuid']}\n" for row in rows)
        (folder / uuids.name).write_text(text, encoding="utf-8")


def _id(text: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadInput(f"{text!r} is not the id of a station", where=where)
    return int(text)


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
