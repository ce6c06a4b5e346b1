"""What kwdag adds to a partition of the earth-system runner: `python -m benchmarks.esrun_partitions`.
The promise is 5 ms a partition for planning and bookkeeping of 2,000; the programs here do nothing. Processor
seconds count, as one process works at a time and other work of the machine is not ours. TMPDIR says where."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Limits, Sample, run_child
from kwdag import Pipeline
from pipelines.esrun import pipelines

PROMISE = 0.005  # seconds a partition
REFERENCE = "benchmarks.esrun_partitions.pipeline()"
REPOSITORY = Path(__file__).resolve().parents[1]
STEP = "mkdir -p {dst}; echo [] > {summary_fpath}"
BODIES = {
    "partition": "cp {request_geometry_path} {dst}; mkdir -p {partitions_dpath}",
    **dict.fromkeys(("build_dataset", "run_inference", "postprocess"), f"{STEP}; : {{branch}}"),
    "combine": STEP,
    "evaluate": 'echo \'{{"metrics": {{"macro_f1": 1}}}}\' | tee {eval_fpath} > {confusion_fpath}',
    "visualize": "touch {picture_fpath}",
}
JOBS = 3  # of a partition
SAMPLE = 200  # partitions whose bare commands are timed


def pipeline() -> Pipeline:
    """The pipeline `esrun` with programs that make their outputs, empty."""
    return pipelines.connected(
        node(command_template=BODIES[node.name], executable="true") for node in pipelines.PREDICT
    )


def main() -> int:
    """Run, look again, and run the bare commands; exit code 1 when the promise is broken."""
    args = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        request = here / "items.json"
        items = [
            {"key": f"partition_{n}", "values": {"partition_id": f"partition_{n}"}} for n in range(args.n)
        ]
        request.write_text(json.dumps(items))
        (here / "project").mkdir()
        bare = _bare(here)
        first, again = (_schedule(here, request, "--run=1") for _ in range(2))
        plan = _schedule(here, request)
    figures = {
        "planned, run and recorded": first.cpu / args.n - bare,
        "found done again": again.cpu / args.n,
        "looked at (a dry run)": plan.cpu / args.n,
    }
    print(f"{args.n} partitions of {JOBS} jobs; bare commands {bare * 1000:.2f} ms a partition")
    for name, seconds in figures.items():
        print(f"  {name:<28}{seconds * 1000:6.2f} ms a partition")
    peak = max(one.max_rss for one in (first, again, plan))
    print(f"  largest process             {peak / 2**20:6.0f} MiB")
    return 0 if max(figures.values()) < PROMISE else 1


def _schedule(here: Path, request: Path, *words: str) -> Sample:
    matrix = {
        "partition.project_path": str(here / "project"),
        "partition.request_geometry_path": str(request),
        "evaluate.labels_fpath": str(request),
    }
    options = "--backend=serial", "--print_commands=0", f"--root_dpath={here / 'out'}", *words
    what = f"--pipeline={REFERENCE}", f"--params={json.dumps(matrix)}"
    command = [sys.executable, "-m", "kwdag", "schedule", *what, *options]
    log = here / "log.txt"
    found = run_child(command, REPOSITORY, log, _environment(), Limits())
    if found.exit_code:
        sys.exit(log.read_text()[-2000:])
    return found


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def _bare(here: Path) -> float:
    """Processor seconds a partition of the same commands in folders of their own, one after the other."""
    before = _cpu()
    for number in range(SAMPLE * JOBS):
        folder = here / "bare" / str(number)
        command = f"mkdir -p {folder}/dataset; echo [] > {folder}/summary.json; : partition"
        subprocess.run(["bash", "-c", command], check=True)
    return (_cpu() - before) / SAMPLE


def _cpu() -> float:
    """Of this process and its children."""
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=2000, help="partitions")
    return parser


if __name__ == "__main__":
    sys.exit(main())
