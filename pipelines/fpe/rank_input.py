"""The program `rank-input`: from a dataset, what one model learns from and is tested on.

How pairs are split stands in splitting.py and pairs.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.fpe.dataset_files import (
    folder_of,
    read_table,
    refuse_existing,
    span,
    underscored,
    write_table,
)
from pipelines.fpe.local_times import Window, between_dates, local_dates, within, zone
from pipelines.option_types import SEED, STATION_ID, Finite
from pipelines.program import read_json, run, staged, write_json

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.fpe.splitting import Split

LAST = "rank-input.json"
FILES = ("pairs.csv", "images.csv", "annotations.csv", "manifest.json", "station.json", LAST)
FEW_TRAIN, FEW_VAL = 100, 10  # pairs; a model needs more than these
SPLITS = ("train", "val", "test-in", "test-out")
IMAGE_COLUMNS = ("image_id", "timestamp", "filename", "url", "value")
ANNOTATED = (
    "left.imageId", "left.timestamp", "left.filename", "left.value",
    "right.imageId", "right.timestamp", "right.filename", "right.value", "rank",
)  # fmt: skip

EPILOG = """\b
Example:
  python -m pipelines.fpe.rank_input -d ~/data/fpe -s 29 -D RANK-FLOW-20240709 RANK-FLOW-20240709

Hours and months are in the station's time zone, and both ends count: 7 to 18 lasts until 18:59."""


@dataclass(frozen=True)
class Choice:
    """What of a dataset a model learns from.

    Attributes:
        images: the times of the images that there are for this model.
        start, end: local dates of both images of a pair; None sets no limit.
        most: annotations at most, chosen at random.
    """

    images: Window
    start: date | None = None
    end: date | None = None
    most: int | None = None
    train_frac: float = 0.8
    seed: int = 0


@dataclass(frozen=True, eq=False)
class ModelInput:
    """The tables of pairs.csv, images.csv and annotations.csv, and how the pairs were split."""

    pairs: pd.DataFrame
    images: pd.DataFrame
    annotations: pd.DataFrame
    split: Split


def _date(name: str, text: str) -> Any:
    return click.option(name, type=click.DateTime(["%Y-%m-%d"]), help=f"{text}, YYYY-MM-DD.")


def _range(name: str, low: int, high: int, default: int) -> Any:
    return click.option(name, type=click.IntRange(low, high), default=default, show_default=True)


@click.command(name="rank-input", epilog=EPILOG, context_settings={"token_normalize_func": underscored})
@click.argument("model_code", required=False)
@click.option("-d", "--directory", default=".", show_default="here", help="Root of all stations' folders.")
@click.option("-s", "--station-id", type=STATION_ID, help="Its id in the database.")
@click.option("-v", "--variable", "--variable-id", help="Checked against the dataset's, if given.")
@click.option("-D", "--dataset-code", help="The dataset to take from.")
@click.option("-t", "--train-frac", type=Finite(0, 1, min_open=True, max_open=True), default=0.8,
              show_default=True, help="Fraction of the pairs that train.")  # fmt: skip
@click.option("-S", "--seed", type=SEED, default=0, show_default=True, help="Of the split.")
@_range("--min-hour", 0, 23, 7)
@_range("--max-hour", 0, 23, 18)
@_range("--min-month", 1, 12, 1)
@_range("--max-month", 1, 12, 12)
@_date("--images-start", "First local date of images")
@_date("--images-end", "Last local date of images")
@_date("--annotations-start", "First local date of annotated images")
@_date("--annotations-end", "Last local date of annotated images")
@click.option("--annotations-max-n", type=click.IntRange(min=1), help="Take so many at random.")
@click.option("-o", "--overwrite", is_flag=True, help="Replace the files of an older input.")
@click.option("--src", help="Folder of the dataset.  [default: DIRECTORY/STATION_ID/datasets/DATASET_CODE]")
@click.option("--dst", help="Folder to write to.  [default: DIRECTORY/STATION_ID/models/MODEL_CODE/input]")
def command(
    model_code: str | None,
    directory: str,
    station_id: int | None,
    variable: str | None,
    dataset_code: str | None,
    train_frac: float,
    seed: int,
    annotations_max_n: int | None,
    overwrite: bool,
    src: str | None,
    dst: str | None,
    **limits: Any,
) -> None:
    """Write pairs.csv, images.csv and manifest.json for a model of the station.

    MODEL_CODE names the model; it may be left out with --dst.
    """
    source = folder_of(src, directory, station_id, "datasets", dataset_code)
    folder = folder_of(dst, directory, station_id, "models", model_code, "input")
    refuse_existing(folder, FILES, overwrite)
    dates = {name: _day(limits.pop(name)) for name in list(limits) if name.endswith(("_start", "_end"))}
    window = Window(**limits, start=dates["images_start"], end=dates["images_end"])
    annotated = dates["annotations_start"], dates["annotations_end"]
    choice = Choice(window, *annotated, annotations_max_n, train_frac, seed)
    record = _record(source, variable)
    station = _station(source / "station.json")
    made = make_input(source, station, choice)
    _warn(made.split, train_frac)
    codes = {"model_code": model_code, "dataset_code": dataset_code or record["dataset_code"]}
    info = codes | summary(made, station, choice, record["variable_id"])
    _write(folder, made, station, record["storage"], info)


