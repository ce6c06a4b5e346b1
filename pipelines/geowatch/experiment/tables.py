"""Rows to tables of text: counts for `status`, rows for `list`. Pure.

Nothing here is cut to the width of a terminal: a path stays one word that can be copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwdag.report.labels import amount
from pipelines.geowatch.experiment.inventory import Staged, Tables, Versioned, Volatile

if TYPE_CHECKING:
    import pandas as pd

GROUP = ["dataset_code", "type"]
STAGING_BITS = ["is_packaged", "is_copied", "needs_package", "needs_copy"]
VERSIONED_BITS = ["has_raw", "has_dvc", "needs_pull", "needs_push", "is_broken", "unprotected"]
TITLES = {
    "volatile": "volatile: predictions on this disk, not versioned",
    "staging": "staging: checkpoints and packages of training, not versioned",
    "versioned": "versioned: packages and evaluations",
}


def frames(tables: Tables, folder: Path) -> dict[str, pd.DataFrame]:
    """The three tables with their columns, also where they are empty; paths from the experiment folder on."""
    return {
        "volatile": _frame(tables.volatile, Volatile, folder),
        "staging": _frame(tables.staging, Staged, folder),
        "versioned": _frame(tables.versioned, Versioned, folder),
    }


def _frame(rows: Sequence[Any], kind: type, folder: Path) -> pd.DataFrame:
    import pandas as pd

    columns = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    records = [{key: _shown(value, folder) for key, value in asdict(row).items()} for row in rows]
    # object: an epoch that nobody knows must not turn the known ones into 31.0
    return pd.DataFrame(records, columns=columns, dtype=object)


def _shown(value: Any, folder: Path) -> Any:
    if not isinstance(value, Path):
        return value
    return str(value.relative_to(folder) if value.is_relative_to(folder) else value)


def counts(found: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Each table as counts by dataset code and type: how many rows, and of how many each flag holds."""
    staging = found["staging"].assign(
        needs_package=lambda table: ~table["is_packaged"].astype(bool),
        needs_copy=lambda table: ~table["is_copied"].astype(bool),
    )
    return {
        "volatile": _summed(found["volatile"], GROUP, ["size"]),
        "staging": _summed(staging, GROUP[:1], STAGING_BITS),
        "versioned": _summed(found["versioned"], GROUP, VERSIONED_BITS),
    }


def _summed(table: pd.DataFrame, keys: list[str], values: list[str]) -> pd.DataFrame:
    grouped = table.groupby(keys, sort=True)
    summed = grouped[values].sum().astype(int)
    summed.insert(0, "count", grouped.size())
    return summed.reset_index()


def text(found: dict[str, pd.DataFrame]) -> str:
    """The tables one below the other, each under its title."""
    parts = []
    for name, table in found.items():
        body = lines(table.to_dict("records"), list(table.columns)) if len(table) else ["none"]
        parts.append("\n".join([TITLES[name], *(f"  {line}" for line in body)]))
    return "\n\n".join(parts)


def lines(rows: Sequence[dict[Any, Any]], columns: Sequence[str]) -> list[str]:
    """Columns under their names, words aligned on the left and numbers on the right."""
    cells = [list(columns), *([_cell(name, row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = [str.rjust if _is_numeric([row[name] for row in rows]) else str.ljust for name in columns]
    return [
        "  ".join(side(cell, width) for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in cells
    ]


def _is_numeric(column: Sequence[Any]) -> bool:
    known = [value for value in column if value is not None]
    return bool(known) and all(isinstance(one, int | float) and not isinstance(one, bool) for one in known)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name == "size":
        return amount(value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)
