"""Lays out the results of a run of many jobs: one of them is run by the peer itself, the others are copies of
its directory with other parameters and another score. Running them all would take minutes that are not timed.

    lay_out.py FOLDER A B PROGRAM ARGUMENTS ... [-- COMMAND ...]

There are A values of one parameter and B of another. PROGRAM runs the grid in FOLDER/params.yaml below
FOLDER/out. The COMMAND comes last, some seconds later.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

#: kwdag does not trust a file that changed within two seconds of being read.
SETTLES = 3.0


def main(folder: str, n_a: str, n_b: str, *words: str) -> int:
    run, _, then = " ".join(words).partition(" -- ")
    params = Path(folder, "params.yaml")
    whole = params.read_text()
    document = json.loads(whole)
    document["matrix"] |= {"evaluate.a": [0], "evaluate.b": [0]}
    params.write_text(json.dumps(document))
    subprocess.run(run.split(), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    params.write_text(whole)
    (first,) = Path(folder, "out", "evaluate").iterdir()
    copy_job(first, [(a, b) for a in range(int(n_a)) for b in range(int(n_b))][1:])
    if then:
        time.sleep(SETTLES)
        subprocess.run(then.split(), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return 0


def copy_job(first: Path, points: list[tuple[int, int]]) -> None:
    files = {path.name: path.read_bytes() for path in first.iterdir() if path.is_file()}
    config = json.loads(files["job_config.json"])
    length = len(first.name.rpartition("_")[2])
    for a, b in points:
        digest = hashlib.sha256(f"{a} {b}".encode()).hexdigest()[:length]
        job = first.with_name(f"evaluate_id_{digest}")
        job.mkdir()
        result = json.dumps({"info": [], "result": {"metrics": {"score": float(f"0.5{a}{b}")}}}) + "\n"
        own = {"job_config.json": json.dumps(config | {"evaluate.a": a, "evaluate.b": b}, indent=1).encode()}
        own["result.json"] = result.encode()
        for name, content in (files | own).items():
            (job / name).write_bytes(content.replace(first.name.encode(), job.name.encode()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
