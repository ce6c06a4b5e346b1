"""The tables of a dataset, from the database and the storage: images, observed values, annotations.

Choosing among them for a model does not belong here. All times are in UTC.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, func, or_, select

from pipelines.errors import BadInput
from pipelines.fpe.interpolation import interpolate
from pipelines.fpe.tables import Annotation, Dataset, Image, Imageset, Series, Station, Value, Variable

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.fpe.storage import Storage

RANKS = ("LEFT", "RIGHT", "SAME", "UNKNOWN")
PERSON, VEHICLE = 0.2, 0.8  # the detector's score from which it counts as one
UNSAID = "FLOW_CFS"  # annotations from before there was a choice are of flow

SIDE = ("imageId", "attributes", "timestamp", "filename", "url", "value")
ANNOTATION_COLUMNS = (
    "annotation_id", "pair_id", *(f"{side}.{name}" for side in ("left", "right") for name in SIDE),
    "rank", "true_rank", "delta_value", "avg_value", "rel_delta_value", "comment",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """One pair of images that a person compared.

    Attributes:
        annotation_id, pair_id: of the file, and its place there from 1.
        left, right: ids of the images.
        left_attributes, right_attributes: such as BAD or ICE.
        rank: which has more, of `RANKS`.
    """

    annotation_id: int
    pair_id: int
    left: int
    right: int
    left_attributes: tuple[str, ...]
    right_attributes: tuple[str, ...]
    rank: str
    comment: str | None


def fetch_station(connection: Connection, station_id: int, variable: str) -> dict[str, Any]:
    """The columns of the station.

    Raises:
        BadInput: no such station or variable.
    """
    rows = connection.execute(select(Station.__table__).where(Station.id == station_id)).mappings().all()
    if not rows:
        raise BadInput(
            f"the database has no station {station_id}", hint=_some(connection, select(Station.id))
        )
    if connection.scalar(select(Variable.id).where(Variable.id == variable)) is None:
        known = _some(connection, select(Variable.id))
        raise BadInput(f"the database has no variable {variable!r}", hint=known)
    return dict(rows[0])


def fetch_images(connection: Connection, station_id: int) -> tuple[pd.DataFrame, int]:
    """The images of a station that are done and show neither people nor vehicles, in order of time.

    Returns:
        columns image_id, timestamp, filename (the key in the storage), url; and how many were left out
        for what they show.

    Raises:
        BadInput: none is left.
    """
    shows = and_(
        or_(
            func.coalesce(Image.pii_person, 0) >= PERSON,
            func.coalesce(Image.pii_vehicle, 0) >= VEHICLE,
            Image.pii_on,
        ),
        ~Image.pii_off,
    )
    query = (
        select(Image.id.label("image_id"), Image.timestamp, Image.full_s3, Image.full_url, shows.label("pii"))
        .join(Imageset)
        .where(Imageset.station_id == station_id, Image.status == "DONE")
        .order_by(Image.timestamp, Image.id)
    )
    table = _frame(connection, query)
    private = table["pii"].astype(bool)
    if private.all():
        why = f"{len(table)} done, all with people or vehicles" if len(table) else "none is done"
        raise BadInput(f"station {station_id} has no image to use: {why}")
    table = table[~private].reset_index(drop=True)
    table["filename"] = [stored["Key"] for stored in table["full_s3"]]
    table = table.rename(columns={"full_url": "url"})
    return table[["image_id", "timestamp", "filename", "url"]], int(private.sum())


def fetch_values(connection: Connection, station_id: int, variable: str) -> pd.DataFrame:
    """All observations of a variable at a station, of datasets that are done; none is no error.

    Returns:
        columns dataset_id, series_id, variable_id, timestamp, value, flag, in order of time.
    """
    query = (
        select(
            Series.dataset_id, Value.series_id, Series.variable_id, Value.timestamp, Value.value, Value.flag
        )
        .join(Series, Value.series_id == Series.id)
        .join(Dataset)
        .where(Dataset.station_id == station_id, Dataset.status == "DONE", Series.variable_id == variable)
        .order_by(Value.timestamp, Value.id)
    )
    return _frame(connection, query)


def fetch_answers(connection: Connection, storage: Storage, station_id: int, variable: str) -> list[Answer]:
    """What people said of the station's images, from every file that is done and not flagged.

    Raises:
        BadInput: a file is missing from the storage or is not such a list.
    """
    said = func.coalesce(Annotation.variable_id, UNSAID)
    query = (
        select(Annotation.id, Annotation.uuid)
        .where(Annotation.station_id == station_id, Annotation.status == "DONE")
        .where(~Annotation.flag, said == variable)
        .order_by(Annotation.id)
    )
    found: list[Answer] = []
    for annotation_id, uuid in connection.execute(query):
        key = f"annotations/{uuid}.json"
        found += _answers(annotation_id, key, storage.read(key))
    return found


def with_values(table: pd.DataFrame, observed: pd.DataFrame, maxgap: float) -> pd.DataFrame:
    """``table`` of images with a column `value`; see `interpolate` for ``maxgap`` in minutes."""
    return table.assign(value=interpolate(observed, table["timestamp"], maxgap))


def annotation_table(said: list[Answer], table: pd.DataFrame) -> pd.DataFrame:
    """The answers about images of ``table``, with what is known of these.

    `true_rank` is the side with the larger value, `delta_value` the difference without its sign, and
    `rel_delta_value` its share of the mean; missing where a value is, the last where the mean is 0.

    Returns:
        columns `ANNOTATION_COLUMNS`, in the order of ``said``.
    """
    import numpy as np
    import pandas as pd

    known = set(table["image_id"])
    used = [answer for answer in said if answer.left in known and answer.right in known]
    found = pd.DataFrame(
        {name: [getattr(one, name) for one in used] for name in ("annotation_id", "pair_id")}
    )
    indexed = table.set_index("image_id")
    for side in ("left", "right"):
        ids = [getattr(answer, side) for answer in used]
        found[f"{side}.imageId"] = ids
        found[f"{side}.attributes"] = [",".join(getattr(answer, f"{side}_attributes")) for answer in used]
        for name in SIDE[2:]:
            found[f"{side}.{name}"] = indexed.loc[ids, name].to_numpy()
    left, right = found["left.value"].astype(float), found["right.value"].astype(float)
    found["rank"] = [answer.rank for answer in used]
    found["comment"] = [answer.comment for answer in used]
    cases = [left > right, left < right, left == right]
    found["true_rank"] = np.select(cases, ["LEFT", "RIGHT", "SAME"], default="")
    found["delta_value"] = (left - right).abs()
    found["avg_value"] = (left + right) / 2
    found["rel_delta_value"] = found["delta_value"] / found["avg_value"].where(found["avg_value"] != 0)
    return found[list(ANNOTATION_COLUMNS)]


def _answers(annotation_id: int, key: str, content: bytes) -> list[Answer]:
    try:
        listed = json.loads(content)
    except ValueError:
        raise BadInput("is not JSON", where=key) from None
    if not isinstance(listed, list):
        raise BadInput("is not a list of pairs", where=key)
    return [_answer(annotation_id, place, key, item) for place, item in enumerate(listed, 1)]


def _answer(annotation_id: int, place: int, key: str, item: Any) -> Answer:
    try:
        left, right = item["left"], item["right"]
        ids = int(left["imageId"]), int(right["imageId"])
        attributes = _attributes(left), _attributes(right)
        rank, comment = item["rank"], item.get("comment") or None
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise BadInput(f"pair {place} has no left and right imageId and rank", where=key) from None
    if rank not in RANKS:
        raise BadInput(f"pair {place} has the rank {rank!r}, none of {', '.join(RANKS)}", where=key)
    return Answer(annotation_id, place, *ids, *attributes, rank, comment)


def _attributes(side: dict[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, side.get("attributes") or ()))


def _frame(connection: Connection, query: Any) -> pd.DataFrame:
    """A table; its column `timestamp` in UTC, also where there is no row."""
    import pandas as pd

    result = connection.execute(query)
    table = pd.DataFrame(result.all(), columns=list(result.keys()))
    return table.assign(timestamp=pd.to_datetime(table["timestamp"], utc=True))


def _some(connection: Connection, ids: Any) -> str:
    known = [str(one) for one in connection.scalars(ids.order_by(ids.selected_columns[0]).limit(10))]
    return f"it has {', '.join(known)}" if known else "it has none; import some first"
