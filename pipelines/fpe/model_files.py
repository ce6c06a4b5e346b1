"""`model.pth`: the weights of a network, its architecture, and what happens to images before.

Training and what is written beside it do not belong here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines.checkpoints import fill, load
from pipelines.errors import BadInput
from pipelines.fpe.image_transforms import Recipe

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from pipelines.fpe.networks import Ranker


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
