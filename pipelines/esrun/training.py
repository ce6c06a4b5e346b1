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
from pipelines.learning import Descent, class_weights, cross_entropy, turned

if TYPE_CHECKING:
    from torch import nn

    from pipelines.esrun.scoring import Model


def train(
    network: nn.Module, examples: Sequence[Example], normalise: Normalisation, classes: int, how: Training,
    stride: int = 1, device: str = "cpu", tick: Callable[[], object] = lambda: None,
) -> list[float]:  # fmt: skip
    """Train ``network`` in place by cross entropy, as `learning.Descent` goes about it.

    Patches of the windows in random order, each in one of its eight flips and turns; rare classes weigh more.

    Returns:
        The mean loss of each epoch; the same arguments on the same machine give the same network.

    Raises:
        BadInput: the loss is no number any more.
    """
    import torch

    rng = np.random.default_rng(how.seed)
    ready = [(normalised(one.pixels, normalise), one.truth) for one in examples] * how.repeats
    side = _side([pixels for pixels, _ in ready], how.patch, stride)
    weights = class_weights(_counts(examples, classes)).to(device)
    descent = Descent(network, how.lr, how.epochs * len(_batches(np.arange(len(ready)), how.batch_size)))
    network.to(device).train()
    means = []
    for _ in range(how.epochs):
        losses = []
        for batch in _batches(rng.permutation(len(ready)), how.batch_size):
            pixels, truth = _patches([ready[number] for number in batch], side, rng)
            known = torch.from_numpy(truth).long().to(device)
            scores = network(torch.from_numpy(pixels).to(device))
            losses.append(descent.step(cross_entropy(scores.log_softmax(1), known, weights, axis=1)))
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
    return int(_counts(examples).argmax())


def _counts(examples: Sequence[Example], classes: int = 0) -> np.ndarray:
    """Labels of each class."""
    labels = np.concatenate([np.atleast_1d(one.truth).ravel() for one in examples])
    return np.bincount(labels[labels != UNKNOWN], minlength=classes)


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
        truth = turned(truth[cut], view)
    return turned(pixels[:, *cut], view), truth
