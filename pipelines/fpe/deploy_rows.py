"""The rows of deployed models: what they must agree with, and which one is a station's default.

Files do not belong here (deploy_files.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.fpe.deploy_files import Deployment
from pipelines.fpe.tables import Image, Imageset, Model, ModelType, Station, Variable

#: In the order of the table; without `id`, which the database gives.
COLUMNS = (
    "station_id", "model_type_id", "variable_id", "code", "uuid", "default", "diagnostics_url",
    "predictions_url", "status",
)  # fmt: skip


@dataclass(frozen=True)
class Deployed:
    """What became of a model.

    Attributes:
        row: the `COLUMNS` of its row, by name.
        rows, files: how many of its own were written.
        instead: the code of the model that was the station's default before it.
    """

    row: dict[str, Any]
    rows: int
    files: int
    instead: str | None = None

    @property
    def sentence(self) -> str:
        """For the user, as `station 29: RANK-FLOW deployed (1 row, 2 files), the default`."""
        what = "deployed" if self.rows or self.files else "was deployed already, nothing changed"
        counts = f"{self.rows} row{'' if self.rows == 1 else 's'}, {self.files} files"
        default = "the default" if self.row["default"] else "not the default"
        instead = f" in place of {self.instead}" if self.instead else ""
        return f"station {self.row['station_id']}: {self.row['code']} {what} ({counts}), {default}{instead}"


def check_known(session: Session, model: Deployment) -> None:
    """Raise BadInput unless the database has the model's station, variable and type."""
    if session.get(Station, model.station_id) is None:
        ids = [str(one) for one in session.scalars(select(Station.id).order_by(Station.id).limit(12))]
        raise BadInput(
            f"the database has no station {model.station_id}", hint=f"it has {', '.join(ids) or 'none'}"
        )
    for what, table, name in (
        ("variable", Variable, model.kind.variable_id),
        ("model type", ModelType, model.kind.model_type_id),
    ):
        names = session.scalars(select(table.id)).all()
        if name not in names:
            raise BadInput(f"the database has no {what} {name!r}", hint=did_you_mean(name, names))


def check_images(session: Session, model: Deployment, image_ids: Sequence[str]) -> None:
    """Raise BadInput if predictions are of another station: ids of images are unique in the database."""
    query = select(Image.id).join(Imageset).where(Imageset.station_id == model.station_id)
    if {str(one) for one in session.scalars(query)}.isdisjoint(image_ids):
        raise BadInput(f"has no image of station {model.station_id}", where=model.predictions)


def find(session: Session, model: Deployment) -> Model | None:
    """The row of the model, if there is one.

    Raises:
        BadInput: another program has deployed something under its code, with a uuid of its own.
    """
    kind = model.kind
    query = select(Model).where(
        Model.station_id == model.station_id,
        Model.variable_id == kind.variable_id,
        Model.model_type_id == kind.model_type_id,
        Model.code == kind.code,
    )
    rows = {row.uuid: row for row in session.scalars(query)}
    for uuid in sorted(set(rows) - {model.uuid}):
        raise BadInput(
            f"station {model.station_id} has a model {kind.code} of another program already ({uuid})",
            hint="choose another code",
        )
    return rows.get(model.uuid)


def store(
    session: Session, model: Deployment, urls: Sequence[str], default: bool
) -> tuple[Model, int, str | None]:
    """Write the model's row as DONE, and make it the default if ``default``.

    Args:
        urls: of the predictions and of the page of diagnostics.

    Returns:
        The row; 1 if it had to be written, else 0; and the code of the model that was the default before.
    """
    row = find(session, model) or _new(session, model)
    row.predictions_url, row.diagnostics_url = urls
    row.status = "DONE"
    written = int(row in session.new or session.is_modified(row) or (default and not row.default))
    instead = None
    if default and not row.default:
        instead = _dethrone(session, model)
        row.default = True
    session.flush()
    return row, written, instead


def columns(row: Model) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}


def _new(session: Session, model: Deployment) -> Model:
    kind = model.kind
    row = Model(
        station_id=model.station_id, model_type_id=kind.model_type_id, variable_id=kind.variable_id,
        code=kind.code, uuid=model.uuid, default=False,
    )  # fmt: skip
    session.add(row)
    return row


def _dethrone(session: Session, model: Deployment) -> str | None:
    """Leave no model the default; the code of the one that was. Flushed: the table never has two."""
    query = select(Model).where(
        Model.station_id == model.station_id, Model.variable_id == model.kind.variable_id, Model.default
    )
    former = session.scalars(query).one_or_none()
    if former is None:
        return None
    former.default = False
    session.flush()
    return former.code
