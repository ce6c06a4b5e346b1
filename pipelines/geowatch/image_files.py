"""What a directory of GeoTIFFs holds: of each file its grid, bands, sensor and time.

How files become the images of a dataset is ingest.py's.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.geowatch.grids import Grid, opened

SUFFIXES = (".tif", ".tiff")
# The first date in a name is the acquisition's; Landsat's second one is that of the processing.
_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_]?)(0[1-9]|1[0-2])\2([0-2]\d|3[01])(?:[T_-]?(\d\d)-?(\d\d)-?(\d\d))?(?!\d)"
)
_CHANNELS = {"b02": "blue", "b03": "green", "b04": "red", "b08": "nir"}  # Sentinel-2's names
_CHANNELS |= {name: name for name in ("blue", "green", "red", "nir", "cloudmask")}
_SENSORS = {"s2": "S2", "s2a": "S2", "s2b": "S2", "pd": "PD", "psscene": "PD", "l8": "L8", "lc08": "L8"}


@dataclass(frozen=True)
class ImageFile:
    """A GeoTIFF: one asset of one image; ``taken`` in UTC."""

    path: Path
    grid: Grid
    dtype: str
    channels: tuple[str, ...]
    sensor: str
    taken: datetime


def scan(
    folder: Path, times: Path | None = None, sensor: str = "unknown", channels: str | None = None
) -> list[ImageFile]:
    """The GeoTIFFs below ``folder``, by time, sensor and path.

    Args:
        times: a CSV with the columns `file`, `date` and perhaps `sensor`, `channels`; it goes before names.
        sensor, channels: of files that do not say; channels such as `red|green|blue`.

    Raises:
        BadInput: there are none; one is corrupt, without CRS, time or named bands.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise BadInput("holds no GeoTIFF (*.tif)", where=folder)
    rows = _rows(times, folder, paths) if times else {}
    defaults = {"sensor": sensor, "channels": channels or ""}
    files = [_image_file(path, rows.get(path, {}), defaults, times) for path in paths]
    return sorted(files, key=lambda file: (file.taken, file.sensor, file.path))


def _rows(times: Path, folder: Path, paths: list[Path]) -> dict[Path, dict[str, str]]:
    try:
        text = times.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot be read ({getattr(error, 'strerror', None) or error})", where=times) from None
    rows = csv.DictReader(text.splitlines())
    missing = {"file", "date"} - set(rows.fieldnames or ())
    if missing:
        raise BadInput(f"has no column {min(missing)!r}", where=times)
    known = {name: path for path in paths for name in (path.name, path.relative_to(folder).as_posix())}
    found = {}
    for number, row in enumerate(rows, start=2):
        if row["file"] not in known:
            raise BadInput(f"line {number} names {row['file']!r}, which is not below {folder}", where=times)
        found[known[row["file"]]] = {key: (value or "").strip() for key, value in row.items() if key}
    return found


def _image_file(
    path: Path, row: Mapping[str, str], defaults: Mapping[str, str], times: Path | None
) -> ImageFile:
    grid = Grid.of_file(path)
    with opened(path) as image:
        _check_whole(image, path)
        channels = _channels(image, path, row, defaults)
        dtype = image.dtypes[0]
    taken = _csv_time(row["date"], times) if row.get("date") else time_in(path.name)
    if taken is None:
        hint = "put a date (20180301) in its name or name it in the CSV of --times"
        raise BadInput("has no timestamp", where=path, hint=hint)
    return ImageFile(path, grid, dtype, channels, _sensor(path, row, defaults), taken)


def _check_whole(image: Any, path: Path) -> None:
    """Read the last block: a download that broke off lacks it."""
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    last = max(window for window in image.block_windows(1))[1]
    try:
        image.read(image.count, window=last)
    except (RasterioError, CPLE_BaseError) as error:
        raise BadInput(f"is corrupt: its pixels cannot be read ({error})", where=path) from None


def _channels(image: Any, path: Path, row: Mapping[str, str], defaults: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the bands: of the CSV, the file's descriptions, its name, else the default."""
    described = [str(name).lower() for name in image.descriptions if name]
    named = [_CHANNELS[token] for token in _tokens(path) if token in _CHANNELS]
    candidates = (row.get("channels", "").split("|"), described, named, defaults["channels"].split("|"))
    found = [names for names in candidates if any(names)]
    for names in found:
        if len(names) == image.count == len(set(names)):
            return tuple(names)
    said = f"names for {len(found[0])} ({'|'.join(found[0])})" if found else "no names for them"
    hint = "name them in --channels or in the column 'channels' of --times"
    raise BadInput(f"has {image.count} bands and {said}", where=path, hint=hint)


def _sensor(path: Path, row: Mapping[str, str], defaults: Mapping[str, str]) -> str:
    named = [_SENSORS[token] for token in _tokens(path) if token in _SENSORS]
    return row.get("sensor") or (named[0] if named else defaults["sensor"])


def _tokens(path: Path) -> list[str]:
    return re.split(r"[^a-z0-9]+", path.stem.lower())


def time_in(name: str | os.PathLike[str]) -> datetime | None:
    """The first date (and time, if it follows) in a file's name, as UTC.

    >>> time_in("T31UDQ_20180301T104021_B04.tif").isoformat()
    '2018-03-01T10:40:21+00:00'
    >>> time_in("2018-03-01_red.tif").isoformat(), time_in("scene-1234.tif")
    ('2018-03-01T00:00:00+00:00', None)
    """
    for found in _DATE.finditer(os.fspath(name)):
        year, _, month, day, *clock = found.groups()
        numbers = [int(year), int(month), int(day)]
        for parts in ([*numbers, *(int(part or 0) for part in clock)], numbers):
            try:
                return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
            except ValueError:
                continue
    return None


def _csv_time(text: str, times: Path | None) -> datetime:
    try:
        taken = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"{text!r} is no date such as 2018-03-01 or 2018-03-01T10:40:21", where=times
        ) from None
    return taken.replace(tzinfo=taken.tzinfo or UTC).astimezone(UTC)
