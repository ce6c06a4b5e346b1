"""Deploying: everything is checked, then files go to the storage, then all rows into the database at once.

What is written where stands in deploy_files.py and deploy_rows.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pipelines.errors import BadInput
from pipelines.fpe import deploy_files, deploy_rows
from pipelines.fpe.database import described, told, transaction
from pipelines.fpe.deploy_files import Deployment
from pipelines.fpe.deploy_rows import Deployed
from pipelines.fpe.storage import Storage
from pipelines.fpe.tables import Model


@dataclass(frozen=True)
class Manner:
    """How models are deployed.

    Attributes:
        site: what their addresses begin with; None for those of the storage.
        overwrite: replace what is deployed under the same code.
        default: each becomes the default of its station.
    """

    site: str | None = None
    overwrite: bool = False
    default: bool = True


def deploy(engine: Engine, storage: Storage, models: Sequence[Deployment], manner: Manner) -> list[Deployed]:
    """Make all models visible, or none of them.

    A model that is there with the same content stays as it is, and so does the default then, unless
    ``manner.overwrite``. Killed at any moment, the same call completes it.

    Raises:
        BadInput: something is unknown, missing or not fit; other content is there under the same code and
            may not be replaced; the database or the storage refuses.
    """
    deploy_files.check_site(manner.site)
    with told(engine):
        with Session(engine) as session:
            for model in models:
                deploy_rows.check_known(session, model)
                deploy_rows.check_images(session, model, deploy_files.check_files(model))
        try:
            # Files go up within: of two programs with other content under one code, the second is refused
            # before it has replaced the files of the first.
            with transaction(engine) as session:
                done = _write(session, storage, models, manner)
        except IntegrityError as error:
            reason = str(error.orig).splitlines()[0]
            raise BadInput(f"refuses the rows ({reason})", where=described(engine)) from None
    if manner.overwrite:
        for model in models:
            deploy_files.drop_stale(storage, model)
    return done


def _write(
    session: Session, storage: Storage, models: Sequence[Deployment], manner: Manner
) -> list[Deployed]:
    there = {model.uuid: _unchanged(session, storage, model, manner) for model in models}
    sent = deploy_files.send(storage, models)
    done = []
    for model in models:
        row, written, instead = there[model.uuid], 0, None
        if row is None:
            urls = deploy_files.addresses(model, storage, manner.site)
            row, written, instead = deploy_rows.store(session, model, urls, manner.default)
        done.append(Deployed(deploy_rows.columns(row), written, sent[model.uuid], instead))
    return done


def _unchanged(session: Session, storage: Storage, model: Deployment, manner: Manner) -> Model | None:
    """The model's row if it is to stay as it is.

    Raises:
        BadInput: it is deployed already with other content, and may not be replaced.
    """
    row = deploy_rows.find(session, model)
    if row is None or row.status != "DONE" or manner.overwrite:
        return None
    others = [key for key, path in model.files.items() if deploy_files.differs(storage, key, path)]
    names = [key.removeprefix(f"{model.prefix}/") for key in others]
    if [row.predictions_url, row.diagnostics_url] != deploy_files.addresses(model, storage, manner.site):
        names.append("address")
    if names:
        raise BadInput(
            f"station {model.station_id} has {model.kind.code} already, with another {names[0]}",
            hint="choose another code, or replace it with --overwrite (-o)",
        )
    return row
