"""The program that imports the seed's tree into the database and the storage.

What the tree holds stands in seed_files.py, how its rows become ours in import_rows.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.errors import BadInput
from pipelines.fpe.settings import DATABASE, STORAGE, at_home, database_url, storage_url
from pipelines.program import run

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from pipelines.fpe.seed_files import Group, Row, StationFiles
    from pipelines.fpe.storage import Storage

NAMED = 5  # of the files that are missing
SENDERS = 8  # uploads at once: most of the time of each is waiting

EPILOG = """\b
Example:
  python -m pipelines.fpe.import_seed --data fpe/db/seeds/development/data --root ~/data/fpe"""


@click.command(name="import", epilog=EPILOG)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder with users/, variables.json and modelTypes.json.",
)
@click.option("--root", type=click.Path(path_type=Path), default=".", show_default=True, help="Of all files.")
@DATABASE
@STORAGE
def command(data: Path, root: Path, database: str | None, storage: str | None) -> None:
    """Import users, stations, images, annotations and observations; make the tables if there are none.

    What is there already stays as it is, so that the same command goes on where it was stopped. Files go up
    first, then a station's rows, all at once: none ever names a file that is not there.
    """
    from pipelines.fpe import database as databases
    from pipelines.fpe.import_rows import import_shared
    from pipelines.fpe.seed_files import read_seed
    from pipelines.fpe.storage import Storage

    files = Storage(storage_url(storage, root))
    seed = read_seed(at_home(data), files.bucket)
    engine = databases.connect(database_url(database, root), migrate=True)
    with databases.told(engine):
        with databases.transaction(engine) as session:
            import_shared(session, seed)
        for station in seed.stations:
            _import(station, engine, files)


def _import(station: StationFiles, engine: Engine, storage: Storage) -> None:
    from sqlalchemy.exc import IntegrityError

    from pipelines.fpe import database as databases
    from pipelines.fpe.import_rows import check_station, import_station

    kept, missing = _with_files(station, storage)
    if missing:
        named = ", ".join(missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
        click.echo(f"warning: {station.path}: {len(missing)} files are missing, left out: {named}", err=True)
    with databases.transaction(engine) as session:
        check_station(session, kept)  # before its files replace another's
    sent, there = _upload(kept, storage)
    try:
        with databases.transaction(engine) as session:
            station_id, added = import_station(session, kept)
    except IntegrityError as error:
        told = str(error.orig).splitlines()[0]
        raise BadInput(f"the database refuses its rows ({told})", where=station.path) from None
    rows = ", ".join(f"{count} {name}" for name, count in added.items())
    click.echo(
        f"station {station_id} {station.row['name']}: added {rows}; uploaded {sent}, {there} were there"
    )


def _with_files(station: StationFiles, storage: Storage) -> tuple[StationFiles, list[str]]:
    """The station without images and annotations whose file is neither on disk nor in the storage.

    Returns:
        That station, its images with their address, and the keys of the files that are missing.
    """
    keys = [_key(image) for imageset in station.imagesets for image in imageset.parts]
    keys += [_answers(row) for row in station.annotations]
    absent = [key for key in keys if storage.url(key) and not (station.storage / key).is_file()]
    with ThreadPoolExecutor(SENDERS) as pool:
        gone = {key for key, there in zip(absent, pool.map(storage.exists, absent), strict=True) if not there}

    def here(imageset: Group) -> Group:
        parts = [_addressed(image, storage) for image in imageset.parts if _key(image) not in gone]
        return dataclasses.replace(imageset, parts=parts)

    kept = dataclasses.replace(
        station,
        imagesets=[here(imageset) for imageset in station.imagesets],
        annotations=[
            {**row, "url": row["url"] or storage.url(_answers(row))}
            for row in station.annotations
            if _answers(row) not in gone
        ],
    )
    return kept, [key for key in keys if key in gone]


def _upload(station: StationFiles, storage: Storage) -> tuple[int, int]:
    """Send the files on disk that rows name, and thumbnails and detections beside them.

    Returns:
        How many were sent, and how many were there already.
    """
    from tqdm import tqdm

    keys = [key for key in _listed(station) if (station.storage / key).is_file()]
    sent = 0
    with ThreadPoolExecutor(SENDERS) as pool:
        try:
            puts = [pool.submit(storage.put, key, station.storage / key) for key in keys]
            for put in tqdm(puts, desc=station.row["name"], unit="file", disable=None):
                sent += put.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    storage.sweep(keys)
    return sent, len(keys) - sent


def _listed(station: StationFiles) -> Sequence[str]:
    keys = [_answers(row) for row in station.annotations]
    for imageset in station.imagesets:
        place = f"imagesets/{imageset.row['uuid']}"
        keys.append(f"{place}/pii.json")
        for image in imageset.parts:
            keys += [_key(image), f"{place}/thumbs/{image['filename']}"]
    return keys


def _addressed(image: Row, storage: Storage) -> Row:
    return {**image, "full_url": image["full_url"] or storage.url(_key(image))}


def _key(image: Row) -> str:
    return str(image["full_s3"]["Key"])


def _answers(annotation: Row) -> str:
    return f"annotations/{annotation['uuid']}.json"


def main() -> None:
    run(command)


if __name__ == "__main__":
    main()
