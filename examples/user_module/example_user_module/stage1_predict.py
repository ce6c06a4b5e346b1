"""Predict: turn a file and a parameter into a prediction. Knows nothing of kwdag."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path


def predict(text: str, param1: str) -> str:
    """A hash of the parameter and the text: a stand-in for a model."""
    return hashlib.sha512((param1 + text).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--src_fpath", type=Path, required=True, help="file to predict from")
    parser.add_argument("--dst_fpath", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--param1", default="1", help="changes the prediction")
    parser.add_argument("--workers", type=int, default=0, help="changes only how fast it could be")
    args = parser.parse_args()
    args.dst_fpath.write_text(json.dumps({"prediction": predict(args.src_fpath.read_text(), args.param1)}))
    print(f"wrote {args.dst_fpath}")


if __name__ == "__main__":
    main()
