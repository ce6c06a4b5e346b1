"""What `kwdag compare` says of two roots and of two rows, as text and for programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from kwdag.compare_rows import RowPair
from kwdag.report.labels import clean, shortened, value_text
from kwdag.report.tables import WIDTH, table_lines
from kwdag.reproduced import MISSING, Comparison, NodeChanges
from kwdag.tolerance import EXACT, Change, Tolerance

#: So many differences of one kind are shown.
SHOWN = 10
_LONGEST = 60


# -- two roots -------------------------------------------------------------------------------------


def comparison_lines(found: Comparison, base: str | None = None, width: int = WIDTH) -> Iterator[str]:
    """The counts first, then each kind of difference, and what may be the reason."""
    yield f"- {found.a}"
    yield f"+ {found.b}"
    yield ""
    yield from _counts(found, width)
    for node in found.nodes:
        yield from _block(f"{node.node}: states", map(_sides, node.states[:SHOWN]), len(node.states))
        yield from _block(f"{node.node}: metrics{_told(found.tolerance)}", *_metrics(node))
        yield from _block(f"{node.node}: outputs", *_contents(node, node.outputs))
        yield from _block(f"{node.node}: inputs with another content", *_contents(node, node.inputs))
        if node.commands:
            yield ""
            yield f"{node.node}: another command in {_jobs(len(node.commands))}"
            yield f"    such as {node.commands[0].job_id}"
        for mark, ids in (("-", node.only_a), ("+", node.only_b)):
            yield from _block(f"{node.node}: only in {mark}", ids[:SHOWN], len(ids))
    yield from _signed("parameters of the jobs that only one has", found.params, base)
    yield from _signed("surroundings", found.surroundings, base)
    yield from _block("damaged, not compared", found.damaged[:SHOWN], len(found.damaged))
    yield ""
    yield _verdict(found)


def _counts(found: Comparison, width: int) -> list[str]:
    rows = found.nodes
    return table_lines({
        "node": [node.node for node in rows],
        "both": [f"{node.both:,}" for node in rows],
        "done in both": [f"{node.compared:,}" for node in rows],
        "only -": [_number(len(node.only_a)) for node in rows],
        "only +": [_number(len(node.only_b)) for node in rows],
        "states": [_number(len(node.states)) for node in rows],
        "metrics": [_number(len(node.metrics)) for node in rows],
        "outputs": [_number(len(node.outputs)) for node in rows],
    }, width, keys=1)  # fmt: skip


def _number(count: int) -> str:
    return f"{count:,}" if count else "-"


def _told(tolerance: Tolerance) -> str:
    if tolerance == EXACT:
        return ""
    return f" (apart by more than {tolerance.absolute:g} + {tolerance.relative:g} of the larger)"


def _metrics(node: NodeChanges) -> tuple[list[str], int]:
    """For each metric that differs the number of jobs, and the job in which it differs most."""
    by_name: dict[str, list[Change]] = {}
    for change in node.metrics:
        by_name.setdefault(change.name, []).append(change)
    lines = []
    for name, changes in by_name.items():
        most = changes[0]
        size = f" ({most.size:.2%})" if math.isfinite(most.size) else ""
        lines.append(f"{clean(name)}: in {len(changes):,} of {_jobs(node.compared)}, most in {most.job_id}:")
        lines.append(f"    {_value(most.a)} | {_value(most.b)}{size}")
    return lines[: 2 * SHOWN], len(lines)


def _contents(node: NodeChanges, changes: Sequence[Change]) -> tuple[list[str], int]:
    by_name: dict[str, list[Change]] = {}
    for change in changes:
        by_name.setdefault(change.name, []).append(change)
    lines = [
        f"{clean(name)}: in {len(some):,} of {_jobs(node.compared)}, "
        f"such as {some[0].job_id}{_sizes(some[0])}"
        for name, some in by_name.items()
    ]
    return lines[:SHOWN], len(lines)


def _sizes(change: Change) -> str:
    """The sizes, where they differ; hashes would tell a reader nothing."""
    sides = (change.a, change.b)
    plain = all(side == MISSING or side == "there" or str(side).endswith(" bytes") for side in sides)
    return f": {change.a} | {change.b}" if plain else ""


def _sides(change: Change) -> str:
    return f"{change.job_id}: {clean(change.a)} | {clean(change.b)}"


def _block(title: str, lines: Iterable[str], number: int) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield ""
        yield title
        yield from (f"    {line}" for line in lines)
        if number > len(lines):
            yield f"    and {number - len(lines):,} more"


def _signed(title: str, values: Any, base: str | None) -> Iterator[str]:
    if values:
        yield ""
        yield title
    for name, sides in values.items():
        for mark, side in zip("-+", sides, strict=True):
            texts = [shortened(value_text(value, base), _LONGEST) for value in side[:SHOWN]]
            more = f", and {len(side) - SHOWN} more" if len(side) > SHOWN else ""
            yield f"{mark} {name}: {', '.join(texts) or '(none)'}{more}"


def _value(value: Any) -> str:
    return clean(value if isinstance(value, str) else repr(value))


def _jobs(number: int) -> str:
    return f"{number:,} job" + ("" if number == 1 else "s")


def _verdict(found: Comparison) -> str:
    """One line: whether anything differs, and of how much that is said."""
    metrics, outputs, unsure, jobs = (
        sum(getattr(node, name) for node in found.nodes)
        for name in ("n_metrics", "n_outputs", "unsure", "compared")
    )
    compared = f"{_jobs(jobs)}, {metrics:,} metric values and {outputs:,} outputs"
    doubt = f"; of {unsure:,} outputs only the size is known" if unsure else ""
    if not found.differs:
        return f"nothing differs: {compared} compared{doubt}"
    kinds = {
        "jobs that only one has": "only_a only_b",
        "states": "states",
        "metrics": "metrics",
        "outputs": "outputs",
    }
    named = [
        kind for kind, names in kinds.items()
        if any(getattr(node, name) for node in found.nodes for name in names.split())
    ]  # fmt: skip
    return f"differs: {', '.join(named)} ({compared} compared{doubt})"


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The whole comparison for programs."""
    return {"kind": "roots", "differs": found.differs, **asdict(found)}


