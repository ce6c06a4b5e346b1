"""The benchmarks by name: which action at which size for which peers, and what kwdag promises of them.
Timing and printing are elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks import naps
from benchmarks.measure import Limits

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`sizes` are rows; `unit` is what a cost is divided by in the table: row, job, result, bound (the
    shortest time that any schedule could take) or none."""

    name: str
    title: str
    action: str
    kind: str
    peers: tuple[str, ...]
    sizes: tuple[int, ...]
    quick_sizes: tuple[int, ...]
    unit: str | None = None
    limits: Limits = Limits()
    workers: int = 1


ALL = ("kwdag", "kwdagger", "cmd_queue", "snakemake", "hyperqueue", "ninja", "floor")
PLANNERS = ("kwdag", "kwdagger", "snakemake", "ninja")


def _makespan(shape: str, title: str, rows: int, known: bool) -> Benchmark:
    name, action = (
        (f"makespan_{shape}_known", "redo_workers") if known else (f"makespan_{shape}", "run_workers")
    )
    return Benchmark(
        name,
        f"{title} of unequal length, 8 tmux workers, durations {'known' if known else 'unknown'}",
        action,
        f"naps_{shape}",
        ("kwdag",) if known else ("kwdag", "cmd_queue"),
        (rows,),
        (rows // 6,),
        "bound",
        workers=8,
    )


def _aggregate_20k(how: str, title: str) -> Benchmark:
    return Benchmark(
        f"aggregate_20k_{how}",
        f"aggregate small results, {title}",
        f"aggregate_{how}",
        "single",
        ("kwdag", "kwdagger"),
        (20_000,),
        (200,),
        "result",
    )


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
        _aggregate_20k("cold", "nothing remembered"),
        _aggregate_20k("warm", "all read before"),
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
        Benchmark(
            "tmux",
            "rows x 2 bash nodes, 2 tmux workers",
            "run_workers",
            "chain",
            ("kwdag", "kwdagger", "cmd_queue", "parallel"),
            (2_000,),
            (20,),
            "job",
            workers=2,
        ),
        Benchmark(
            "slurm",
            "rows x 2 bash nodes, a Slurm with 2 CPUs",
            "run_slurm",
            "chain",
            ("kwdag", "cmd_queue"),
            (100,),
            (5,),
            "job",
        ),
        Benchmark(
            "slurm_submit",
            "submit so many jobs to Slurm, without waiting for them",
            "submit_slurm",
            "single",
            ("kwdag",),
            (10_000,),
            (100,),
            "job",
        ),
        _makespan("chain", "48 chains of two jobs", 48, known=False),
        _makespan("chain", "48 chains of two jobs", 48, known=True),
        _makespan("fan", "24 jobs with two children each", 48, known=False),
        _makespan("fan", "24 jobs with two children each", 48, known=True),
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
        _against_kwdagger(costs, "aggregate_20k_cold", 20_000, 8),
        _against_kwdagger(costs, "aggregate_20k_warm", 20_000, 15),
        _memory_at_most(costs, ("aggregate_20k_cold", "kwdag", 20_000), 300),
        _memory_at_most(costs, ("aggregate_20k_warm", "kwdag", 20_000), 300),
        _linear(costs),
        _against(costs, "tmux", 2_000, 8, "kwdagger"),
        _against(costs, "slurm", 100, 5, "cmd_queue"),
        _at_most(costs, ("slurm_submit", "kwdag", 10_000), "slurm_submit: seconds", 10, 1, "s"),
        _near_bound(costs, "makespan_chain_known"),
        _near_bound(costs, "makespan_fan_known"),
    ]
    return [verdict for verdict in found if verdict is not None]


def _against_kwdagger(
    costs: Costs, name: str, rows: int, factor: float, memory: bool = False
) -> Verdict | None:
    return _against(costs, name, rows, factor, "kwdagger", memory)


def _against(
    costs: Costs, name: str, rows: int, factor: float, peer: str, memory: bool = False
) -> Verdict | None:
    ours, theirs = costs.get((name, "kwdag", rows)), costs.get((name, peer, rows))
    if ours is None or theirs is None:
        return None
    what = "memory" if memory else "time"
    ratio = theirs.max_rss / ours.max_rss if memory else theirs.wall / ours.wall
    return Verdict(f"{name}: {what} of {peer}", f"1/{factor:g}", f"1/{ratio:.1f}", ratio >= factor)


def _at_most(
    costs: Costs, key: tuple[str, str, int], promise: str, limit: float, scale: float, unit: str
) -> Verdict | None:
    cost = costs.get(key)
    if cost is None:
        return None
    measured = cost.wall * scale
    return Verdict(promise, f"{limit:g} {unit}", f"{measured:.2f} {unit}", measured <= limit)


def _memory_at_most(costs: Costs, key: tuple[str, str, int], limit: float) -> Verdict | None:
    """``limit`` is in MB."""
    cost = costs.get(key)
    if cost is None:
        return None
    measured = cost.max_rss / 1e6
    return Verdict(f"{key[0]}: memory", f"{limit:g} MB", f"{measured:.0f} MB", measured <= limit)


def bound_of(benchmark: Benchmark, rows: int) -> float:
    """Seconds that no schedule of its naps beats."""
    return naps.lower_bound(naps.naps(benchmark.kind, rows), benchmark.workers)


def _near_bound(costs: Costs, name: str) -> Verdict | None:
    benchmark = BENCHMARKS[name]
    cost = costs.get((name, "kwdag", benchmark.sizes[0]))
    if cost is None:
        return None
    ratio = cost.wall / bound_of(benchmark, cost.rows)
    return Verdict(f"{name}: time over the lower bound", "1.10", f"{ratio:.2f}", ratio <= 1.10)


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
