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

    torch.use_deterministic_algorithms(True)
    one_thread()
    torch.manual_seed(schedule.seed)
    rng = np.random.default_rng(schedule.seed)
    network = recipe.network().to(schedule.device)
    weights = _class_weights(examples.truth, len(recipe.outputs)).to(schedule.device)
    training = np.flatnonzero(~examples.held_out)
    held_out = np.flatnonzero(examples.held_out) if examples.held_out.any() else training
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.lr, weight_decay=1e-3)
    steps = schedule.epochs * -(-len(training) // schedule.batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=schedule.lr, total_steps=max(steps, 2))
    train_losses, val_losses = [], []
    for _ in range(schedule.epochs):
        network.train()
        losses = []
        for batch in _batches(rng.permutation(training), schedule.batch):
            pixels, truth = _turned(examples, batch, int(rng.integers(8)), schedule.device)
            loss = _loss(network(pixels), truth, weights)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            cycle.step()
            losses.append(float(loss.detach()))
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
    if view >= 4:
        pixels, truth = pixels[..., ::-1], truth[..., ::-1]
    pixels, truth = (np.ascontiguousarray(np.rot90(one, view % 4, (-2, -1))) for one in (pixels, truth))
    return torch.from_numpy(pixels).to(device), torch.from_numpy(truth).long().to(device)


def _class_weights(truth: np.ndarray, outputs: int) -> Tensor:
    """One weight per value of the truth: the inverse square root of its share, so that rare ones count."""
    import torch

    counts = np.array([(truth == value).sum() for value in range(max(outputs, 2))], np.float64)
    shares = np.maximum(counts, 1) / max(counts.sum(), 1)
    weights = np.where(counts > 0, 1 / np.sqrt(shares), 0.0)
    return torch.tensor(weights / max(weights.max(), 1e-9), dtype=torch.float32)


def _loss(scores: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy weighted by class, over the pixels whose truth is known.

    Scores are (batch, time, outputs, h, w), truth (batch, time, h, w). Written with gathers, as torch's own
    2D cross entropy is not deterministic on a GPU.
    """
    import torch

    if scores.shape[2] == 1:
        logs = torch.cat([-torch.nn.functional.softplus(scores), -torch.nn.functional.softplus(-scores)], 2)
    else:
        logs = scores.log_softmax(2)
    choice = torch.nn.functional.one_hot(truth.clamp(min=0), logs.shape[2]).movedim(-1, 2)
    weight = weights[truth.clamp(min=0)] * (truth != IGNORE)
    return -(((logs * choice).sum(2)) * weight).sum() / weight.sum().clamp(min=1e-6)


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
