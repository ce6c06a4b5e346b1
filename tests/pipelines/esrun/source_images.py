"""Small source images, projects over them, and windows, for tests of datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.project import Project, load_project
from pipelines.esrun.projection import Projection
from pipelines.esrun.scratch import Part

UTM = Projection("EPSG:32613", 10, -10)
LEFT, TOP = 50000, -440000  # pixels of UTM; lon -105, lat 39.75
YEAR = {"oe_start_time": "2020-01-01T00:00:00+00:00", "oe_end_time": "2021-01-01T00:00:00+00:00"}


def write_image(
    path: Path,
    values: Any,
    at: tuple[float, float] = (0, 0),
    size: float = 10,
    crs: str = "EPSG:32613",
    corner: tuple[float, float] = (LEFT * 10.0, -TOP * 10.0),
    nodata: float | None = None,
) -> Path:
    """(bands, height, width) whose north-west corner is ``at`` (east, south) of a CRS's ``corner``."""
    values = np.asarray(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    x, y = corner[0] + at[0], corner[1] - at[1]
    with rasterio.open(
        path, "w", driver="GTiff", width=values.shape[2], height=values.shape[1], count=values.shape[0],
        dtype=values.dtype, crs=crs, transform=Affine(size, 0, x, 0, -size, y), nodata=nodata,
    ) as image:  # fmt: skip
        image.write(values)
    return path


def damaged(path: Path) -> Path:
    """An image whose header can be read and whose pixels cannot, as many bytes as there were."""
    with rasterio.open(path) as image:
        values, profile = image.read(), {**image.profile, "compress": "deflate"}
    with rasterio.open(path, "w", **profile) as image:
        image.write(values)
    with rasterio.open(path) as image:
        start, size = (
            int(image.get_tag_item(f"BLOCK_{what}_0_0", "TIFF", bidx=1)) for what in ("OFFSET", "SIZE")
        )
    data = bytearray(path.read_bytes())
    data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def hills(height: int, width: int, bands: int = 3) -> np.ndarray:
    """Smooth bytes above 0 that differ from band to band."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([
        120 + 60 * np.sin(x / (9 + band)) + 50 * np.cos(y / (7 + band)) for band in range(bands)
    ]).round().astype("uint8")  # fmt: skip


def layer(bands: Sequence[str] = ("B1",), dtype: str = "uint8", src: str = "images", **more: Any) -> dict:
    """A layer of local files; ``more`` goes into its data_source."""
    source = {"name": "rslearn.data_sources.local_files.LocalFiles", "src_dir": src, **more}
    sets = [{"bands": list(bands), "dtype": dtype}]
    return {"type": "raster", "band_sets": sets, "data_source": source}


def make_project(folder: Path, **layers: Mapping[str, Any]) -> Project:
    """A project in ``folder`` with these layers and a layer `output` that nothing fills."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "esrun.yaml").write_text("{}\n")
    output = {"type": "raster", "band_sets": [{"bands": ["class"], "dtype": "uint8"}]}
    (folder / "dataset.json").write_text(json.dumps({"layers": {**layers, "output": output}}))
    return load_project(folder)


def make_part(folder: Path, bounds: Mapping[str, Sequence[int]], projection: Projection = UTM) -> Part:
    """The folder of a partition with windows of these names and bounds, relative to LEFT and TOP in UTM."""
    left, top = (LEFT, TOP) if projection is UTM else (0, 0)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [-105, 39.75]},
            "properties": {
                **YEAR, "parcel": name, "oe_window_name": name,
                **{f"oe_window_{key}": value for key, value in projection.to_json().items()},
                "oe_window_bounds": [one[0] + left, one[1] + top, one[2] + left, one[3] + top],
            },
        }
        for name, one in bounds.items()
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    part = Part(folder)
    part.windows.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return part


def window(*bounds: int, projection: Projection = UTM) -> Window:
    left, top = (LEFT, TOP) if projection is UTM else (0, 0)
    return Window(
        "g", "w", projection, (bounds[0] + left, bounds[1] + top, bounds[2] + left, bounds[3] + top)
    )


def pixels(dataset: Dataset, one: Window, name: str, bands: Sequence[str] = ("B1",), step: int = 0) -> Any:
    with rasterio.open(dataset.raster_fpath(one, name, bands, step)) as image:
        return image.read()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}  # fmt: skip