def make_input(source: Path, station: dict[str, Any], choice: Choice) -> ModelInput:
    """Choose among the images and annotations of the dataset in the folder ``source``, and split them.

    Raises:
        BadInput: a table cannot be read, or too few pairs are left.
    """
    from pipelines.fpe.pairs import labelled, make_pairs, sampled

    timezone = zone(station.get("timezone"))
    images = read_table(source / "images.csv", IMAGE_COLUMNS)
    images = images[within(images["timestamp"], choice.images, timezone)].reset_index(drop=True)
    annotations = labelled(read_table(source / "annotations.csv", ANNOTATED))
    for side in ("left", "right"):
        times = annotations[f"{side}.timestamp"]
        inside = annotations[f"{side}.imageId"].isin(images["image_id"])
        annotations = annotations[inside & between_dates(times, choice.start, choice.end, timezone)]
    annotations = sampled(annotations.reset_index(drop=True), choice.most, choice.seed)
    if annotations.empty:
        raise BadInput("has no annotation with an answer in these hours, months and dates", where=source)
    pairs, split = make_pairs(annotations, choice.train_frac, choice.seed)
    trained = sum(split.train)
    if trained <= FEW_TRAIN or len(split.train) - trained <= FEW_VAL:
        raise BadInput(
            f"gives {trained} pairs to train and {len(split.train) - trained} to validate; more than"
            f" {FEW_TRAIN} and {FEW_VAL} are needed",
            where=source,
        )
    named = images.assign(split=splits_of(images, pairs, choice, station))
    return ModelInput(pairs, named[["split", *IMAGE_COLUMNS]], annotations, split)


def splits_of(
    images: pd.DataFrame, pairs: pd.DataFrame, choice: Choice, station: dict[str, Any]
) -> pd.Series:
    """For each image, one of `SPLITS`.

    An image that is in both train and val is train. Images in no pair are test-in from the first to the last
    annotated date, test-out elsewhere; the dates are the options', else those of the pairs.
    """
    import pandas as pd

    from pipelines.fpe.pairs import images_of

    timezone = zone(station["timezone"])
    dates = local_dates(pairs["timestamp_1"], timezone)  # with the reversed pairs, that of every image
    inside = between_dates(
        images["timestamp"], choice.start or dates.min(), choice.end or dates.max(), timezone
    )
    found = pd.Series("test-out", index=images.index).mask(inside, "test-in")
    for split in ("val", "train"):
        found = found.mask(images["image_id"].isin(images_of(pairs, split)), split)
    return found


def manifest(pairs: pd.DataFrame, prefix: str) -> list[Any]:
    """SageMaker's list of files: what stands before each key, then the keys of all images in pairs."""
    return [{"prefix": prefix}, *sorted(set(pairs["filename_1"]))]


def summary(made: ModelInput, station: dict[str, Any], choice: Choice, variable: str) -> dict[str, Any]:
    """How many images and pairs there are in each split, and what they were chosen by."""
    timezone = zone(station["timezone"])
    counts = made.images["split"].value_counts()
    trained = sum(made.split.train)
    return {
        "variable_id": variable,
        "station": {"id": station["id"], "name": station["name"]},
        "images": {
            **span(made.images["timestamp"], timezone),
            "splits": {name: int(counts.get(name, 0)) for name in SPLITS},
        },
        "pairs": {
            **span(made.pairs["timestamp_1"], timezone),
            "source": "human",
            "count": len(made.split.train),
            "splits": {"train": trained, "val": len(made.split.train) - trained},
            "by_graph": made.split.by_graph,
            "leaked_images": len(made.split.leaked),
        },
        "args": _args(choice),
    }


def _write(
    folder: Path, made: ModelInput, station: dict[str, Any], prefix: str, info: dict[str, Any]
) -> None:
    with staged(folder, folder / LAST) as hidden:
        for name in ("pairs", "images", "annotations"):
            write_table(hidden / f"{name}.csv", getattr(made, name))
        write_json(hidden / "manifest.json", manifest(made.pairs, prefix))
        write_json(hidden / "station.json", station)
        write_json(hidden / LAST, info)


def _record(source: Path, variable: str | None) -> dict[str, Any]:
    record = read_json(source / "rank-dataset.json")
    for key in ("storage", "variable_id", "dataset_code"):
        if not isinstance(record, dict) or key not in record:
            raise BadInput(f"has no {key!r}", where=source / "rank-dataset.json")
    if variable not in (None, record["variable_id"]):
        raise BadInput(f"is a dataset of {record['variable_id']}, not of {variable}", where=source)
    return record


def _station(path: Path) -> dict[str, Any]:
    station = read_json(path)
    for key in ("id", "name", "timezone"):
        if not isinstance(station, dict) or key not in station:
            raise BadInput(f"has no {key!r}", where=path)
    return dict(station)


def _warn(split: Split, wanted: float) -> None:
    if split.by_graph:
        return
    click.echo(
        f"warning: no split by images comes near a fraction of {wanted:g}; pairs are split at random, and"
        f" {len(split.leaked)} images are in both train and val",
        err=True,
    )


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _args(choice: Choice) -> dict[str, Any]:
    """The options that the model's input depends on, by their names."""
    window = asdict(choice.images)
    return {
        **{name: window[name] for name in ("min_hour", "max_hour", "min_month", "max_month")},
        "images_start": _iso(choice.images.start), "images_end": _iso(choice.images.end),
        "annotations_start": _iso(choice.start), "annotations_end": _iso(choice.end),
        "annotations_max_n": choice.most, "train_frac": choice.train_frac, "seed": choice.seed,
    }  # fmt: skip


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


if __name__ == "__main__":
    run(command)