# -- two rows --------------------------------------------------------------------------------------


def rows_lines(pairs: Sequence[RowPair], base: str | None = None, width: int = WIDTH) -> Iterator[str]:
    """For each node the parameters that differ, then the metrics of each region side by side."""
    for number, pair in enumerate(pairs):
        if number:
            yield "---"
        yield f"- {pair.a}"
        yield f"+ {pair.b}"
        params = {name: ([a], [b]) for name, (a, b) in pair.params.items()}
        yield from _signed(f"{pair.node}: parameters", params, base)
        yield ""
        yield f"{pair.node}: metrics"
        rows = [
            (region, name, *values)
            for region, found in pair.metrics.items()
            for name, values in found.items()
        ]
        yield from table_lines({
            "region": [clean(row[0]) for row in rows],
            "metric": [clean(row[1]) for row in rows],
            "-": [_cell(row[2]) for row in rows],
            "+": [_cell(row[3]) for row in rows],
            "change": [_change(row[2], row[3]) for row in rows],
        }, width, keys=2)  # fmt: skip


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else shortened(clean(value), _LONGEST // 2)


def _change(a: Any, b: Any) -> str:
    """The second number less the first."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    if numbers and math.isfinite(b - a):
        return f"{b - a:+.6g}" if b != a else "="
    return "=" if a == b and type(a) is type(b) else ""


def rows_json(pairs: Sequence[RowPair]) -> dict[str, Any]:
    """The whole comparison for programs."""
    return {"kind": "rows", "differs": any(p.differs for p in pairs), "nodes": [asdict(p) for p in pairs]}
