"""The model package: one file with the network, its bands, their normalisation and how to feed it.

How a network is trained or applied to a dataset does not belong here.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.geowatch.windows import SAMPLINGS
from pipelines.program import writing

if TYPE_CHECKING:
    import numpy as np

    from pipelines.geowatch.model import TemporalUNet

FORMAT = "kwdag geowatch model 1"
SALIENT = ("salient",)
PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
TASKS = {"saliency": SALIENT, "classes": PHASES}
ANY_SENSOR = "*"
HINT = "a package also holds the bands and their normalisation: python -m pipelines.geowatch.fit makes one"
CLIP = 6.0  # standard deviations: a cloud must not drown the ground beside it


@dataclass(frozen=True)
class Recipe:
    """What a network predicts and how it wants to be fed.

    Attributes:
        task: `saliency` (sigmoid of one score) or `classes` (softmax over the phases).
        channels: names of the input bands, in order.
        normalisation: sensor (or `*`) to band to (mean, standard deviation) in the files' units.
        gsd: metres per pixel of the input.
        time_steps: frames per window.
        time_sampling: a name of `windows.SAMPLINGS`.
        window: pixels of height and width.
        width: channels of the network at full resolution.
    """

    task: str
    channels: tuple[str, ...]
    normalisation: Mapping[str, Mapping[str, tuple[float, float]]]
    gsd: float
    time_steps: int
    time_sampling: str
    window: int
    width: int

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the predicted maps, in order."""
        return TASKS[self.task]

    def normalise(self, pixels: np.ndarray, sensor: str) -> np.ndarray:
        """(bands, height, width) of a sensor in standard deviations, clipped; a sensor never seen is `*`."""
        import numpy as np

        table = self.normalisation.get(sensor, self.normalisation[ANY_SENSOR])
        mean, deviation = np.array([table[name] for name in self.channels], np.float32).T[:, :, None, None]
        return np.clip((pixels - mean) / deviation, -CLIP, CLIP)

    def network(self) -> TemporalUNet:
        """The network with fresh weights."""
        from pipelines.geowatch.model import TemporalUNet

        return TemporalUNet(len(self.channels), len(self.outputs), self.width)


def save(path: str | os.PathLike[str], recipe: Recipe, network: TemporalUNet) -> None:
    """Write a package; the same network gives the same bytes."""
    import torch

    weights = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    plain = asdict(recipe) | {"channels": list(recipe.channels), "format": FORMAT, "weights": weights}
    buffer = io.BytesIO()  # torch would write the file's name into the file
    torch.save(plain, buffer)
    with writing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load(path: str | os.PathLike[str]) -> tuple[Recipe, TemporalUNet]:
    """The recipe and the network, ready to predict on the CPU. Nothing in the file is executed.

    Raises:
        BadInput: missing, no package, or its weights are for another number of bands or outputs.
    """
    content = _content(path)
    try:
        recipe = Recipe(**{field.name: content[field.name] for field in fields(Recipe)})
    except KeyError as error:
        raise BadInput(f"is no usable model package: it has no {error}", where=path) from None
    fault = _fault(recipe)
    if fault:
        raise BadInput(f"is no usable model package: {fault}", where=path)
    network = recipe.network()
    weights = content["weights"]
    _check_count(path, weights, "level0.0.weight", 1, len(recipe.channels) + 1, "channels")
    _check_count(path, weights, "head.1.weight", 0, len(recipe.outputs), "outputs")
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise BadInput(f"its weights do not fit its network ({error})", where=path) from None
    return recipe, network.eval()


def _fault(recipe: Recipe) -> str | None:
    """What in a recipe cannot be, in words."""
    if recipe.task not in TASKS:
        return f"its task is {recipe.task!r}, not {' or '.join(TASKS)}"
    if recipe.time_sampling not in SAMPLINGS:
        return f"its time_sampling is {recipe.time_sampling!r}, not {' or '.join(SAMPLINGS)}"
    for name, kind in (("gsd", int | float), ("time_steps", int), ("window", int), ("width", int)):
        value = getattr(recipe, name)
        if not isinstance(value, kind) or not value > 0:
            return f"its {name} is {value!r}, not a number above 0"
    if not isinstance(recipe.normalisation, Mapping) or ANY_SENSOR not in recipe.normalisation:
        return f"its normalisation has no {ANY_SENSOR!r}, for sensors that it has not seen"
    for sensor, table in recipe.normalisation.items():
        for band in recipe.channels:
            if band not in table:
                return f"its normalisation of {sensor!r} has no {band!r}"
    return None


def _content(path: str | os.PathLike[str]) -> dict[str, Any]:
    import torch

    if not Path(path).is_file():
        raise BadInput("no such model package", where=path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch raises whatever its parsers raise, in many lines
        raise BadInput("is no model package (torch cannot load it)", where=path, hint=HINT) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadInput(f"is {_kind(content)}, no model package", where=path, hint=HINT)
    if not isinstance(content.get("weights"), dict):
        raise BadInput("is no usable model package: it has no 'weights'", where=path)
    content["channels"] = tuple(content.get("channels") or ())
    return content


def _kind(content: Any) -> str:
    """What a file of torch holds, in words."""
    if not isinstance(content, dict):
        return f"a saved {type(content).__name__}"
    if "state_dict" in content or "optimizer_states" in content:
        return "a checkpoint of training"
    return "a file of bare weights" if content and all(map(_is_tensor, content.values())) else "another file"


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _check_count(
    path: str | os.PathLike[str], weights: Mapping[str, Any], key: str, axis: int, count: int, what: str
) -> None:
    extra = 1 if what == "channels" else 0  # the mask
    if key not in weights or weights[key].ndim != 4:
        raise BadInput(f"its weights do not fit its network (no {key})", where=path)
    found = weights[key].shape[axis]
    if found != count:
        raise BadInput(
            f"its weights are for {found - extra} {what}, but it names {count - extra}", where=path
        )
