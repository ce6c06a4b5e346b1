"""`model.yaml`: which network, what it reads, its classes, and how it is trained.

Weights and pixels do not belong here.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwdag.errors import did_you_mean
from kwdag.yamlio import read_yaml
from pipelines.errors import BadInput
from pipelines.esrun.class_path import build, find_class
from pipelines.esrun.project import Project
from pipelines.esrun.scratch import OUTPUT_LAYER

if TYPE_CHECKING:
    from torch import nn

TASKS = ("segment", "classify")
KEYS = ("model", "inputs", "normalise", "task", "classes", "stride", "batch_size", "num_workers", "fit")
WANDB = ("WANDB_PROJECT", "WANDB_NAME", "WANDB_ENTITY")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Input:
    """Bands of a layer that a network reads.

    Attributes:
        steps: time steps (item groups) of the layer, one behind the other.
        nodata: a pixel is missing where all bands have this value; besides what the files declare.
    """

    layer: str
    bands: tuple[str, ...]
    steps: int = 1
    nodata: float | None = None

    @property
    def channels(self) -> int:
        return len(self.bands) * self.steps


@dataclass(frozen=True)
class Training:
    """How `fit` trains: ``patch`` pixels of a window at a time, ``repeats`` patches of each per epoch."""

    epochs: int = 30
    lr: float = 0.01
    batch_size: int = 8
    seed: int = 0
    patch: int = 64
    repeats: int = 1


@dataclass(frozen=True)
class Normalisation:
    """Numbers per channel: a network sees (pixel - mean) / std."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class ModelConfig:
    """What model.yaml says.

    Attributes:
        model: class_path and init_args of the torch module.
        task: `segment` (a class per pixel) or `classify` (one per window).
        classes: labels in the order of the scores; empty: those of `inference_results_config`.
        stride: of the network: it gets windows whose sides and corners are multiples of it.
        batch_size, num_workers: None where it does not say.
    """

    fpath: Path
    model: Mapping[str, Any]
    inputs: tuple[Input, ...]
    task: str
    classes: tuple[str, ...] = ()
    normalise: Normalisation | None = None
    stride: int | None = None
    batch_size: int | None = None
    num_workers: int | None = None
    fit: Training = field(default_factory=Training)

    @property
    def channels(self) -> int:
        return sum(one.channels for one in self.inputs)

    def architecture(self, classes: int) -> dict[str, Any]:
        """class_path and init_args, with `channels` and `classes` filled in where the class takes them."""
        import inspect

        kind = find_class(str(self.model.get("class_path")), "model", self.fpath)
        known = {"channels": self.channels, "classes": classes}
        takes = inspect.signature(kind).parameters
        added = {name: value for name, value in known.items() if name in takes}
        return {**self.model, "init_args": {**added, **(self.model.get("init_args") or {})}}

    def network(self, classes: int) -> nn.Module:
        """The network with fresh weights. Raises BadInput: no torch module, arguments that do not fit."""
        from torch import nn

        name, args = self.model.get("class_path"), self.model.get("init_args") or {}
        fits = isinstance(name, str) and isinstance(args, Mapping)
        if not fits or not issubclass(find_class(str(name), "model", self.fpath), nn.Module):
            return build(self.model, nn.Module, "model", self.fpath)  # says what is wrong
        return build(self.architecture(classes), nn.Module, "model", self.fpath)


def variables(project: Project, dataset: Path, workers: int = 0) -> dict[str, str]:
    """What `${NAME}` in model.yaml stands for."""
    return {
        "DATASET_PATH": str(dataset), "EXTRA_FILES_PATH": str(project.path),
        "TRAINER_DATA_PATH": str(dataset / "trainer"), "NUM_WORKERS": str(workers),
        "PREDICTION_OUTPUT_LAYER": OUTPUT_LAYER, **{name: os.environ.get(name, "") for name in WANDB},
    }  # fmt: skip


def load_model_config(project: Project, dataset: Path, workers: int = 0) -> ModelConfig:
    """Read model.yaml.

    All it may hold; `model` and `inputs` it must. Values shown are the defaults, but for names:

        model: {class_path: pipelines.esrun.networks.SegmentationNet, init_args: {width: 24}}
        inputs: [{layer: image, bands: [B1, B2, B3], steps: 1, nodata: null}]
        task: segment               # or classify
        classes: [water, land]      # else the labels of inference_results_config
        normalise: {mean: [90, 95, 70], std: [30, 25, 20]}  # else what `fit` found, else none
        stride: 1                   # else the network's attribute of this name
        batch_size: 8               # windows scored at once on a GPU
        num_workers: ${NUM_WORKERS}
        fit: {epochs: 30, lr: 0.01, batch_size: 8, seed: 0, patch: 64, repeats: 1}

    The network is any torch module that makes (n, classes, height, width), or (n, classes) when it
    classifies, of (n, channels, height, width) float32; a user's own stands on PYTHONPATH or beside
    model.yaml. It gets `channels` and `classes` if its class takes them.

    Raises:
        BadInput: no such file, a key or a `${NAME}` that nobody knows, a value that cannot be.
    """
    path = project.model_config
    if not path.is_file():
        raise BadInput("no such file: inference needs the model's description", where=path)
    data = _filled(read_yaml(path).data, variables(project, dataset, workers), path)
    if not isinstance(data, Mapping):
        raise BadInput("must be a mapping", where=path)
    _known(data, KEYS, "", path)
    for key in ("model", "inputs"):
        if not data.get(key):
            raise BadInput(f"{key} is missing", where=path)
    if not isinstance(data["model"], Mapping):
        raise BadInput(f"model: needs a class_path and perhaps init_args, not {data['model']!r}", where=path)
    task = data.get("task", TASKS[0])
    if task not in TASKS:
        raise BadInput(f"task: must be {' or '.join(TASKS)}, not {task!r}", where=path)
    inputs = _inputs(data["inputs"], path)
    channels = sum(one.channels for one in inputs)
    return ModelConfig(
        path, data["model"], inputs, task, _names(data.get("classes") or [], "classes", path),
        _normalise(data.get("normalise"), channels, path), _count(data, "stride", path, 1),
        _count(data, "batch_size", path, 1), _count(data, "num_workers", path, 0),
        _training(data.get("fit") or {}, path),
    )  # fmt: skip


