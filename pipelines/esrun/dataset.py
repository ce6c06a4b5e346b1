"""rslearn's dataset on disk: windows, and where their layers lie.

Finding and resampling images, and reading of pixels, do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.esrun.projection import Bounds, Placed, Projection
from pipelines.program import read_json, write_json

TimeRange = tuple[datetime, datetime]


@dataclass(frozen=True)
class Window:
    """A place and a time of a dataset.

    Attributes:
        bounds: left, top, right, bottom in pixels of the projection; right and bottom are outside.
        options: what else is said of it, such as its split; any JSON.
    """

    group: str
    name: str
    projection: Projection
    bounds: Bounds
    time_range: TimeRange | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        left, top, right, bottom = self.bounds
        return bottom - top, right - left

    def placed(self) -> Placed:
        from shapely.geometry import box

        return Placed(self.projection, box(*self.bounds))

    def to_json(self) -> dict[str, Any]:
        """As rslearn keeps it in metadata.json."""
        span = self.time_range
        return {
            "group": self.group, "name": self.name, "projection": self.projection.to_json(),
            "bounds": list(self.bounds), "time_range": span and [one.isoformat() for one in span],
            "options": dict(self.options),
        }  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """The root of a dataset: config.json and windows/<group>/<name>/."""

    path: Path

    def config(self) -> Any:
        return read_json(self.path / "config.json")

    def has(self, window: Window) -> bool:
        """Whether its metadata are there, the very same."""
        place = self.window_dpath(window) / "metadata.json"
        return place.exists() and read_json(place) == window.to_json()

    def add(self, window: Window) -> bool:
        """Write a window's metadata; False where the same is there already, so that its layers stay."""
        if self.has(window):
            return False
        write_json(self.window_dpath(window) / "metadata.json", window.to_json())
        return True

    def windows(self, groups: Sequence[str] | None = None) -> Iterator[Window]:
        """Windows in order of group and name."""
        root = self.path / "windows"
        for group in _folders(root) if groups is None else groups:
            for name in _folders(root / group):
                if (root / group / name / "metadata.json").is_file():
                    yield self.window(group, name)

    def window(self, group: str, name: str) -> Window:
        """Raises BadInput: there is none, or its metadata cannot be read."""
        path = self.path / "windows" / group / name / "metadata.json"
        data = read_json(path)
        try:
            span = data.get("time_range")
            left, top, right, bottom = map(int, data["bounds"])
            return Window(
                group, name, Projection.from_json(data["projection"]), (left, top, right, bottom),
                None if span is None else (datetime.fromisoformat(span[0]), datetime.fromisoformat(span[1])),
                data.get("options") or {},
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"is no metadata of a window ({error})", where=path) from None

    def window_dpath(self, window: Window) -> Path:
        return self.path / "windows" / window.group / window.name

    def layer_dpath(self, window: Window, layer: str, step: int = 0) -> Path:
        """The folder of a layer; ``step`` counts its time steps (item groups)."""
        return self.window_dpath(window) / "layers" / (layer if step == 0 else f"{layer}.{step}")

    def raster_fpath(self, window: Window, layer: str, bands: Sequence[str], step: int = 0) -> Path:
        return self.layer_dpath(window, layer, step) / "_".join(bands) / "geotiff.tif"

    def vector_fpath(self, window: Window, layer: str, step: int = 0) -> Path:
        return self.layer_dpath(window, layer, step) / "data.geojson"

    def is_completed(self, window: Window, layer: str, step: int = 0) -> bool:
        return (self.layer_dpath(window, layer, step) / "completed").exists()

    def complete(self, window: Window, layer: str, step: int = 0) -> None:
        """Say that all files of a layer are there; the last thing to do."""
        path = self.layer_dpath(window, layer, step)
        path.mkdir(parents=True, exist_ok=True)
        (path / "completed").touch()


def _folders(path: Path) -> list[str]:
    return sorted(one.name for one in path.iterdir()) if path.is_dir() else []
