"""The two programs of the demo: `python -m pipelines.demo.programs stage1_predict --help`.

They know nothing of kwdag; they read files and write JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

BITS = 512


def predict(text: str, param1: str) -> str:
    """The SHA-512 of the parameter and the text, in hex: a stand-in for a model."""
    return hashlib.sha512((param1 + text).encode()).hexdigest()


def evaluate(true_text: str, pred_text: str) -> dict[str, float]:
    """How alike the SHA-512 of two texts are: Hamming distance in bits, and the share of equal bits."""
    true_bits, pred_bits = (
        int(hashlib.sha512(text.encode()).hexdigest(), 16) for text in (true_text, pred_text)
    )
    distance = (true_bits ^ pred_bits).bit_count()
    return {"accuracy": (BITS - distance) / BITS, "hamming_distance": distance}


def main(argv: list[str] | None = None) -> None:
    """Run one of the programs."""
    args = _parser().parse_args(argv)
    if args.program == "stage1_predict":
        result: object = predict(args.src_fpath.read_text(), args.param1)
        destination = args.dst_fpath
    else:
        result = {"metrics": evaluate(args.true_fpath.read_text(), args.pred_fpath.read_text())}
        destination = args.out_fpath
    destination.write_text(json.dumps({"result": result}))
    print(f"wrote {destination}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    programs = parser.add_subparsers(dest="program", required=True)
    first = programs.add_parser("stage1_predict", help="a file and a parameter to a prediction")
    first.add_argument("--src_fpath", type=Path, required=True, help="file to predict from")
    first.add_argument("--dst_fpath", type=Path, required=True, help="JSON file to write")
    first.add_argument("--param1", default="1", help="changes the prediction")
    second = programs.add_parser("stage1_evaluate", help="a prediction and the truth to metrics")
    second.add_argument("--true_fpath", type=Path, required=True, help="file that was predicted from")
    second.add_argument("--pred_fpath", type=Path, required=True, help="JSON file of stage1_predict")
    second.add_argument("--out_fpath", type=Path, required=True, help="JSON file to write")
    for program in (first, second):
        program.add_argument(
            "--workers", type=int, default=0, help="changes nothing but how fast it could be"
        )
    return parser


if __name__ == "__main__":
    main()
