"""The benchmarks by name: which action at which size for which peers, and what kwdag promises of them.
Timing and printing are elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measure import Limits

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`sizes` are rows; `unit` is what a cost is divided by in the table: row, job, result or none."""

    name: str
    title: str
    action: str
    kind: str
    peers: tuple[str, ...]
    sizes: tuple[int, ...]
    quick_sizes: tuple[int, ...]
    unit: str | None = None
    limits: Limits = Limits()


ALL = ("kwdag", "kwdagger", "cmd_queue", "snakemake", "hyperqueue", "ninja", "floor")
PLANNERS = ("kwdag", "kwdagger", "snakemake", "ninja")

BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("help", "the help text", "help", "chain", PLANNERS[:3], (1,), (1,)),
        Benchmark("dry_run_1", "dry run, 1 row x 2 nodes", "dry_run", "chain", PLANNERS, (1,), (1,)),
        Benchmark(
            "dry_run_20k", "dry run, rows x 2 nodes", "dry_run", "chain", PLANNERS, (20_000,), (200,), "job"
        ),
        Benchmark("serial", "serial run, rows x 2 bash nodes", "run", "chain", ALL, (500,), (10,), "job"),
        Benchmark(
            "rerun", "the same run again, all jobs done", "rerun", "chain", PLANNERS, (500,), (10,), "job"
        ),
        Benchmark(
            "aggregate",
            "aggregate small results",
            "aggregate",
            "single",
            ("kwdag", "kwdagger"),
            (2_000,),
            (20,),
            "result",
        ),
        Benchmark(
            "gather",
            "dry run, n jobs, then n jobs that each gather all n",
            "dry_run",
            "gather",
            ("kwdag", "kwdagger"),
            (3_000,),
            (30,),
            "job",
            Limits(seconds=300, memory=10 * GIB),
        ),
        Benchmark(
            "linearity",
            "dry run, rows x 2 nodes, growing",
            "dry_run",
            "chain",
            ("kwdag",),
            (1_000, 10_000, 100_000),
            (10, 100, 1_000),
            "row",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Cost:
    """The medians of one peer at one size: seconds and bytes."""

    rows: int
    jobs: int
    wall: float
    max_rss: float


Costs = Mapping[tuple[str, str, int], Cost]  # by benchmark, peer and rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise beside what was measured, both as text."""

    promise: str
    limit: str
    measured: str
    kept: bool


def verdicts(costs: Costs) -> list[Verdict]:
    """What kwdag promises, for the benchmarks that ran at full size with all that the promise compares."""
    found = [
        _against_kwdagger(costs, "dry_run_20k", 20_000, 20),
        _against_kwdagger(costs, "dry_run_20k", 20_000, 4, memory=True),
        _against_kwdagger(costs, "dry_run_1", 1, 3),
        _at_most(costs, ("help", "kwdag", 1), "help: seconds", 0.2, 1, "s"),
        _at_most(costs, ("serial", "kwdag", 500), "serial: time a job", 3.0, 1e3 / 1_000, "ms"),
        _against_kwdagger(costs, "rerun", 500, 4),
        _against_kwdagger(costs, "aggregate", 2_000, 5),
        _linear(costs),
    ]
    return [verdict for verdict in found if verdict is not None]


def _against_kwdagger(
    costs: Costs, name: str, rows: int, factor: float, memory: bool = False
) -> Verdict | None:
    ours, theirs = costs.get((name, "kwdag", rows)), costs.get((name, "kwdagger", rows))
    if ours is None or theirs is None:
        return None
    what = "memory" if memory else "time"
    ratio = theirs.max_rss / ours.max_rss if memory else theirs.wall / ours.wall
    return Verdict(f"{name}: {what} of kwdagger", f"1/{factor:g}", f"1/{ratio:.1f}", ratio >= factor)


def _at_most(
    costs: Costs, key: tuple[str, str, int], promise: str, limit: float, scale: float, unit: str
) -> Verdict | None:
    cost = costs.get(key)
    if cost is None:
        return None
    measured = cost.wall * scale
    return Verdict(promise, f"{limit:g} {unit}", f"{measured:.2f} {unit}", measured <= limit)


def _linear(costs: Costs) -> Verdict | None:
    """Compares marginal costs, so that the start does not hide growth; a third more passes as noise."""
    sizes = BENCHMARKS["linearity"].sizes
    found = [costs.get(("linearity", "kwdag", rows)) for rows in sizes]
    if any(cost is None for cost in found):
        return None
    small, middle, large = (cost.wall for cost in found if cost is not None)
    early = (middle - small) / (sizes[1] - sizes[0])
    late = (large - middle) / (sizes[2] - sizes[1])
    growth = late / early if early > 0 else float("inf")
    promise = f"linearity: cost of a row, {sizes[1]:,} to {sizes[2]:,} over {sizes[0]:,} to {sizes[1]:,}"
    return Verdict(promise, "1.33", f"{growth:.2f}", growth <= 1.33)
