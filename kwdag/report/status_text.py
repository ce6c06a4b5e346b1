"""What `kwdag status` says: counts by node and state, and the failed jobs with the end of their logs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from kwdag import inventory, jobdir
from kwdag.inventory import Entry
from kwdag.state import KINDS


def print_status(entries: Sequence[Entry], lines: int, most: int) -> None:
    """Print the table and the failures."""
    print("\n".join(table(entries)))
    failed = [entry for entry in entries if entry.state == "failed"]
    for entry in failed[:most]:
        print("\n".join(["", f"{entry.job_id} failed: {entry.reason}", *_details(entry, lines)]))
    if len(failed) > most:
        print(f"\nand {len(failed) - most} more failed jobs; --most=N shows more")


def table(entries: Sequence[Entry]) -> Iterable[str]:
    """One line a node, a column for each state that occurs."""
    counts = inventory.counts(list(entries))
    kinds = [kind for kind in KINDS if any(kind in found for found in counts.values())]
    rows = [["node", "jobs", *kinds]]
    for node, found in counts.items():
        rows.append(
            [node, f"{found.total():,}", *(f"{found[kind]:,}" if found[kind] else "-" for kind in kinds)]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        numbers = (f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield f"{name:<{widths[0]}}" + "".join(numbers)


def _details(entry: Entry, lines: int) -> list[str]:
    log = jobdir.tail(f"{entry.dpath}/{jobdir.LOG}", lines) if lines else []
    return [f"  | {line}" for line in log] + [
        f"  again: bash {shlex.quote(f'{entry.dpath}/{jobdir.INVOKE}')}"
    ]


def as_json(root: str, entries: Sequence[Entry], lines: int) -> dict[str, Any]:
    """The whole report for programs."""
    return {
        "root": os.path.abspath(root),
        "counts": {node: dict(found) for node, found in inventory.counts(list(entries)).items()},
        "jobs": [
            {"node": e.node, "id": e.job_id, "dpath": e.dpath, "state": e.state, "reason": e.reason}
            | ({"log": jobdir.tail(f"{e.dpath}/{jobdir.LOG}", lines)} if e.state == "failed" else {})
            for e in entries
        ],
    }
