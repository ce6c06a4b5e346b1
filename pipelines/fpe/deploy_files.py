"""A model that is to be deployed: its uuid, its two files, and their place in the storage.

Rows of the database do not belong here (deploy_rows.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import NAMESPACE_URL, uuid5

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.fpe.storage import Missing, Storage
from pipelines.program import read_json

SENDERS = 8  # uploads at once: most of the time of each is waiting
SPACE = uuid5(NAMESPACE_URL, "https://www.usgs.gov/apps/ecosheds/fpe/models")


@dataclass(frozen=True)
class Kind:
    """Of what variable a model is, of which type, and which version."""

    variable_id: str
    model_type_id: str
    code: str


@dataclass(frozen=True)
class Deployment:
    """One model of one station, to be deployed.

    Attributes:
        folder: of the model, from which both files are; None if they were named.
    """

    station_id: int
    kind: Kind
    predictions: Path
    report: Path
    folder: Path | None = None

    @property
    def uuid(self) -> str:
        """Always the same for a station and a kind."""
        kind = self.kind
        return str(
            uuid5(SPACE, json.dumps([self.station_id, kind.variable_id, kind.model_type_id, kind.code]))
        )

    @property
    def prefix(self) -> str:
        """The folder of its files in the storage."""
        return f"models/{self.uuid}"

    @property
    def files(self) -> Mapping[str, Path]:
        """The table of predictions and the page of diagnostics, by key in the storage."""
        return {
            f"{self.prefix}/predictions.csv": self.predictions,
            f"{self.prefix}/{self.kind.code}.html": self.report,
        }


def addresses(model: Deployment, storage: Storage, site: str | None) -> list[str]:
    """Where the world finds the predictions and the page: below ``site``, else in the storage."""
    if site is None:
        return [storage.url(key) for key in model.files]
    return [f"{site.rstrip('/')}/{quote(key.removeprefix('models/'))}" for key in model.files]


def check_site(site: str | None) -> None:
    """Raise BadInput unless addresses can begin with it; a password there would be in the database."""
    try:
        parts = urlsplit(site or "")
    except ValueError:
        raise BadInput("is not a URL", where="--site") from None
    if "@" in parts.netloc:
        raise BadInput("has a user or a password, which everybody would see", where="--site")
    if site is not None and (not site or parts.query or parts.fragment):
        raise BadInput(
            "is not what an address can begin with", where="--site", hint="https://.../models, say"
        )


def check_files(model: Deployment) -> list[str]:
    """See that both files are there, with at least one score.

    Returns:
        The images of the predictions, as they stand there.

    Raises:
        BadInput: no such model, a file is missing, or is not what it should be.
    """
    from pipelines.fpe.evaluate import read_predictions

    if model.folder is not None and not model.folder.is_dir():
        others = [path.name for path in model.folder.parent.glob("*") if path.is_dir()]
        raise BadInput("no such model", where=model.folder, hint=did_you_mean(model.kind.code, others))
    _check_variable(model)
    rows = read_predictions(model.predictions)
    for name in ("filename", "url"):
        if name not in rows:
            raise BadInput(f"has no column {name}", where=model.predictions)
    if rows["score"].isna().all():
        raise BadInput("has no score at all", where=model.predictions)
    try:
        size = model.report.stat().st_size if model.report.is_file() else None
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=model.report) from None
    if not size:
        raise BadInput("no such page" if size is None else "is empty", where=model.report,
                       hint="python -m pipelines.fpe.report makes it")  # fmt: skip
    return list(rows["image_id"])


def _check_variable(model: Deployment) -> None:
    """Raise BadInput if the model's folder says that it was made for another variable."""
    record = model.folder and model.folder / "input" / "rank-input.json"
    if not record or not record.is_file():
        return
    found = read_json(record)
    made_for = found.get("variable_id") if isinstance(found, dict) else None
    if made_for not in (None, model.kind.variable_id):
        raise BadInput(
            f"is a model of {made_for}, not of {model.kind.variable_id}",
            where=model.folder,
            hint="see --variable",
        )


def differs(storage: Storage, key: str, path: Path) -> bool:
    """Whether the key has other bytes than the file; not if there is no such key."""
    try:
        return storage.read(key) != path.read_bytes()
    except Missing:
        return False
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from None


def send(storage: Storage, models: Sequence[Deployment]) -> dict[str, int]:
    """Upload what the storage lacks, and clear what killed uploads left; how many of each uuid were sent."""
    files = [(model.uuid, key, path) for model in models for key, path in model.files.items()]
    sent = dict.fromkeys((model.uuid for model in models), 0)
    with ThreadPoolExecutor(SENDERS) as pool:
        puts = [(uuid, pool.submit(storage.put, key, path)) for uuid, key, path in files]
        try:
            for uuid, put in puts:
                sent[uuid] += put.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    storage.sweep([key for _, key, _ in files])
    return sent


def drop_stale(storage: Storage, model: Deployment) -> int:
    """Remove what lies in the model's folder of the storage and is not the model's; how many files."""
    stale = [key for key in storage.list(model.prefix) if key not in model.files]
    for key in stale:
        storage.remove(key)
    return len(stale)
