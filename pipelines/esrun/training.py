"""The loop that trains a network on examples in memory, and how well it does on others.

Datasets and files do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadInput
from pipelines.esrun.model_config import Normalisation, Training
from pipelines.esrun.reading import normalised
from pipelines.esrun.training_data import UNKNOWN, Example

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pipelines.esrun.scoring import Model


def train(
    network: nn.Module, examples: Sequence[Example], normalise: Normalisation, classes: int, how: Training,
    stride: int = 1, device: str = "cpu", tick: Callable[[], object] = lambda: None,
) -> list[float]:  # fmt: skip
    """Train ``network`` in place by cross entropy; AdamW with one cycle of the learning rate (Smith 2018).

    Patches of the windows in random order, each in one of its eight flips and turns. Classes weigh by the
    inverse square root of their share, so that rare ones count.

    Returns:
        The mean loss of each epoch; the same arguments on the same machine give the same network.

    Raises:
        BadInput: the loss is no number any more.
    """
    import torch

    rng = np.random.default_rng(how.seed)
    ready = [(normalised(one.pixels, normalise), one.truth) for one in examples] * how.repeats
    side = _side([pixels for pixels, _ in ready], how.patch, stride)
    weights = _class_weights([truth for _, truth in ready], classes).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=how.lr, weight_decay=1e-3)
    steps = how.epochs * len(_batches(np.arange(len(ready)), how.batch_size))
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=how.lr, total_steps=max(steps, 2))
    network.to(device).train()
    means = []
    for _ in range(how.epochs):
        losses = []
        for batch in _batches(rng.permutation(len(ready)), how.batch_size):
            pixels, truth = _patches([ready[number] for number in batch], side, rng)
            known = torch.from_numpy(truth).long().to(device)
            loss = _loss(network(torch.from_numpy(pixels).to(device)), known, weights)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            cycle.step()
            losses.append(float(loss.detach()))
        means.append(float(np.mean(losses)))
        if not np.isfinite(means[-1]):
            raise BadInput(f"training diverges with a learning rate of {how.lr}", where="lr")
        tick()
    network.eval()
    return means


def judge(model: Model, examples: Sequence[Example], majority: int) -> dict[str, Any]:
    """Scores of a model on examples, over all pixels (or windows) that have a label.

    Args:
        majority: the commonest class of the training: what to be better than.

    Returns:
        macro_f1, the mean over the classes that are there; accuracy; miou; f1 of each class;
        majority_macro_f1 and majority_accuracy of saying ``majority`` everywhere; count of labels. Empty
        without examples.
    """
    from sklearn.metrics import f1_score, jaccard_score

    if not examples:
        return {}
    truth, said = [], []
    for one in examples:
        likely = model.probabilities([one.pixels], [one.corner], 1)[0]
        known = one.truth != UNKNOWN
        truth.append(np.atleast_1d(one.truth[known]))
        said.append(np.atleast_1d(np.nan_to_num(likely, nan=-1.0).argmax(0)[known]))
    right, found = np.concatenate(truth), np.concatenate(said)
    there = np.unique(right)
    always = np.full_like(right, majority)
    each = f1_score(right, found, labels=there, average=None, zero_division=0)
    f1_always = f1_score(right, always, labels=there, average="macro", zero_division=0)
    return {
        "macro_f1": float(each.mean()),
        "accuracy": float((right == found).mean()),
        "miou": float(jaccard_score(right, found, labels=there, average="macro", zero_division=0)),
        "f1": {model.legend.labels[number]: float(f1) for number, f1 in zip(there, each, strict=True)},
        "majority_macro_f1": float(f1_always),
        "majority_accuracy": float((right == majority).mean()),
        "labels": len(right),
    }


def majority_class(examples: Sequence[Example]) -> int:
    """The class of most labels, the first of equals."""
    labels = np.concatenate([np.atleast_1d(one.truth).ravel() for one in examples])
    return int(np.bincount(labels[labels != UNKNOWN]).argmax())


def _side(images: Sequence[np.ndarray], patch: int, stride: int) -> int:
    """Height and width of all patches: no larger than the largest window, a multiple of the stride."""
    largest = max(max(one.shape[1:]) for one in images)
    return -(-min(patch, largest) // stride) * stride


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Runs of ``size``; none of one example alone, of which a batch normalisation learns nothing."""
    found = [order[start : start + size] for start in range(0, len(order), size)]
    if len(found) > 1 and len(found[-1]) == 1:
        found[-2:] = [np.concatenate(found[-2:])]
    return [np.repeat(run, 2) if len(run) == 1 else run for run in found]


def _patches(
    batch: Sequence[tuple[np.ndarray, np.ndarray]], side: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(n, channels, side, side) pixels and their truth, (n, side, side) or (n,)."""
    pixels, truth = zip(*(_patch(*one, side, rng) for one in batch), strict=True)
    return np.stack(pixels), np.stack(truth)


def _patch(
    pixels: np.ndarray, truth: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A part of a window at random, turned at random; beyond the window there is no truth."""
    height, width = pixels.shape[1:]
    below, right = max(side - height, 0), max(side - width, 0)
    pixels = np.pad(pixels, ((0, 0), (0, below), (0, right)), mode="edge")
    top, left = (int(rng.integers(size - side + 1)) for size in pixels.shape[1:])
    view = int(rng.integers(8))
    cut = (slice(top, top + side), slice(left, left + side))
    if truth.ndim:
        truth = np.pad(truth, ((0, below), (0, right)), constant_values=UNKNOWN)
        truth = _turned(truth[cut], view)
    return _turned(pixels[:, *cut], view), truth


def _turned(image: np.ndarray, view: int) -> np.ndarray:
    """View 0 is plain, 1 to 3 quarter turns, 4 to 7 the same mirrored."""
    flipped = image[..., ::-1] if view >= 4 else image
    return np.ascontiguousarray(np.rot90(flipped, view % 4, (-2, -1)))


def _class_weights(truth: Sequence[np.ndarray], classes: int) -> Tensor:
    import torch

    labels = np.concatenate([np.atleast_1d(one).ravel() for one in truth])
    counts = np.bincount(labels[labels != UNKNOWN], minlength=classes).astype(np.float64)
    shares = np.maximum(counts, 1) / counts.sum()
    weights = np.where(counts > 0, 1 / np.sqrt(shares), 0.0)
    return torch.tensor(weights / weights.max(), dtype=torch.float32)


def _loss(scores: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross entropy where the truth is known; with gathers, as torch's own is not deterministic."""
    import torch

    logs = scores.log_softmax(1)
    choice = torch.nn.functional.one_hot(truth.clamp(min=0), logs.shape[1]).movedim(-1, 1)
    weight = weights[truth.clamp(min=0)] * (truth != UNKNOWN)
    return -((logs * choice).sum(1) * weight).sum() / weight.sum().clamp(min=1e-6)
