"""Evaluate: compare a prediction with the truth, bit by bit. Knows nothing of kwdag."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

BITS = 512


def evaluate(truth: str, prediction: str) -> dict[str, float]:
    """The Hamming distance of two hashes in bits, and the share of equal bits."""
    true_bits = int(hashlib.sha512(truth.encode()).hexdigest(), 16)
    distance = (true_bits ^ int(prediction, 16)).bit_count()
    return {"accuracy": 1 - distance / BITS, "hamming_distance": distance}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--true_fpath", type=Path, required=True, help="file that was predicted from")
    parser.add_argument("--pred_fpath", type=Path, required=True, help="JSON file of stage1_predict")
    parser.add_argument("--out_fpath", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--workers", type=int, default=0, help="changes only how fast it could be")
    args = parser.parse_args()
    prediction = json.loads(args.pred_fpath.read_text())["prediction"]
    args.out_fpath.write_text(json.dumps({"metrics": evaluate(args.true_fpath.read_text(), prediction)}))
    print(f"wrote {args.out_fpath}")


if __name__ == "__main__":
    main()
