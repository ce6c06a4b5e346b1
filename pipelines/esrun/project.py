"""A project directory: which files it holds, and what its esrun.yaml says.

What the strategies do, and where results go, does not belong here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kwdag.errors import did_you_mean
from kwdag.yamlio import read_yaml
from pipelines.errors import BadInput
from pipelines.esrun.class_path import build

T = TypeVar("T")
CONFIGS = ("esrun.yaml", "olmoearth_run.yaml")
POSTPROCESSING = "postprocessing_strategies.yaml"
REQUEST = "prediction_request_geometry.geojson"
PARTITIONING = ("partition_request_geometry", "prepare_window_geometries")
STAGES = ("process_window", "process_partition", "process_dataset")
KEYS = (
    "partition_strategies", "postprocessing_strategies", "window_prep", "inference_results_config",
    *PARTITIONING,
)  # fmt: skip


@dataclass(frozen=True)
class Project:
    """A project directory, by its absolute path.

    Attributes:
        config_fpath: the esrun.yaml that was found.
        config: what it holds, older layouts brought into the present one.
    """

    path: Path
    config_fpath: Path
    config: Mapping[str, Any]

    @property
    def dataset_config(self) -> Path:
        return self.path / "dataset.json"

    @property
    def model_config(self) -> Path:
        return self.path / "model.yaml"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.ckpt"

    def request(self, given: str | os.PathLike[str] | None = None) -> Path:
        """The request: ``given``, else the one in the project.

        Raises:
            BadInput: there is none, or several in `prediction/`.
        """
        if given is not None:
            path = Path(given).absolute()
            if not path.is_file():
                raise BadInput("no such request", where=path)
            return path
        if (self.path / REQUEST).is_file():
            return self.path / REQUEST
        found = sorted((self.path / "prediction").glob("*.geojson"))
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise BadInput(f"holds several requests ({names}): choose one with --request-geometry-path",
                           where=self.path / "prediction")  # fmt: skip
        if not found:
            raise BadInput(f"has neither {REQUEST} nor prediction/*.geojson", where=self.path)
        return found[0]

    def strategy(self, section: str, name: str, base: type[T], default: type[T] | None = None) -> T:
        """The tool that `<section>.<name>` describes, or a ``default`` where it says nothing.

        Raises:
            BadInput: it is not there, or does not describe a ``base``.
        """
        spec = self.section(section).get(name)
        if spec is None and default is not None:
            return default()
        if spec is None:
            raise BadInput(f"{section}.{name} is missing", where=self.config_fpath)
        return build(spec, base, f"{section}.{name}", self.config_fpath)

    def section(self, name: str) -> Mapping[str, Any]:
        """A mapping at the top level; empty where there is none."""
        found = self.config.get(name) or {}
        if not isinstance(found, Mapping):
            raise BadInput(f"{name}: must be a mapping, not {found!r}", where=self.config_fpath)
        return found


def load_project(path: str | os.PathLike[str]) -> Project:
    """Read a project directory.

    Raises:
        BadInput: no such directory, no esrun.yaml in it, or one with keys that nobody knows.
    """
    folder = Path(path).absolute()
    if not folder.is_dir():
        raise BadInput("no such project directory", where=folder)
    config = next((folder / name for name in CONFIGS if (folder / name).is_file()), None)
    if config is None:
        raise BadInput(f"has no {CONFIGS[0]}", where=folder)
    data = _mapping(config)
    for key in data:
        if key not in KEYS:
            raise BadInput(f"no key {key!r}", where=config, hint=did_you_mean(str(key), KEYS))
    return Project(folder, config, _present(folder, data))


def _present(folder: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """Older files have the partitioners at top level and post-processing in a file of its own."""
    found = {key: value for key, value in data.items() if key not in PARTITIONING}
    old = {key: data[key] for key in PARTITIONING if key in data}
    if old and isinstance(found.get("partition_strategies") or {}, Mapping):
        found["partition_strategies"] = {**old, **(found.get("partition_strategies") or {})}
    beside = folder / POSTPROCESSING
    if "postprocessing_strategies" not in found and beside.is_file():
        other = _mapping(beside)
        found["postprocessing_strategies"] = other.get("postprocessing_strategies", other)
    return found


def _mapping(path: Path) -> dict[str, Any]:
    """What a YAML file holds; an empty file holds nothing."""
    data = read_yaml(path).data
    if data is not None and not isinstance(data, dict):
        raise BadInput(f"must be a mapping, not {data!r}", where=path)
    return data or {}
