"""Outcomes as tables for people and as a mapping for JSON.
Measures and judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks.findings import Findings
from benchmarks.suite import Cost, Costs, Verdict, bound_of
from benchmarks.timing import Outcome

if TYPE_CHECKING:
    from rich.table import Table


def costs_of(outcomes: Sequence[Outcome]) -> Costs:
    """The medians of what was measured without a problem."""
    return {
        (out.benchmark.name, out.peer, out.rows): Cost(out.rows, out.jobs, out.wall, out.max_rss)
        for out in outcomes
        if out.samples and out.problem is None
    }


def outcome_table(outcomes: Sequence[Outcome], versions: dict[str, str]) -> Table:
    """One table for all; the columns `x` are how many times kwdag's cost a peer's is."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("benchmark")
    table.add_column("peer")
    for name in ("runs", "median", "from", "to", "each", "memory", "time x", "memory x"):
        table.add_column(name, justify="right")
    table.add_column("note")
    costs = costs_of(outcomes)
    title = ""
    for out in outcomes:
        heading = f"{out.benchmark.name} ({out.rows:,})"
        if heading != title and title:
            table.add_section()
        peer = f"{out.peer} {versions.get(out.peer, '')}".removesuffix(" -")
        table.add_row("" if heading == title else heading, peer, *_cells(out, costs))
        title = heading
    return table


def _cells(out: Outcome, costs: Costs) -> list[str]:
    if out.problem is not None:
        return ["-"] * 8 + [out.problem]
    walls = [sample.wall for sample in out.samples]
    ours = costs.get((out.benchmark.name, "kwdag", out.rows))
    return [
        str(len(walls)),
        f"{out.wall:.3f} s",
        f"{min(walls):.3f}",
        f"{max(walls):.3f}",
        _each(out),
        f"{out.max_rss / 2**20:.0f} MiB",
        "-" if ours is None else f"{out.wall / ours.wall:.2f}",
        "-" if ours is None else f"{out.max_rss / ours.max_rss:.2f}",
    ]


def _each(out: Outcome) -> str:
    if out.benchmark.unit is None:
        return ""
    if out.benchmark.unit == "bound":
        return f"{out.wall / bound_of(out.benchmark, out.rows):.2f} of bound"
    count = out.jobs if out.benchmark.unit == "job" else out.rows
    return f"{out.wall / count * 1e3:.3f} ms/{out.benchmark.unit}"


def findings_parts(findings: Findings) -> Iterator[Any]:
    """A study's table, then its notes, a line each."""
    from rich.table import Table
    from rich.text import Text

    first, *others = findings.columns
    table = Table(title=findings.name, title_justify="left", box=None, header_style="bold", pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    for row in findings.rows:
        table.add_row(*row)
    yield table
    yield from (Text(f"  {note}") for note in findings.notes)


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    from rich.table import Table

    table = Table("promise", "at most", "measured", "kept", box=None, header_style="bold", pad_edge=False)
    for verdict in verdicts:
        kept = "[green]yes[/]" if verdict.kept else "[red]no[/]"
        table.add_row(verdict.promise, verdict.limit, verdict.measured, kept)
    return table


def as_mapping(
    outcomes: Sequence[Outcome],
    findings: Sequence[Findings],
    verdicts: Sequence[Verdict],
    versions: dict[str, str],
    machine: dict[str, object],
) -> dict[str, Any]:
    """Seconds and bytes; `problem` says why an outcome's medians are null."""
    return {
        "schema": 1,
        "machine": machine,
        "versions": versions,
        "outcomes": [_outcome_mapping(out, costs_of(outcomes)) for out in outcomes],
        "studies": [asdict(one) for one in findings],
        "promises": [asdict(verdict) for verdict in verdicts],
    }


def _outcome_mapping(out: Outcome, costs: Costs) -> dict[str, Any]:
    ours = costs.get((out.benchmark.name, "kwdag", out.rows))
    mine = costs.get((out.benchmark.name, out.peer, out.rows))
    return {
        "benchmark": out.benchmark.name,
        "title": out.benchmark.title,
        "peer": out.peer,
        "rows": out.rows,
        "jobs": out.jobs,
        "problem": out.problem,
        "median_seconds": mine.wall if mine else None,
        "median_max_rss": mine.max_rss if mine else None,
        "time_over_kwdag": mine.wall / ours.wall if mine and ours else None,
        "memory_over_kwdag": mine.max_rss / ours.max_rss if mine and ours else None,
        "samples": [asdict(sample) for sample in out.samples],
    }
