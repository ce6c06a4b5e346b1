"""The program `rank-dataset`: all images and annotations of a station, as files.

How the tables come about stands in dataset_tables.py, the choice of them for a model in rank_input.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from pipelines.errors import BadInput
from pipelines.fpe import settings
from pipelines.fpe.dataset_files import folder_of, refuse_existing, span, underscored, write_table
from pipelines.fpe.interpolation import MAXGAP_MINUTES, averaged
from pipelines.fpe.local_times import zone
from pipelines.option_types import STATION_ID, Finite
from pipelines.program import run, staged, write_json

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.fpe.storage import Storage

LAST = "rank-dataset.json"
FILES = (
    "station.json", "images.csv", "values.csv", "annotations.csv", "images.png", "annotations-cumul.png",
    "annotations-splot.png", LAST,
)  # fmt: skip

EPILOG = """\b
Example:
  python -m pipelines.fpe.rank_dataset -d ~/data/fpe -s 29 -v FLOW_CFS RANK-FLOW-20240709"""


@dataclass(frozen=True, eq=False)
class Collected:
    """What the database and the storage have of a station.

    Attributes:
        private: images left out because they show people or vehicles.
        unused: answers left out because an image of theirs was.
    """

    station: dict[str, Any]
    timezone: ZoneInfo
    images: pd.DataFrame
    values: pd.DataFrame
    annotations: pd.DataFrame
    private: int
    unused: int


@click.command(name="rank-dataset", epilog=EPILOG, context_settings={"token_normalize_func": underscored})
@click.argument("code", required=False)
@click.option("-d", "--directory", default=".", show_default="here", help="Root of all stations' folders.")
@click.option("-s", "--station-id", type=STATION_ID, required=True, help="Its id in the database.")
@click.option("-v", "--variable", "--variable-id", default="FLOW_CFS", show_default=True)
@click.option("-m", "--maxgap", type=Finite(0), default=MAXGAP_MINUTES, show_default=True,
              help="Minutes from an image to the observations before and after it.")  # fmt: skip
@click.option("-o", "--overwrite", is_flag=True, help="Replace the files of an older dataset.")
@click.option("--dst", help="Folder to write to.  [default: DIRECTORY/STATION_ID/datasets/CODE]")
@settings.DATABASE
@settings.STORAGE
def command(
    code: str | None,
    directory: str,
    station_id: int,
    variable: str,
    maxgap: float,
    overwrite: bool,
    dst: str | None,
    database: str | None,
    storage: str | None,
) -> None:
    """Write images.csv, values.csv, annotations.csv and pictures of them for the station.

    CODE names this version of the dataset; it may be left out with --dst.
    """
    folder = folder_of(dst, directory, station_id, "datasets", code)
    refuse_existing(folder, FILES, overwrite)
    from pipelines.fpe.storage import Storage

    store = Storage(settings.storage_url(storage, directory))
    found = collect(database, directory, store, station_id, variable, maxgap)
    with staged(folder, folder / LAST) as hidden:
        _write_tables(hidden, found, variable)
        record = {
            "dataset_code": code, "station_id": station_id, "variable_id": variable,
            "args": {"maxgap": maxgap}, "storage": prefix_of(store), **summary(found),
        }  # fmt: skip
        write_json(hidden / LAST, record)


def collect(
    database: str | None, root: str, store: Storage, station_id: int, variable: str, maxgap: float
) -> Collected:
    """Read all that belongs to a station; ``maxgap`` in minutes.

    Raises:
        BadInput: database or storage do not answer, or lack the station, the variable, images or annotations.
    """
    from pipelines.fpe import dataset_tables
    from pipelines.fpe.database import connect, told

    engine = connect(database and settings.database_url(database, root), root)
    try:
        with told(engine), engine.connect() as connection:
            station = dataset_tables.fetch_station(connection, station_id, variable)
            timezone = zone(station["timezone"])
            images, private = dataset_tables.fetch_images(connection, station_id)
            values = dataset_tables.fetch_values(connection, station_id, variable)
            said = dataset_tables.fetch_answers(connection, store, station_id, variable)
    finally:
        engine.dispose()
    images = dataset_tables.with_values(images, values, maxgap)
    annotations = dataset_tables.annotation_table(said, images)
    if annotations.empty:
        raise BadInput(f"station {station_id} has no annotations of {variable}")
    return Collected(station, timezone, images, values, annotations, private, len(said) - len(annotations))


def summary(found: Collected) -> dict[str, Any]:
    """How many rows each table has, and from when to when by the station's clock."""
    import pandas as pd

    annotated = pd.concat([found.annotations[f"{side}.timestamp"] for side in ("left", "right")])
    times = averaged(found.values)["timestamp"]
    between = times.diff().dt.total_seconds().median() / 60 if len(times) > 1 else None
    images = {"excluded": found.private, "count_missing_value": int(found.images["value"].isna().sum())}
    return {
        "images": {**span(found.images["timestamp"], found.timezone), **images},
        "values": {**span(found.values["timestamp"], found.timezone), "freq": between},
        "annotations": {
            **span(annotated, found.timezone),
            "count": len(found.annotations),
            "excluded": found.unused,
        },
    }


def prefix_of(store: Storage) -> str:
    """What stands before a key in the address of a file."""
    return store.url("key").removesuffix("key")


def _write_tables(folder: Path, found: Collected, variable: str) -> None:
    from pipelines.fpe import dataset_plots

    station = found.station
    write_json(folder / "station.json", station)
    for name in ("images", "values", "annotations"):
        write_table(folder / f"{name}.csv", getattr(found, name))
    title = f"{station['name']} (station {station['id']}), {variable}"
    observed = averaged(found.values)
    dataset_plots.draw_images(folder / "images.png", title, variable, found.images, observed, found.timezone)
    dataset_plots.draw_cumulated(folder / "annotations-cumul.png", title, found.annotations, found.timezone)
    dataset_plots.draw_scatter(folder / "annotations-splot.png", title, found.annotations, found.timezone)


if __name__ == "__main__":
    run(command)
