"""Best parameter: read all evaluations of one source file, and write the best. Knows nothing of kwdag."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=Path, required=True, help="text file, one path a line")
    parser.add_argument("--best_fpath", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args()
    paths = [Path(line) for line in args.evaluations.read_text().splitlines()]
    scores = [json.loads(path.read_text())["metrics"]["accuracy"] for path in paths]
    metrics = {"best_accuracy": max(scores), "n_evaluations": len(scores)}
    args.best_fpath.write_text(json.dumps({"metrics": metrics}))
    print(f"the best of {len(scores)} evaluations has accuracy {max(scores):.3f}")


if __name__ == "__main__":
    main()
