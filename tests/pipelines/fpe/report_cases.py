"""The files of a model as its programs leave them, made from a formula, for tests of its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STATION = {
    "id": 29, "name": "West Brook 0", "timezone": "America/New_York", "latitude": 42.43, "longitude": -72.67,
}  # fmt: skip
RECORD = {
    "variable_id": "FLOW_CFS", "dataset_code": "RANK-FLOW", "model_code": None,
    "args": {"min_hour": 7, "max_hour": 18, "annotations_end": None, "train_frac": 0.8},
}  # fmt: skip
ARGS = {"augment": True, "epochs": 4, "learning_rate": 0.02, "weights": None}
LOSSES = "epoch,train_loss,val_loss\n1,0.69,0.68\n2,0.5,0.55\n3,0.4,0.5\n4,0.3,0.5\n"


def write_model(
    folder: Path, images: int = 240, per_day: int = 6, start: str = "2022-10-20T14:30Z",
    observed: bool = True, missing: int = 2,
    station: dict[str, Any] | None = None, record: dict[str, Any] | None = None,
) -> Path:  # fmt: skip
    """A model with images every few hours by day and night: the last third is test-out, of the rest every
    third train, every ninth val; the first ``missing`` have no score.
    """
    for name in ("input", "train", "transform"):
        (folder / name).mkdir(parents=True)
    rows = table(images, per_day, start, observed, missing)
    rows.to_csv(folder / "transform/predictions.csv", index=False)
    pairs(rows).to_csv(folder / "input/pairs.csv", index=False)
    (folder / "input/station.json").write_text(json.dumps(STATION | (station or {})))
    (folder / "input/rank-input.json").write_text(json.dumps(RECORD | (record or {})))
    (folder / "train/args.json").write_text(json.dumps(ARGS))
    (folder / "train/metrics.csv").write_text(LOSSES)
    return folder


def table(images: int, per_day: int, start: str, observed: bool, missing: int) -> pd.DataFrame:
    number = np.arange(images)
    random = np.random.default_rng(0)
    flow = 20 * np.exp(2 * np.sin(number / 37) + random.normal(0, 0.1, images))
    score = np.log(flow) + random.normal(0, 0.5, images)
    times = pd.Timestamp(start) + pd.to_timedelta(number * (24 / per_day), unit="h")
    split = np.where(number % 9 == 1, "val", np.where(number % 3 == 0, "train", "test-in"))
    split = np.where(number >= images * 2 / 3, "test-out", split)
    score[:missing] = np.nan
    return pd.DataFrame(
        {
            "split": split, "image_id": number + 1000, "timestamp": times.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "filename": [f"imagesets/u/images/West Brook 0__{n:05}(1).JPG" for n in number], "url": "",
            "value": flow if observed else np.nan, "score": score,
        }
    )  # fmt: skip


def pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Each image of train and of val with the next of its split, and the other way round."""
    found = []
    for split in ("train", "val"):
        some = rows[rows["split"] == split].reset_index(drop=True)
        for n in range(len(some) - 1):
            label = int(np.sign(np.nan_to_num(some["score"][n] - some["score"][n + 1])))
            for first, second, sign in ((n, n + 1, 1), (n + 1, n, -1)):
                ids = some["image_id"][first], some["timestamp"][first], some["image_id"][second]
                found.append((split, f"{split}{n}", *ids, sign * label))
    names = ["split", "pair", "image_id_1", "timestamp_1", "image_id_2", "label"]
    return pd.DataFrame(found, columns=names)