def _filled(value: Any, known: Mapping[str, str], path: Path) -> Any:
    """The same with variables replaced; a text that is one variable and becomes a number is one."""
    if isinstance(value, Mapping):
        return {key: _filled(one, known, path) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, known, path) for one in value]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise BadInput(
                f"no variable {match[0]} is known", where=path, hint=did_you_mean(match[1], tuple(known))
            )
        return known[match[1]]

    text = _VARIABLE.sub(replaced, value)
    return int(text) if _VARIABLE.fullmatch(value) and text.isdecimal() else text


def _inputs(listed: Any, path: Path) -> tuple[Input, ...]:
    if not isinstance(listed, list):
        raise BadInput(f"inputs: must be a list of layers, not {listed!r}", where=path)
    found = []
    for number, item in enumerate(listed):
        key = f"inputs[{number}]"
        if not isinstance(item, Mapping):
            raise BadInput(f"{key}: needs layer and bands, not {item!r}", where=path)
        _known(item, [one.name for one in fields(Input)], key, path)
        bands = _names(item.get("bands") or [], f"{key}.bands", path)
        if not bands or not isinstance(item.get("layer"), str):
            raise BadInput(f"{key}: needs layer and bands", where=path)
        nodata = item.get("nodata")
        if nodata is not None and not _is_number(nodata):
            raise BadInput(f"{key}.nodata: {nodata!r} is no number", where=path)
        found.append(Input(item["layer"], bands, _count(item, "steps", path, 1, f"{key}.") or 1, nodata))
    return tuple(found)


def _names(listed: Any, key: str, path: Path) -> tuple[str, ...]:
    if not isinstance(listed, list) or not all(isinstance(one, str | int) for one in listed):
        raise BadInput(f"{key}: must be a list of names, not {listed!r}", where=path)
    names = tuple(map(str, listed))
    if len(set(names)) < len(names):
        raise BadInput(f"{key}: names one twice ({', '.join(names)})", where=path)
    return names


def _normalise(data: Any, channels: int, path: Path) -> Normalisation | None:
    if data is None:
        return None
    if not isinstance(data, Mapping) or set(data) != {"mean", "std"}:
        raise BadInput(f"normalise: needs mean and std, not {data!r}", where=path)
    mean, std = (_per_channel(data[key], f"normalise.{key}", channels, path) for key in ("mean", "std"))
    if min(std) <= 0:
        raise BadInput("normalise.std: must be above 0", where=path)
    return Normalisation(mean, std)


def _per_channel(value: Any, key: str, channels: int, path: Path) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else [value] * channels
    if not all(_is_number(one) for one in numbers):
        raise BadInput(f"{key}: {value!r} are no numbers", where=path)
    if len(numbers) != channels:
        raise BadInput(f"{key}: has {len(numbers)} numbers for {channels} channels", where=path)
    return tuple(map(float, numbers))


def _training(data: Any, path: Path) -> Training:
    if not isinstance(data, Mapping):
        raise BadInput(f"fit: must be a mapping, not {data!r}", where=path)
    _known(data, [one.name for one in fields(Training)], "fit", path)
    found = {key: _count(data, key, path, 0 if key == "seed" else 1, "fit.") for key in data if key != "lr"}
    lr = data.get("lr", Training.lr)
    if not _is_number(lr) or lr <= 0:
        raise BadInput(f"fit.lr: {lr!r} is no number above 0", where=path)
    return Training(lr=float(lr), **{key: value for key, value in found.items() if value is not None})


def _count(data: Mapping[str, Any], key: str, path: Path, least: int, before: str = "") -> int | None:
    value = data.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise BadInput(f"{before}{key}: {value!r} is no whole number from {least} on", where=path)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _known(data: Mapping[str, Any], names: Sequence[str], key: str, path: Path) -> None:
    for name in data:
        if name not in names:
            hint = did_you_mean(str(name), names)
            raise BadInput(f"{key + ': ' if key else ''}no key {name!r}", where=path, hint=hint)
