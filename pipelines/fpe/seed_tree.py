"""The folders and JSON files of a generated station, as FPE's database seed has them, and where truth lies.

What is in its pictures, its flow and its answers is decided elsewhere.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from PIL import Image

from pipelines.fpe.weather import Sky

USER = "d72c3799-4ca0-48cf-9d43-145a95d45bd9"
VARIABLE = "FLOW_CFS"
BUCKET = "{STORAGE_BUCKET}"
_NAMES = uuid.UUID("5f7b6a36-6d3c-4d29-9f0e-0a4c4d9c7b11")
_THUMBNAIL = 200  # pixels at most, and half of the picture
VARIABLES = {
    "FLOW_CFS": "Streamflow (cfs)", "STAGE_FT": "Stage (ft)", "WTEMP_C": "Water Temperature (C)",
    "ATEMP_C": "Air Temperature (C)", "OTHER": "Other Variable",
}  # fmt: skip
_PLACES = (
    ("West Brook", "WESTB", 42.4301, -72.6668, "America/New_York"),
    ("Dry Creek", "DRYCR", 43.6886, -116.1826, "America/Boise"),
    ("Onion Creek", "ONION", 30.0861, -97.9989, "America/Chicago"),
    ("Korokoro Stream", "KOROK", -41.2105, 174.8720, "Pacific/Auckland"),
)


@dataclass(frozen=True)
class Station:
    id: int
    code: str
    name: str
    latitude: float  # degrees north
    longitude: float  # degrees east
    timezone: str  # IANA


@dataclass(frozen=True)
class Picture:
    """One image of a station and what is there when it is taken."""

    id: int
    time: float  # epoch seconds
    filename: str
    flow: float  # cubic feet per second
    sky: Sky
    person: bool = False
    damage: str | None = None  # TRUNCATED, EMPTY or GREY


def station(index: int) -> Station:
    """The ``index``-th station, from 0: the places come round again under another number."""
    name, code, latitude, longitude, timezone = _PLACES[index % len(_PLACES)]
    number = index // len(_PLACES)
    return Station(29 + index, f"{code}{number}", f"{name} {number}", latitude, longitude, timezone)


def filenames(of: Station, times: list[float]) -> list[str]:
    """Names as the camera gives them: local time without offset, so the repeated hour of autumn has a (2)."""
    names: dict[str, None] = {}
    for time in times:
        local = datetime.fromtimestamp(time, ZoneInfo(of.timezone))
        stem, number = f"{of.name}__{local:%Y-%m-%d__%H-%M-%S}", 1
        while f"{stem}({number}).JPG" in names:
            number += 1
        names[f"{stem}({number}).JPG"] = None
    return list(names)


def named(*parts: object) -> str:
    """The UUID of a thing: the same from run to run."""
    return str(uuid.uuid5(_NAMES, "/".join(map(str, parts))))


def stamp(time: float) -> str:
    """ISO 8601 in UTC of epoch seconds.

    >>> stamp(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_lists(root: Path) -> None:
    """`variables.json`, `modelTypes.json` and the user."""
    _json(root / "variables.json", [{"id": key, "description": text} for key, text in VARIABLES.items()])
    _json(root / "modelTypes.json", [{"id": "RANK", "name": "RankNet Model"}])
    user = {"id": USER, "affiliation_code": "USER", "affiliation_name": "Regular User", "annotator": True}
    _json(root / "users" / USER / "user.json", user)


class StationFolder:
    """Writes one station below ``root``."""

    def __init__(self, root: Path, of: Station):
        self.of, self.root = of, root
        self.path = root / "users" / USER / "stations" / of.code
        about = {"id": of.id, "name": of.name, "latitude": of.latitude, "longitude": of.longitude}
        kind = {"timezone": of.timezone, "nwis_id": None, "waterbody_type": "ST", "status": "ACTIVE"}
        _json(self.path / "db" / "station.json", about | kind | {"private": False})

    def add_image(self, imageset: str, picture: Picture, pixels: Image.Image, quality: int) -> None:
        """The image file, broken where it is damaged, and its thumbnail."""
        folder = self.path / "storage" / "imagesets" / imageset
        if picture.damage == "GREY":
            pixels = Image.new("RGB", pixels.size, (128, 128, 128))
        data = io.BytesIO()
        pixels.save(data, "JPEG", quality=quality)
        whole = data.getvalue()
        kept = {"TRUNCATED": 4 * len(whole) // 5, "EMPTY": 0}.get(picture.damage or "", len(whole))
        _bytes(folder / "images" / picture.filename, whole[:kept])
        small = pixels.copy()
        small.thumbnail((min(_THUMBNAIL, pixels.width // 2), pixels.height))
        data = io.BytesIO()
        small.save(data, "JPEG", quality=quality)
        _bytes(folder / "thumbs" / picture.filename, data.getvalue())

    def add_imageset(self, imageset: str, pictures: list[Picture], size: tuple[int, int]) -> None:
        """What the database shall hold of these images."""
        db = self.path / "db" / "imagesets" / imageset
        rows = [self._image_row(imageset, picture, size) for picture in pictures]
        about = {"uuid": imageset, "status": "DONE", "n_images": len(rows), "pii_status": "DONE"}
        _json(db / "imageset.json", about)
        _json(db / "images.json", rows)
        found = [{key: row[key] for key in ("filename", "pii_person", "pii_vehicle")} for row in rows]
        _json(self.path / "storage" / "imagesets" / imageset / "pii.json", found)

    def _image_row(self, imageset: str, picture: Picture, size: tuple[int, int]) -> dict[str, Any]:
        row: dict[str, Any] = {"id": picture.id, "filename": picture.filename}
        row |= {"timestamp": stamp(picture.time), "width": size[0], "height": size[1], "status": "DONE"}
        for kind, folder in (("full", "images"), ("thumb", "thumbs")):
            key = f"imagesets/{imageset}/{folder}/{picture.filename}"
            row[f"{kind}_s3"] = {"Bucket": BUCKET, "Key": key}
            row[f"{kind}_url"] = f"https://{BUCKET}.s3.amazonaws.com/{key}"
        seen = 0.93 if picture.person else 0.01
        return row | {"pii_person": seen, "pii_vehicle": 0.0, "pii_on": False, "pii_off": False}

    def add_observations(self, dataset: str, rows: list[tuple[float, float | None]]) -> None:
        """A series of VARIABLE; rows without a value have no such key, as in the original."""
        folder = self.path / "db" / "datasets" / dataset
        values = [
            {"timestamp": stamp(time), "flag": None} | ({} if value is None else {"value": value})
            for time, value in rows
        ]
        _json(folder / "series" / f"{VARIABLE}.json", values)
        _json(folder / "dataset.json", {"uuid": dataset, "status": "DONE", "filename": "flow.csv"})

    def add_annotations(self, sheets: Iterator[tuple[str, list[dict[str, Any]]]]) -> None:
        """The answers, by the UUID of their sheet."""
        rows = []
        for sheet, answers in sheets:
            key = f"annotations/{sheet}.json"
            _json(self.path / "storage" / key, answers)
            url = f"https://{BUCKET}.s3.amazonaws.com/{key}"
            row: dict[str, Any] = {
                "uuid": sheet,
                "user_id": USER,
                "status": "DONE",
                "n": len(answers),
                "url": url,
            }
            rows.append(row | {"s3": {"Bucket": BUCKET, "Key": key}, "flag": False, "variable": VARIABLE})
        _json(self.path / "db" / "annotations.json", rows)

    def add_truth(self, rows: list[dict[str, Any]]) -> None:
        """What is really there, outside of what is imported: `truth/<station's code>.csv`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        _bytes(self.root / "truth" / f"{self.of.code}.csv", text.getvalue().encode())


def _json(path: Path, data: Any) -> None:
    _bytes(path, (json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())


def _bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
