"""Where a prediction keeps its files: the layout of a scratch directory, and of one partition in it.

Paths only; who writes them stands elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OUTPUT_LAYER = "output"


@dataclass(frozen=True)
class Scratch:
    """A scratch directory.

    Attributes:
        path: absolute.
    """

    path: Path

    @property
    def request(self) -> Path:
        return self.path / "prediction_request_geometry.geojson"

    @property
    def partitions(self) -> Path:
        return self.path / "partitions"

    @property
    def dataset(self) -> Path:
        return self.path / "dataset_0"

    @property
    def results(self) -> Path:
        return self.path / "results"

    def partition(self, partition_id: str) -> Part:
        return Part(self.partitions / partition_id)


@dataclass(frozen=True)
class Part:
    """One partition: what is asked of it, its windows, and its results."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def group(self) -> str:
        """The group of its windows in the dataset."""
        return f"group_{self.id}"

    @property
    def request(self) -> Path:
        return self.path / "request.geojson"

    @property
    def windows(self) -> Path:
        return self.path / "windows.geojson"


@dataclass(frozen=True)
class Results:
    """Where results of a partition, or of all of them, are written: a folder of its own."""

    path: Path

    @property
    def vector(self) -> Path:
        return self.path / "result.geojson"

    @property
    def rasters(self) -> Path:
        return self.path / "results_raster"
