"""A small seed by hand, in the layout of the real one.

The generator makes larger ones with real pictures; nothing is imported here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

USER = "d72c3799-4ca0-48cf-9d43-145a95d45bd9"
NAMES = ["West Brook 0__2022-12-20__09-54-55(1).JPG", "b.JPG", "ç %41#?.JPG", "d'.JPG"]


def write(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def make_seed(folder: Path, stations: int = 2, names: list[str] = NAMES) -> Path:
    """Stations 29, 30, ... with an imageset, one file of answers and three observations each."""
    variables = [{"id": "FLOW_CFS", "description": "Streamflow (cfs)"}, {"id": "WTEMP_C"}]
    write(folder / "variables.json", variables)
    write(folder / "modelTypes.json", [{"id": "RANK", "name": "RankNet Model"}])
    write(folder / "users" / USER / "user.json", {"id": USER, "affiliation_code": "USER", "annotator": False})
    for number in range(stations):
        make_station(station_folder(folder, number), number, names)
    return folder


def station_folder(folder: Path, number: int = 0) -> Path:
    return folder / "users" / USER / "stations" / f"WESTB{number}"


def make_station(folder: Path, number: int, names: list[str]) -> None:
    station = {"id": 29 + number, "name": f"West Brook {number}", "timezone": "US/Eastern", "latitude": 42.4}
    write(folder / "db" / "station.json", {**station, "nwis_id": None, "private": False})
    at, uuid = datetime(2023, 1, 2, 12, tzinfo=UTC), f"set-{number}"
    images = [
        {
            "id": 1001 + 1000 * number + position,
            "filename": name,
            "timestamp": (at + timedelta(hours=position)).isoformat(),
            "full_s3": {"Bucket": "{STORAGE_BUCKET}", "Key": f"imagesets/{uuid}/images/{name}"},
            "full_url": f"https://{{STORAGE_BUCKET}}.s3.amazonaws.com/imagesets/{uuid}/images/{position}",
            "status": "DONE",
            "pii_person": 0.01,
            "pii_on": None,
        }
        for position, name in enumerate(names)
    ]
    write(folder / "db/imagesets" / uuid / "images.json", images)
    imageset = {"uuid": uuid, "status": "DONE", "n_images": len(images)}
    write(folder / "db/imagesets" / uuid / "imageset.json", imageset)
    answers = {"uuid": f"answers-{number}", "status": "DONE", "n": 1, "variable": "FLOW_CFS", "flag": False}
    write(folder / "db/annotations.json", [answers])
    write(folder / "storage/annotations" / f"answers-{number}.json", [{"left": {"imageId": 1001}}])
    write(folder / "db/datasets" / f"data-{number}" / "dataset.json", {"status": "DONE"})
    times = [f"2023-01-02T{hour:02}:00:00-05:00" for hour in (6, 7, 8, 9)]
    values = [
        {"timestamp": time, "value": value} for time, value in zip(times, [1, 2.5, None, 4], strict=True)
    ]
    write(
        folder / "db/datasets" / f"data-{number}" / "series/FLOW_CFS.json", [*values, {"timestamp": times[0]}]
    )
    for name in names:
        path = folder / "storage/imagesets" / uuid / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"photograph {number} {name}".encode() * 100)
