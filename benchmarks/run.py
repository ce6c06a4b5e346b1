"""The command line: choose, install, time, print, write.
Started by run.sh, which makes kwdag's own environment first."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.findings import Findings, Study
from benchmarks.peers import PEERS, Installed, install
from benchmarks.studies import STUDIES
from benchmarks.suite import BENCHMARKS, Benchmark, verdicts
from benchmarks.timing import MAX_RUNS, Outcome, Timer

HERE = Path(__file__).resolve().parent
ALL: dict[str, Benchmark | Study] = {**BENCHMARKS, **STUDIES}


def main() -> int:
    options = parse_options()
    if options.list:
        print("\n".join(f"{name:22} {one.title}" for name, one in ALL.items()))
        return 0
    with tempfile.TemporaryDirectory(prefix="kwdag-benchmark-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        about = machine.describe(scratch)
        chosen = [BENCHMARKS[name] for name in options.names if name in BENCHMARKS]
        studies = [STUDIES[name] for name in options.names if name in STUDIES]
        peers = install_all(options.peers, [*chosen, *studies], scratch)
        outcomes = time_all(chosen, peers, Timer(scratch, options.runs), options.quick)
        findings = study_all(studies, peers, scratch, options.quick)
    versions = {name: peer.version for name, peer in peers.items()}
    return report(outcomes, findings, versions, about, options)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run.sh", description="Time kwdag beside its peers.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="benchmarks, or how several begin: makespan (default: all)"
    )
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes, one run each: a smoke test")
    parser.add_argument("--runs", type=int, default=None, help=f"runs of each, at most (default: {MAX_RUNS})")
    parser.add_argument("--check", action="store_true", help="exit 1 if a promise was broken or a run failed")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    options = parser.parse_args()
    options.names = list(dict.fromkeys(full for name in options.names for full in meant(name))) or list(ALL)
    options.peers = options.peers.split(",")
    options.runs = options.runs or (1 if options.quick else MAX_RUNS)
    known: Collection[str]
    for given, known in ((options.names, ALL), (options.peers, PEERS)):
        if unknown := sorted(set(given) - set(known)):
            parser.error(f"{', '.join(unknown)}: not one of {', '.join(known)}")
    return options


def meant(name: str) -> list[str]:
    """The benchmark of that name, else all whose names begin with it; itself when there is none."""
    longer = [full for full in ALL if full.startswith(f"{name}_")]
    return [name] if name in ALL or not longer else longer


def install_all(names: list[str], chosen: Sequence[Benchmark | Study], scratch: Path) -> dict[str, Installed]:
    """The peers that the chosen benchmarks need; one that cannot be had is named and left out."""
    venvs = Path(os.environ.get("KWDAG_BENCH_VENVS", HERE / ".venvs"))
    peers = {}
    for name in names:
        if not any(name in benchmark.peers for benchmark in chosen):
            continue
        try:
            peers[name] = install(PEERS[name], venvs, scratch)
        except RuntimeError as error:
            print(f"left out: {error}", file=sys.stderr, flush=True)
    return peers


def time_all(
    chosen: list[Benchmark], peers: dict[str, Installed], timer: Timer, quick: bool
) -> list[Outcome]:
    return [
        outcome
        for benchmark in chosen
        for rows in (benchmark.quick_sizes if quick else benchmark.sizes)
        for outcome in timer.time(benchmark, rows, [peers[name] for name in benchmark.peers if name in peers])
    ]


def study_all(
    studies: list[Study], peers: dict[str, Installed], scratch: Path, quick: bool
) -> list[Findings]:
    """Each study with those of its peers that are there."""
    found = []
    for study in studies:
        print(f"{study.name}: {study.title}", file=sys.stderr, flush=True)
        found.append(study.run({name: peers[name] for name in study.peers if name in peers}, scratch, quick))
    return found


def report(
    outcomes: list[Outcome],
    findings: list[Findings],
    versions: dict[str, str],
    about: dict[str, object],
    options: argparse.Namespace,
) -> int:
    """Print and write all; the exit code. Promises are of full sizes, so `--quick` judges none."""
    # Imported late: a child's peak memory as the kernel counts it begins with what this process holds.
    from rich.console import Console

    from benchmarks import table

    found = [] if options.quick else verdicts(table.costs_of(outcomes))
    found += [verdict for one in findings for verdict in one.verdicts]
    console = Console(width=None if sys.stdout.isatty() else 140)
    if outcomes:
        console.print(table.outcome_table(outcomes, versions))
    for one in findings:
        console.print(*table.findings_parts(one), sep="\n", soft_wrap=True)
    if found:
        console.print()
        console.print(table.verdict_table(found))
    path = write_json(table.as_mapping(outcomes, findings, found, versions, about))
    console.print(f"\nwritten: {path}", soft_wrap=True)
    failed = any(outcome.problem for outcome in outcomes if outcome.peer == "kwdag")
    return int(options.check and (failed or not all(verdict.kept for verdict in found)))


def write_json(mapping: dict[str, object]) -> Path:
    out = HERE / "out"
    out.mkdir(exist_ok=True)
    path = out / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
    text = json.dumps(mapping, indent=1) + "\n"
    path.write_text(text)
    (out / "latest.json").write_text(text)
    return path


if __name__ == "__main__":
    sys.exit(main())
