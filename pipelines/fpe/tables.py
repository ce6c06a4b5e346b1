"""The tables of Flow Photo Explorer, as typed SQLAlchemy classes.

Connecting stands in database.py, the steps from an older schema to this one in migrations/.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

STATUSES = ("CREATED", "UPLOADING", "QUEUED", "PROCESSING", "DONE", "FAILED")  # only DONE counts
CODE_LENGTH = 16  # of a variable or a model type, in characters

NAMES = {  # so that a migration can name what it drops
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Moment(TypeDecorator[datetime]):
    """A time with an offset; kept in UTC, given back in UTC (SQLite itself knows no offsets)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without an offset: {value.isoformat()}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {str: Text(), datetime: Moment(), dict[str, Any]: JSON()}


def _status() -> CheckConstraint:
    listed = ", ".join(f"'{status}'" for status in STATUSES)
    return CheckConstraint(f"status IN ({listed})", name="status")


def _part_of(column: str) -> Any:
    """A key to the row that this one is a part of, and goes with."""
    return mapped_column(ForeignKey(column, ondelete="CASCADE"), index=True)


class User(Base):
    """Who owns stations. `id` is a UUID."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    affiliation_code: Mapped[str | None]
    affiliation_name: Mapped[str | None]

    stations: Mapped[list[Station]] = relationship(back_populates="user", passive_deletes=True)


class Station(Base):
    """A camera at a stream. Degrees north and east (WGS 84); `timezone` is an IANA name."""

    __tablename__ = "stations"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = _part_of("users.id")
    name: Mapped[str]
    description: Mapped[str | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    timezone: Mapped[str]
    nwis_id: Mapped[str | None]
    waterbody_type: Mapped[str | None]
    status: Mapped[str | None]  # of the site, such as ACTIVE; not of STATUSES

    user: Mapped[User] = relationship(back_populates="stations")
    datasets: Mapped[list[Dataset]] = relationship(back_populates="station", passive_deletes=True)
    imagesets: Mapped[list[Imageset]] = relationship(back_populates="station", passive_deletes=True)
    annotations: Mapped[list[Annotation]] = relationship(back_populates="station", passive_deletes=True)
    models: Mapped[list[Model]] = relationship(back_populates="station", passive_deletes=True)


class Variable(Base):
    """What is observed; the unit is in the id, as in FLOW_CFS (cubic feet per second)."""

    __tablename__ = "variables"

    id: Mapped[str] = mapped_column(String(CODE_LENGTH), primary_key=True)
    description: Mapped[str | None]


class Dataset(Base):
    """An upload of observations at a station."""

    __tablename__ = "datasets"
    __table_args__ = (_status(),)

    id: Mapped[int] = mapped_column(primary_key=True)
    station_id: Mapped[int] = _part_of("stations.id")
    uuid: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str]
    filename: Mapped[str | None]

    station: Mapped[Station] = relationship(back_populates="datasets")
    series: Mapped[list[Series]] = relationship(back_populates="dataset", passive_deletes=True)


class Series(Base):
    """One variable of a dataset."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("dataset_id", "variable_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = _part_of("datasets.id")
    variable_id: Mapped[str] = mapped_column(ForeignKey("variables.id"), index=True)

    dataset: Mapped[Dataset] = relationship(back_populates="series")
    variable: Mapped[Variable] = relationship()
    values: Mapped[list[Value]] = relationship(back_populates="series", passive_deletes=True)


class Value(Base):
    """One observation. A time may come twice; `flag` is the observer's remark."""

    __tablename__ = "values"
    __table_args__ = (Index(None, "series_id", "timestamp"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"))
    timestamp: Mapped[datetime]
    value: Mapped[float]
    flag: Mapped[str | None]

    series: Mapped[Series] = relationship(back_populates="values")


class Imageset(Base):
    """An upload of photographs of a station."""

    __tablename__ = "imagesets"
    __table_args__ = (_status(),)

    id: Mapped[int] = mapped_column(primary_key=True)
    station_id: Mapped[int] = _part_of("stations.id")
    uuid: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str]
    n_images: Mapped[int | None]
    pii_status: Mapped[str | None]

    station: Mapped[Station] = relationship(back_populates="imagesets")
    images: Mapped[list[Image]] = relationship(back_populates="imageset", passive_deletes=True)


class Image(Base):
    """One photograph. Width and height in pixels; `full_s3` is {"Bucket", "Key"}, its key in the storage.

    `pii_person` and `pii_vehicle` are a detector's scores from 0 to 1; `pii_on` and `pii_off` are a
    person's word that it does, or does not, show people or vehicles.
    """

    __tablename__ = "images"
    __table_args__ = (UniqueConstraint("imageset_id", "filename"), _status())

    id: Mapped[int] = mapped_column(primary_key=True)
    imageset_id: Mapped[int] = _part_of("imagesets.id")
    filename: Mapped[str]
    timestamp: Mapped[datetime] = mapped_column(index=True)
    width: Mapped[int | None]
    height: Mapped[int | None]
    full_s3: Mapped[dict[str, Any]]
    full_url: Mapped[str | None]
    status: Mapped[str]
    pii_person: Mapped[float | None]
    pii_vehicle: Mapped[float | None]
    pii_on: Mapped[bool] = mapped_column(default=False)
    pii_off: Mapped[bool] = mapped_column(default=False)

    imageset: Mapped[Imageset] = relationship(back_populates="images")


class Annotation(Base):
    """One person's file of `n` answers; its key in the storage is annotations/<uuid>.json."""

    __tablename__ = "annotations"
    __table_args__ = (_status(),)

    id: Mapped[int] = mapped_column(primary_key=True)
    station_id: Mapped[int] = _part_of("stations.id")
    uuid: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str]
    n: Mapped[int | None]
    url: Mapped[str | None]
    flag: Mapped[bool] = mapped_column(default=False)  # not to be used
    variable_id: Mapped[str | None] = mapped_column("variable", ForeignKey("variables.id"))

    station: Mapped[Station] = relationship(back_populates="annotations")


class ModelType(Base):
    """A kind of model, such as RANK."""

    __tablename__ = "model_types"

    id: Mapped[str] = mapped_column(String(CODE_LENGTH), primary_key=True)
    name: Mapped[str | None]


class Model(Base):
    """A deployed model; a station has one default per variable, which the web pages show."""

    __tablename__ = "models"
    __table_args__ = (
        _status(),
        Index(
            "uq_models_default",
            "station_id",
            "variable_id",
            unique=True,
            postgresql_where=text('"default"'),
            sqlite_where=text('"default"'),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    station_id: Mapped[int] = _part_of("stations.id")
    model_type_id: Mapped[str] = mapped_column(ForeignKey("model_types.id"))
    variable_id: Mapped[str] = mapped_column(ForeignKey("variables.id"))
    code: Mapped[str]
    uuid: Mapped[str] = mapped_column(unique=True)
    default: Mapped[bool] = mapped_column(default=False)
    diagnostics_url: Mapped[str | None]
    predictions_url: Mapped[str | None]
    status: Mapped[str]

    station: Mapped[Station] = relationship(back_populates="models")
