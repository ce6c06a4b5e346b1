"""A small station in a database and a storage, and the programs that work on it, for several test modules."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.fpe.database import transaction
from pipelines.fpe.tables import Annotation, Dataset, Image, Imageset, Series, Station, User, Value, Variable
from tests.pipelines.programs import caller

NOON = datetime(2023, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


call = caller("pipelines.fpe")


def pair(left: int, right: int, rank: str = "LEFT", *attributes: str) -> dict[str, Any]:
    return {
        "left": {"imageId": left, "attributes": list(attributes)},
        "right": {"imageId": right, "attributes": []},
        "rank": rank,
        "comment": "",
    }


def name_of(image_id: int) -> str:
    return f"West Brook 0__2023-06-01__{image_id:02d}({image_id}).JPG"


@dataclass
class Case:
    """Station 29 with six hourly images from 1 to 6, and hourly flows of 1 to 7 on the same hours.

    Attributes:
        changes: columns of single images that differ, by id.
        values: hours after `NOON`, and flow.
        answers: those of annotation files, by uuid.
        flagged, dataset_status: of all of them.
    """

    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    values: list[tuple[float, float]] = field(default_factory=lambda: [(hour, hour + 1) for hour in range(7)])
    answers: dict[str, Any] = field(default_factory=lambda: {"first": [pair(1, 2, "RIGHT", "BAD", "ICE")]})
    timezone: str = "US/Eastern"
    flagged: bool = False
    variable: str | None = "FLOW_CFS"
    dataset_status: str = "DONE"

    def store(self, engine: Any, storage: Any, scratch: Path) -> None:
        with transaction(engine) as session:
            station = Station(id=29, user=User(id="u"), name="West Brook 0", timezone=self.timezone)
            session.add_all([station, Variable(id="FLOW_CFS"), Variable(id="STAGE_FT")])
            session.flush()
            imageset = Imageset(station=station, uuid="set", status="DONE")
            session.add_all(self._image(number, imageset) for number in range(1, 7))
            dataset = Dataset(station=station, uuid="data", status=self.dataset_status)
            session.add(dataset)
            series = Series(dataset=dataset, variable_id="FLOW_CFS")
            session.add(series)
            session.add_all(
                Value(series=series, timestamp=NOON + hours * HOUR, value=value)
                for hours, value in self.values
            )
            session.add_all(
                Annotation(station=station, uuid=uuid, status="DONE", flag=self.flagged,
                           variable_id=self.variable)
                for uuid in self.answers
            )  # fmt: skip
        for uuid, said in self.answers.items():
            if said is None:
                continue
            path = scratch / f"{uuid}.json"
            path.write_text(said if isinstance(said, str) else json.dumps(said))
            storage.put(f"annotations/{uuid}.json", path)

    def _image(self, number: int, imageset: Imageset) -> Image:
        name = name_of(number)
        usual = {
            "id": number, "filename": name, "timestamp": NOON + (number - 1) * HOUR, "status": "DONE",
            "full_s3": {"Bucket": "b", "Key": f"imagesets/set/images/{name}"}, "full_url": f"https://b/{number}",
        }  # fmt: skip
        return Image(imageset=imageset, **usual | self.changes.get(number, {}))
