"""The tables of an evaluation, as CSV files.

What stands in them is computed elsewhere; an empty cell is a score that there is not.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines import program
from pipelines.cerulean.confusions import Confusion


def write_confusion(folder: Path, name: str, confusion: Confusion) -> None:
    """Write the counts and both normalised forms; a row for each true class."""
    for suffix, values in (
        ("", confusion.counts),
        ("_by_truth", confusion.normalised("truth")),
        ("_by_prediction", confusion.normalised("prediction")),
    ):
        rows = ([label, *row] for label, row in zip(confusion.names, values.tolist(), strict=True))
        write(folder / f"confusion_{name}{suffix}.csv", ["true", *confusion.names], rows)


def write_mappings(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that have the same keys, at least one of them."""
    write(path, list(rows[0]), (list(row.values()) for row in rows))


def write(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with program.writing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(head)
        table.writerows([[_cell(value) for value in row] for row in rows])


def _cell(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
