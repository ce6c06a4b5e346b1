"""`model.pth` and the checkpoints of epochs: tensors and plain data, of which nothing is executed.

Training and what is written beside them do not belong here.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.fpe.image_transforms import Recipe
from pipelines.program import writing

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from pipelines.fpe.networks import Ranker


def save(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write tensors and plain data, whole or not at all; the same content gives the same bytes."""
    import torch

    buffer = io.BytesIO()  # torch would write the file's name into the file
    torch.save(dict(content), buffer)
    with writing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save` wrote, on the CPU.

    Raises:
        BadInput: no such file, or it is not one of tensors and plain data.
    """
    import torch

    path = Path(path)
    try:
        content = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from None
    except Exception:  # torch raises whatever its parsers raise, in many lines
        raise BadInput("is no checkpoint (torch cannot load it as plain tensors)", where=path) from None
    if not isinstance(content, dict):
        raise BadInput("is no checkpoint: it holds no dictionary", where=path)
    return content


def model_content(network: nn.Module, body: str, recipe: Recipe, **facts: Any) -> dict[str, Any]:
    """What `load_model` needs: weights, architecture and transforms; ``facts`` are plain data beside it."""
    weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
    transform = {key: list(value) if isinstance(value, tuple) else value
                 for key, value in asdict(recipe).items()}  # fmt: skip
    return {"state_dict": weights, "architecture": {"body": body}, "transform": transform, **facts}


def load_model(path: str | os.PathLike[str], device: str = "cpu") -> tuple[Ranker, Callable[[Image], Tensor]]:
    """The network of a model, ready to score, and the transform that images need before.

    Returns:
        network: (n, 3, height, width) on ``device`` to (n,) scores. transform: a PIL image, of any mode and
        size, to (3, height, width) on the CPU, of one size for all images.

    Raises:
        BadInput: no such file, not a model, or tensors of another architecture.
    """
    from pipelines.fpe.image_transforms import evaluated
    from pipelines.fpe.networks import Ranker

    content = load(path)
    try:
        network = Ranker(content["architecture"]["body"])
        recipe = Recipe.from_plain(content["transform"])
        weights = content["state_dict"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"is no model of run_train ({error!r})", where=path) from None
    fill(network, weights, path)
    return network.to(device).eval(), lambda image: evaluated(image, recipe)


def load_body(network: Ranker, path: str | os.PathLike[str]) -> None:
    """Put local weights into the body: torchvision's state dict, or one of `save`'s.

    The last layer of a classifier (`fc`) is left out.

    Raises:
        BadInput: no such file, or weights of another architecture.
    """
    content = load(path)
    weights = content.get("state_dict", content)
    if not isinstance(weights, dict):
        raise BadInput("holds no state_dict", where=path)
    if any(name.startswith("body.") for name in weights):
        weights = {name.removeprefix("body."): one for name, one in weights.items() if name[:5] == "body."}
    fill(network.body, {name: one for name, one in weights.items() if not name.startswith("fc.")}, path)


def fill(network: nn.Module, weights: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Put ``weights`` into a network.

    Raises:
        BadInput: they are of another architecture; says the first tensor that does not fit.
    """
    import torch

    wanted = network.state_dict()
    for name in sorted(wanted.keys() | weights.keys()):
        if name not in weights:
            raise BadInput(f"is of another architecture: it has no tensor {name}", where=path)
        if name not in wanted:
            raise BadInput(f"is of another architecture: the network has no tensor {name}", where=path)
        if not isinstance(weights[name], torch.Tensor) or weights[name].shape != wanted[name].shape:
            shape = tuple(wanted[name].shape)
            raise BadInput(f"is of another architecture: {name} has not the shape {shape}", where=path)
    network.load_state_dict(weights)
