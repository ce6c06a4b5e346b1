"""The program `evaluate`: the metrics by which models are ranked, from their predictions.

How they are computed stands in correlations.py.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.fpe.model_options import EITHER_DASH, model_folder, model_options, path_of
from pipelines.program import read_json, run, write_json

if TYPE_CHECKING:
    import pandas as pd

EPILOG = """\b
Example:
  python -m pipelines.fpe.evaluate --directory ~/data/fpe --station-id 29 \\
      --model-code RANK-FLOW-20240709 --dst evaluation.json"""

PAIR_COLUMNS = ("split", "pair", "image_id_1", "image_id_2", "label")


@click.command(name="evaluate", epilog=EPILOG, context_settings=EITHER_DASH)
@model_options
@click.option("--input", help="Folder with pairs.csv and station.json.  [default: the model's input]")
@click.option("--train", help="Folder with metrics.csv, for the loss.  [default: the model's train]")
@click.option("--predictions", help="Table of scores.  [default: predictions.csv in the model's transform]")
@click.option("--dst", help="JSON file to write.  [default: evaluation.json in the model's folder]")
def command(
    directory: str | None, station_id: str | None, model_code: str | None, input: str | None,
    train: str | None, predictions: str | None, dst: str | None,
) -> None:  # fmt: skip
    """Measure how well scores order images: against observations, and against people's answers.

    tau and rho are of images with an observation, and of the means of the station's local days (`day`), in
    each split and all; accuracy is of pairs by two classes (more, less) and three (or the same). What is not
    defined, as without observations, is null.
    """
    folder = model_folder(directory, station_id, model_code)
    source = path_of(input, "--input", folder, "input")
    rows = read_predictions(path_of(predictions, "--predictions", folder, "transform/predictions.csv"))
    pairs = read_pairs(source / "pairs.csv")
    timezone = _timezone(source / "station.json")
    losses = path_of(train, "--train", folder, "train") / "metrics.csv"
    metrics = measure(rows, pairs, timezone) | {"val_loss": _best_loss(losses)}
    info = {"program": "pipelines.fpe.evaluate", "timezone": timezone}
    target = path_of(dst, "--dst", folder, "evaluation.json")
    write_json(target, {"info": [info], "result": {"metrics": metrics}})


def measure(rows: pd.DataFrame, pairs: pd.DataFrame, timezone: str) -> dict[str, float | int | None]:
    """Metrics by name, such as tau_test_out, rho_day_all, accuracy2_val, n_pairs_train, missing_scores."""
    from pipelines.fpe import correlations

    found: dict[str, float | int | None] = {}
    levels = {"": correlations.by_split(rows), "day_": correlations.of_days(rows, timezone)}
    for level, by_split in levels.items():
        for split, one in by_split.items():
            name = f"{level}{split.replace('-', '_')}"
            found |= {f"tau_{name}": one.tau, f"rho_{name}": one.rho, f"n_{name}": one.n}
    scores = dict(zip(rows["image_id"], rows["score"], strict=True))
    for split in ("train", "val"):
        some = pairs[pairs["split"] == split]
        agreement = correlations.pair_accuracy(some, scores)
        found |= {f"accuracy2_{split}": agreement.two, f"accuracy3_{split}": agreement.three}
        found[f"n_pairs_{split}"] = some["pair"].nunique()  # a pair stands the other way round, too
    found["leaked_images"] = correlations.leaked_images(pairs)
    found["missing_scores"] = int(rows["score"].isna().sum())
    return found


def read_predictions(path: Path) -> pd.DataFrame:
    """Columns split, image_id, timestamp as text, value and score as numbers, NaN where there is none.

    Raises:
        BadInput: the file is no such table.
    """
    from pipelines.fpe import merging

    rows = merging.read_images(path, ("split", "image_id", "timestamp", "value", "score"))
    return rows.assign(**{name: _numbers(rows, name, path) for name in ("value", "score")})


def read_pairs(path: Path) -> pd.DataFrame:
    """Columns split, pair, image_id_1 and image_id_2 as text, label -1, 0 or 1.

    Raises:
        BadInput: the file is no such table.
    """
    from pipelines.fpe import merging

    pairs = merging.read_rows(path, PAIR_COLUMNS)
    pairs = pairs.assign(label=_numbers(pairs, "label", path))
    wrong = ~pairs["label"].isin([-1, 0, 1])
    if wrong.any():
        raise BadInput(f"row {int(wrong.to_numpy().argmax()) + 1}: label is not -1, 0 or 1", where=path)
    return pairs


def _numbers(rows: pd.DataFrame, name: str, path: Path) -> pd.Series[float]:
    import pandas as pd

    text = rows[name]
    numbers = pd.to_numeric(text.replace({"": None, "NA": None}), errors="coerce").astype(float)
    wrong = numbers.isna() & ~text.isin(["", "NA", "NaN", "nan"]) | numbers.isin([math.inf, -math.inf])
    if wrong.any():
        raise BadInput(f"{name} {text[wrong].iloc[0]!r} is not a number", where=path)
    return numbers


def _timezone(path: Path) -> str:
    station: Any = read_json(path)
    zone = station.get("timezone") if isinstance(station, dict) else None
    if not isinstance(zone, str) or not zone:
        raise BadInput("has no timezone", where=path)
    return zone


def _best_loss(path: Path) -> float | None:
    """The validation loss of the epoch whose weights the model has: the least."""
    from pipelines.fpe import merging

    losses = _numbers(merging.read_rows(path, ("val_loss",)), "val_loss", path).dropna()
    return float(losses.min()) if len(losses) else None


if __name__ == "__main__":
    run(command)
