"""The rows of the seed into the database: what is there stays as it is, what is missing is added.

Reading and checking the seed stands in seed_files.py, files in import_seed.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from pipelines.errors import BadInput
from pipelines.fpe.seed_files import Group, Row, Seed, StationFiles
from pipelines.fpe.tables import (
    Annotation,
    Base,
    Dataset,
    Image,
    Imageset,
    ModelType,
    Series,
    Station,
    User,
    Value,
    Variable,
)

BATCH = 500  # keys in one question; SQLite takes no more than some thousands


def import_shared(session: Session, seed: Seed) -> None:
    """The variables, model types and users that the database has not yet."""
    tables: Mapping[type[Base], Sequence[Row]] = {
        Variable: seed.variables,
        ModelType: seed.model_types,
        User: seed.users,
    }
    for table, rows in tables.items():
        there = set(session.scalars(select(table.__table__.c.id)))
        _add(session, table, [row for row in rows if row["id"] not in there])


def check_station(session: Session, files: StationFiles) -> None:
    """Whether `import_station` would take it, without adding anything.

    Raises:
        BadInput: an id or a uuid is another's already, or a variable is unknown.
    """
    station_id = _station_id(session, files)
    listed = files.path.with_name("annotations.json")
    for imageset in files.imagesets:
        path = imageset.path.with_name("imageset.json")
        _new_images(session, imageset, _owned_id(session, Imageset, imageset.row, station_id, path))
    for dataset in files.datasets:
        _owned_id(session, Dataset, dataset.row, station_id, dataset.path)
    for row in files.annotations:
        _owned_id(session, Annotation, row, station_id, listed)
    known = set(session.scalars(select(Variable.id)))
    series = [(part.row["variable_id"], part.path) for dataset in files.datasets for part in dataset.parts]
    for variable_id, path in [*series, *((row["variable_id"], listed) for row in files.annotations)]:
        if variable_id is not None and variable_id not in known:
            raise BadInput(f"no variable {variable_id!r} in variables.json", where=path)


def import_station(session: Session, files: StationFiles) -> tuple[int, dict[str, int]]:
    """A station and all that belongs to it.

    Returns:
        The station's id, and how many rows were added, by table.

    Raises:
        BadInput: as `check_station`.
    """
    check_station(session, files)
    before = _counts(session)
    station_id = _station(session, files)
    for imageset in files.imagesets:
        imageset_id = _owned(session, Imageset, imageset.row, station_id, imageset.path)
        rows = _new_images(session, imageset, imageset_id)
        _add(session, Image, [{**row, "imageset_id": imageset_id} for row in rows])
    for dataset in files.datasets:
        _dataset(session, dataset, station_id)
    for row in files.annotations:
        _owned(session, Annotation, row, station_id, files.path)
    after = _counts(session)
    return station_id, {name: after[name] - before[name] for name in after}


def _station_id(session: Session, files: StationFiles) -> int | None:
    """The id of the station of this user and name; None if there is none yet."""
    row = files.row
    there = session.scalar(_same_station(row))
    if there is None:
        if "id" in row and session.get(Station, row["id"]) is not None:
            raise BadInput(f"id: {row['id']} is another station's already", where=files.path)
    elif row.get("id", there) != there:
        raise BadInput(f"name: {row['name']!r} is station {there} already", where=files.path)
    return there


def _station(session: Session, files: StationFiles) -> int:
    if (there := _station_id(session, files)) is not None:
        return there
    _add(session, Station, [files.row])
    return session.scalars(_same_station(files.row)).one()


def _same_station(row: Row) -> Select[int]:
    return select(Station.id).where(Station.user_id == row["user_id"], Station.name == row["name"])


def _new_images(session: Session, files: Group, imageset_id: int | None) -> list[Row]:
    """The images that the imageset has not yet."""
    there = set(session.scalars(select(Image.filename).where(Image.imageset_id == imageset_id)))
    rows = [row for row in files.parts if row["filename"] not in there]
    for taken in _taken(session, [row["id"] for row in rows if "id" in row]):
        raise BadInput(f"id: {taken} is another image's already", where=files.path)
    return rows


def _dataset(session: Session, files: Group, station_id: int) -> None:
    dataset_id = _owned(session, Dataset, files.row, station_id, files.path)
    there = set(session.scalars(select(Series.variable_id).where(Series.dataset_id == dataset_id)))
    for part in files.parts:
        variable_id = part.row["variable_id"]
        if variable_id not in there:
            series = Series(dataset_id=dataset_id, variable_id=variable_id)
            session.add(series)
            session.flush()
            _add(session, Value, [{**row, "series_id": series.id} for row in part.parts])


def _owned_id(
    session: Session, table: Any, row: Row, station_id: int | None, path: os.PathLike[str]
) -> int | None:
    """The id of the row with this uuid; None if there is none yet."""
    found = session.execute(select(table.id, table.station_id).where(table.uuid == row["uuid"])).first()
    if found is None:
        return None
    if found.station_id != station_id:
        raise BadInput(f"uuid: {row['uuid']} belongs to station {found.station_id} already", where=path)
    return int(found.id)


def _owned(session: Session, table: Any, row: Row, station_id: int, path: os.PathLike[str]) -> int:
    """The same, made if there is none."""
    if (there := _owned_id(session, table, row, station_id, path)) is not None:
        return there
    made = table(**row, station_id=station_id)
    session.add(made)
    session.flush()
    return int(made.id)


def _taken(session: Session, ids: Sequence[int]) -> Iterable[int]:
    for first in range(0, len(ids), BATCH):
        yield from session.scalars(select(Image.id).where(Image.id.in_(ids[first : first + BATCH])))


def _add(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    """Insert rows, those that bring their id first, so that the database gives no id that one of them has."""
    named = [row for row in rows if "id" in row]
    if named:
        session.execute(insert(table), named)
        _advance(session, table)
    if others := [row for row in rows if "id" not in row]:
        session.execute(insert(table), others)


def _advance(session: Session, table: type[Base]) -> None:
    """PostgreSQL counts on from the last id that it gave itself, not from the largest."""
    column = table.__table__.c.id
    if session.get_bind().dialect.name == "postgresql" and column.type.python_type is int:
        sequence = func.pg_get_serial_sequence(table.__tablename__, "id")
        session.execute(select(func.setval(sequence, select(func.max(column)).scalar_subquery())))


def _counts(session: Session) -> dict[str, int]:
    tables = {"images": Image, "annotations": Annotation, "values": Value}
    return {
        name: session.scalar(select(func.count()).select_from(table)) or 0 for name, table in tables.items()
    }
