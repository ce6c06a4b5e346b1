"""The files of a result, of a partition or of all: replaced together, and recorded when all are there.

What is in them does not belong here.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.esrun.features import FeatureCollection, read_features, write_features
from pipelines.esrun.scratch import Results
from pipelines.program import read_json, staged, write_json

RECORD = "results.json"


@dataclass(frozen=True)
class Stored:
    """A partition's results as they lie on disk.

    Attributes:
        id: of the partition.
    """

    id: str
    results: Results

    def features(self) -> FeatureCollection:
        return read_features(self.results.vector, need=False)

    def rasters(self) -> list[Path]:
        return sorted(self.results.rasters.glob("*.tif"), key=natural)


def stored(results: Results) -> Stored:
    """Results that `replaced` has written; or a folder of that layout, with its name for an id.

    Raises:
        BadInput: there are none.
    """
    record = results.path / RECORD
    if record.is_file():
        said = read_json(record)
        return Stored(str(said.get("partition_id", results.path.name)), results)
    interrupted = any(results.path.glob(f".*.{RECORD}"))  # the files are being moved, or were when it died
    if not interrupted and (results.vector.is_file() or results.rasters.is_dir()):
        return Stored(results.path.name, results)
    raise BadInput("has no results", where=results.path, hint="post-process this partition first")


@contextlib.contextmanager
def replaced(results: Results) -> Iterator[Results]:
    """A hidden place whose files take that of older results when the block ends; it must hold a record.

    The older ones stay as they are when the block fails.
    """
    with staged(results.path, last=results.path / RECORD) as hidden:
        fresh = Results(hidden)
        fresh.rasters.mkdir()
        yield fresh
        (results.path / RECORD).unlink(missing_ok=True)
        results.vector.unlink(missing_ok=True)
        shutil.rmtree(results.rasters, ignore_errors=True)


def write_vector(results: Results, features: FeatureCollection, record: dict[str, Any]) -> dict[str, Any]:
    """Write features and their record, which is returned as written."""
    write_features(results.vector, features)
    return _record(results, {**record, "data_type": "VECTOR", "features": len(features)}, [results.vector])


def record_rasters(results: Results, paths: Sequence[Path], record: dict[str, Any]) -> dict[str, Any]:
    """Write the record of rasters that lie in ``results`` already; it is returned as written."""
    return _record(results, {**record, "data_type": "RASTER"}, paths)


def _record(results: Results, record: dict[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    names = sorted((path.relative_to(results.path) for path in paths), key=natural)
    record = {**record, "files": [name.as_posix() for name in names]}
    write_json(results.path / RECORD, record)
    return record


def natural(path: Path | str) -> list[tuple[int, int, str]]:
    """A sort key by which partition_9 comes before partition_10."""
    import re

    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
