"""`checkpoint.ckpt`: the weights of a network, with the normalisation and the classes they were learned with.

Nothing in such a file is executed. Training and prediction do not belong here.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.model_config import ModelConfig, Normalisation
from pipelines.program import writing

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIX = "model."  # that training frameworks put before the names of a network's tensors


@dataclass(frozen=True)
class Checkpoint:
    """Weights and what belongs to them; a bare state dict has weights alone.

    Attributes:
        classes: labels in the order of the scores.
        digest: SHA-256 of the file.
    """

    path: Path
    weights: Mapping[str, Tensor]
    normalise: Normalisation | None
    classes: tuple[str, ...]
    digest: str


def save(path: str | os.PathLike[str], config: ModelConfig, network: nn.Module, normalise: Normalisation,
         classes: tuple[str, ...]) -> None:  # fmt: skip
    """Write a checkpoint; the same network gives the same bytes."""
    import torch

    content = {
        "state_dict": {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()},
        "normalise": {key: list(values) for key, values in asdict(normalise).items()},
        "architecture": config.architecture(len(classes)),
        "inputs": [{**asdict(one), "bands": list(one.bands)} for one in config.inputs],
        "classes": list(classes),
    }
    buffer = io.BytesIO()  # torch would write the file's name into the file
    torch.save(content, buffer)
    with writing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint: one of `save`'s, one of Lightning's, or a bare state dict.

    Raises:
        BadInput: no such file, or torch finds no tensors in it.
    """
    import torch

    path = Path(path).absolute()
    if not path.is_file():
        raise BadInput("no such checkpoint", where=path, hint="python -m pipelines.esrun.fit makes one")
    raw = path.read_bytes()
    try:
        content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception:  # torch raises whatever its parsers raise, in many lines
        raise BadInput("is no checkpoint (torch cannot load it as plain tensors)", where=path) from None
    weights = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not weights or not all(map(_is_tensor, weights.values())):
        raise BadInput("is no checkpoint: it holds no state_dict of tensors", where=path)
    around = content if "state_dict" in content else {}
    return Checkpoint(
        path, weights, _normalise(around.get("normalise"), path), _classes(around.get("classes"), path),
        hashlib.sha256(raw).hexdigest(),
    )  # fmt: skip


def fill(network: nn.Module, checkpoint: Checkpoint, name: str) -> None:
    """Put the weights into a network that model.yaml calls ``name``.

    Raises:
        BadInput: they are of another architecture; says the first tensor that does not fit.
    """
    wanted = network.state_dict()
    weights = _without_prefix(checkpoint.weights, wanted)
    fault = _mismatch(weights, wanted)
    if fault is None:
        network.load_state_dict(weights)
        return
    raise BadInput(f"is of another architecture than {name} of model.yaml: {fault}", where=checkpoint.path)


def _mismatch(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str | None:
    for name, tensor in wanted.items():
        if name not in weights:
            return f"it has no tensor {name}"
        if weights[name].shape != tensor.shape:
            here, there = tuple(weights[name].shape), tuple(tensor.shape)
            return f"its tensor {name} has shape {here}, the network's {there}"
    return next((f"the network has no tensor {name}" for name in weights if name not in wanted), None)


def _without_prefix(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if any(name in wanted for name in weights) or not all(name.startswith(PREFIX) for name in weights):
        return weights
    return {name.removeprefix(PREFIX): tensor for name, tensor in weights.items()}


def _normalise(data: Any, path: Path) -> Normalisation | None:
    if data is None:
        return None
    try:
        found = Normalisation(*(tuple(map(float, data[key])) for key in ("mean", "std")))
    except (KeyError, TypeError, ValueError):
        raise BadInput("its normalise needs lists of numbers, mean and std", where=path) from None
    if not all(map(math.isfinite, (*found.mean, *found.std))) or min(found.std, default=1) <= 0:
        raise BadInput("its normalise needs finite numbers, and std above 0", where=path)
    return found


def _classes(data: Any, path: Path) -> tuple[str, ...]:
    if data is not None and not isinstance(data, list | tuple):
        raise BadInput(f"its classes are {data!r}, no list of labels", where=path)
    return tuple(map(str, data or ()))


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)
