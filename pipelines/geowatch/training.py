"""The loop that trains a network on windows in memory, and how well it does on those held out.

Datasets and files do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import BadInput
from pipelines.geowatch.package import Recipe
from pipelines.geowatch.predictor import one_thread
from pipelines.geowatch.training_data import IGNORE, Examples
from pipelines.learning import Descent, class_weights, cross_entropy, turned

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.geowatch.model import TemporalUNet


@dataclass(frozen=True)
class Schedule:
    """``epochs`` over the windows in random order, ``batch`` at once, one cycle of the learning rate up to
    ``lr`` (Smith 2018), weights initialised and windows shuffled by ``seed``."""

    epochs: int
    lr: float
    batch: int
    seed: int
    device: str = "cpu"


@dataclass(frozen=True)
class Outcome:
    """Mean losses per epoch, and the average precision per output on windows held out (None: no truth)."""

    train_loss: list[float]
    val_loss: list[float]
    average_precision: dict[str, float | None]


def train(
    recipe: Recipe, examples: Examples, schedule: Schedule, tick: Callable[[], object] = lambda: None
) -> tuple[TemporalUNet, Outcome]:
    """A network trained from scratch; the same arguments on the same machine give the same network.

    Raises:
        BadInput: the loss is no number any more.
    """
    import torch

    # Unlike use_deterministic_algorithms, it does not import the compiler, which takes seconds.
    torch.set_deterministic_debug_mode("error")
    one_thread()
    torch.manual_seed(schedule.seed)
    rng = np.random.default_rng(schedule.seed)
    network = recipe.network().to(schedule.device)
    weights = _class_weights(examples.truth, len(recipe.outputs)).to(schedule.device)
    training = np.flatnonzero(~examples.held_out)
    held_out = np.flatnonzero(examples.held_out) if examples.held_out.any() else training
    descent = Descent(network, schedule.lr, schedule.epochs * -(-len(training) // schedule.batch))
    train_losses, val_losses = [], []
    for _ in range(schedule.epochs):
        network.train()
        losses = []
        for batch in _batches(rng.permutation(training), schedule.batch):
            pixels, truth = _turned(examples, batch, int(rng.integers(8)), schedule.device)
            losses.append(descent.step(_loss(network(pixels), truth, weights)))
        train_losses.append(float(np.mean(losses)))
        if not np.isfinite(train_losses[-1]):
            raise BadInput(f"training diverges with a learning rate of {schedule.lr}", where="lr")
        val_losses.append(_validate(network.eval(), examples, held_out, weights, schedule)[0])
        tick()
    maps = _validate(network.eval(), examples, held_out, weights, schedule)[1]
    precision = _average_precision(recipe, maps, examples.truth[held_out])
    return network, Outcome(train_losses, val_losses, precision)


def _batches(indices: np.ndarray, size: int) -> list[np.ndarray]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def _turned(examples: Examples, batch: np.ndarray, view: int, device: str) -> tuple[Tensor, Tensor]:
    """Windows and truth of a batch in one of the eight flips and rotations; nodata has no truth."""
    import torch

    pixels, truth = examples.pixels[batch], examples.truth[batch].copy()
    truth[~np.isfinite(pixels).all(2)] = IGNORE
    pixels, truth = (torch.from_numpy(turned(one, view)) for one in (pixels, truth))
    return pixels.to(device), truth.long().to(device)


def _class_weights(truth: np.ndarray, outputs: int) -> Tensor:
    """One weight per value of the truth."""
    return class_weights(np.array([(truth == value).sum() for value in range(max(outputs, 2))]))


def _loss(scores: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy weighted by class, over the pixels whose truth is known.

    Scores are (batch, time, outputs, h, w), truth (batch, time, h, w).
    """
    import torch

    if scores.shape[2] == 1:
        logs = torch.cat([-torch.nn.functional.softplus(scores), -torch.nn.functional.softplus(-scores)], 2)
    else:
        logs = scores.log_softmax(2)
    return cross_entropy(logs, truth, weights, axis=2)


def _validate(
    network: TemporalUNet, examples: Examples, chosen: np.ndarray, weights: Tensor, schedule: Schedule
) -> tuple[float, np.ndarray]:
    """Mean loss and probabilities (n, time, outputs, h, w), NaN where nodata, of the ``chosen`` windows."""
    import torch

    losses, maps = [], []
    with torch.inference_mode():
        for batch in _batches(chosen, schedule.batch):
            pixels, truth = _turned(examples, batch, 0, schedule.device)
            scores = network(pixels)
            losses.append(float(_loss(scores, truth, weights)) * len(batch))
            likely = scores.sigmoid() if scores.shape[2] == 1 else scores.softmax(2)
            known = torch.isfinite(pixels).all(2, keepdim=True)
            maps.append(torch.where(known, likely, torch.nan).cpu().numpy())
    return sum(losses) / max(len(chosen), 1), np.concatenate(maps)


def _average_precision(recipe: Recipe, maps: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    """Average precision of each output against the pixels of its class."""
    from sklearn.metrics import average_precision_score

    found: dict[str, float | None] = {}
    known = np.isfinite(maps[:, :, 0]) & (truth != IGNORE)
    for number, name in enumerate(recipe.outputs):
        right = truth[known] == (1 if recipe.task == "saliency" else number)
        found[name] = (
            float(average_precision_score(right, maps[:, :, number][known])) if right.any() else None
        )
    return found
