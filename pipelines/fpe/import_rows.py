"""The rows of the seed into the database: what is there stays as it is, what is missing is added.

Reading and checking the seed stands in seed_files.py, files in import_seed.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, insert, select
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


def import_station(session: Session, files: StationFiles) -> tuple[int, dict[str, int]]:
    """A station and all that belongs to it.

    Returns:
        The station's id, and how many rows were added, by table.

    Raises:
        BadInput: an id or a uuid is another's already, or a variable is unknown.
    """
    before = _counts(session)
    known = set(session.scalars(select(Variable.id)))
    station_id = _station(session, files)
    for imageset in files.imagesets:
        _imageset(session, imageset, station_id)
    for dataset in files.datasets:
        _dataset(session, dataset, station_id, known)
    for row in files.annotations:
        _check_variable(row["variable_id"], known, files.path.with_name("annotations.json"))
        _owned(session, Annotation, row, station_id, files.path.with_name("annotations.json"))
    after = _counts(session)
    return station_id, {name: after[name] - before[name] for name in after}


def _station(session: Session, files: StationFiles) -> int:
    row = files.row
    same_name = select(Station.id).where(Station.user_id == row["user_id"], Station.name == row["name"])
    there = session.scalar(same_name)
    if there is None:
        if "id" in row and session.get(Station, row["id"]) is not None:
            raise BadInput(f"id: {row['id']} is another station's already", where=files.path)
        _add(session, Station, [row])
        there = session.scalars(same_name).one()
    elif row.get("id", there) != there:
        raise BadInput(f"name: {row['name']!r} is station {there} already", where=files.path)
    return there


def _imageset(session: Session, files: Group, station_id: int) -> None:
    imageset_id = _owned(session, Imageset, files.row, station_id, files.path.with_name("imageset.json"))
    there = set(session.scalars(select(Image.filename).where(Image.imageset_id == imageset_id)))
    rows = [{**row, "imageset_id": imageset_id} for row in files.parts if row["filename"] not in there]
    for taken in _taken(session, [row["id"] for row in rows if "id" in row]):
        raise BadInput(f"id: {taken} is another image's already", where=files.path)
    _add(session, Image, rows)


def _dataset(session: Session, files: Group, station_id: int, known: set[str]) -> None:
    dataset_id = _owned(session, Dataset, files.row, station_id, files.path)
    there = set(session.scalars(select(Series.variable_id).where(Series.dataset_id == dataset_id)))
    for part in files.parts:
        variable_id = part.row["variable_id"]
        _check_variable(variable_id, known, part.path)
        if variable_id not in there:
            series = Series(dataset_id=dataset_id, variable_id=variable_id)
            session.add(series)
            session.flush()
            _add(session, Value, [{**row, "series_id": series.id} for row in part.parts])


def _owned(session: Session, table: Any, row: Row, station_id: int, path: Any) -> int:
    """The id of the row with this uuid, made if there is none."""
    found = session.execute(select(table.id, table.station_id).where(table.uuid == row["uuid"])).first()
    if found is None:
        made = table(**row, station_id=station_id)
        session.add(made)
        session.flush()
        return int(made.id)
    if found.station_id != station_id:
        raise BadInput(f"uuid: {row['uuid']} belongs to station {found.station_id} already", where=path)
    return int(found.id)


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


def _check_variable(variable_id: str | None, known: set[str], path: Any) -> None:
    if variable_id is not None and variable_id not in known:
        raise BadInput(f"no variable {variable_id!r} in variables.json", where=path)


def _counts(session: Session) -> dict[str, int]:
    tables = {"images": Image, "annotations": Annotation, "values": Value}
    return {
        name: session.scalar(select(func.count()).select_from(table)) or 0 for name, table in tables.items()
    }
