"""The loop that teaches a network to put photographs into the order that people gave them.

Options, and the files that a training ends with, do not belong here: see run_train.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipelines import checkpoints
from pipelines.errors import BadInput
from pipelines.fpe import model_files
from pipelines.fpe.image_transforms import Recipe, augmented, centre, drawn, normalised
from pipelines.fpe.ranknet import ranknet_loss

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.fpe.image_reading import Photos
    from pipelines.fpe.networks import Ranker


@dataclass(frozen=True)
class Pairs:
    """Annotated pairs of photographs.

    Attributes:
        first, second: names of their files.
        label: (n,) 1 where the first has more water, -1 where the second has, 0 where they are the same.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    label: np.ndarray

    @property
    def names(self) -> list[str]:
        """Every photograph once, in the order of names."""
        return sorted({*self.first, *self.second})


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        learning_rate: of SGD; times ``factor`` after more than ``patience`` epochs without a lower val_loss.
        unfreeze_after: epochs that the body stays as it is.
        augment: whether chance changes the training images.
    """

    epochs: int = 20
    learning_rate: float = 0.001
    momentum: float = 0.9
    batch_size: int = 64
    unfreeze_after: int = 2
    patience: int = 1
    factor: float = 0.5
    seed: int = 1691
    augment: bool = True


@dataclass(frozen=True)
class Epoch:
    """Mean losses of one epoch, counted from 1; training's as the weights were on the way."""

    epoch: int
    train_loss: float
    val_loss: float


@dataclass(frozen=True)
class Setting:
    """What is trained on what.

    Attributes:
        body: the name of the network's body.
        folder: of the checkpoints.
        key: says whether a checkpoint is of the same training.
    """

    network: Ranker
    body: str
    photos: Photos
    train: Pairs
    val: Pairs
    recipe: Recipe
    device: str
    folder: Path
    key: str


class Training:
    """A network being trained, from the last checkpoint if there is one of the same training.

    An epoch depends on the state before it and its number alone, so one that was cut off is begun again and
    ends as it would have.
    """

    def __init__(self, setting: Setting, plan: Plan):
        self.setting, self.plan = setting, plan
        self.network = setting.network.to(setting.device)
        self._optimiser = torch.optim.SGD(
            self.network.parameters(), lr=plan.learning_rate, momentum=plan.momentum
        )
        self._schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._optimiser, patience=plan.patience, factor=plan.factor
        )
        parts = {"network": self.network, "optimiser": self._optimiser, "schedule": self._schedule}
        self._series = checkpoints.Series(setting.folder, ".pth", setting.key, parts)
        self.history = [Epoch(**one) for one in self._series.resume(plan.epochs)]

    def run(self, tick: Callable[[int], object] = lambda done: None) -> list[Epoch]:
        """Train the epochs that are left, with a checkpoint after each.

        Raises:
            BadInput: a loss is no number any more.
        """
        tick(len(self.history))
        for epoch in range(len(self.history) + 1, self.plan.epochs + 1):
            train_loss = self._learn(epoch)
            val_loss = self.judge(self.setting.val)
            if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
                self._series.clear()  # going on from them would end here again
                raise BadInput(f"training diverges at {self.plan.learning_rate}", where="--learning-rate")
            self._schedule.step(val_loss)
            self.history.append(Epoch(epoch, train_loss, val_loss))
            self._save()
            tick(1)
        return self.history

    @property
    def best(self) -> Epoch:
        """The first of the epochs with the lowest val_loss."""
        return min(self.history, key=lambda one: one.val_loss)

    def checkpoint(self, epoch: int) -> Path:
        """The model as it was after an epoch."""
        return self._series.path(epoch)

    def judge(self, pairs: Pairs) -> float:
        """Mean loss over pairs; each photograph is scored once, as a model scores it."""
        scores = self._scores(pairs.names)
        first, second = (
            torch.tensor([scores[name] for name in side]) for side in (pairs.first, pairs.second)
        )
        return float(ranknet_loss(first, second, torch.from_numpy(pairs.label)))

    def _scores(self, names: Sequence[str]) -> dict[str, float]:
        self.network.eval()
        scores: list[float] = []
        with torch.inference_mode():
            for batch in self._batches(self._runs(names)):
                seen = normalised(centre(batch, self.setting.recipe), self.setting.recipe)
                scores += self.network(seen).tolist()
        return dict(zip(names, scores, strict=True))

    def _learn(self, epoch: int) -> float:
        """One time over the training pairs, in an order and with changes that the epoch's number gives."""
        pairs, rng = self.setting.train, np.random.default_rng([self.plan.seed, epoch])
        self.network.train()
        self.network.freeze(epoch <= self.plan.unfreeze_after)
        order = rng.permutation(len(pairs.label))
        chosen = self._runs(order)
        # Both images of a pair go through in one batch: the first of all pairs, then the second.
        names = [[side[i] for side in (pairs.first, pairs.second) for i in batch] for batch in chosen]
        total = 0.0
        for batch, images in zip(chosen, self._batches(names), strict=True):
            first, second = self.network(self._varied(images, rng)).chunk(2)
            label = torch.from_numpy(pairs.label[batch]).to(first.device)
            loss = ranknet_loss(first, second, label)
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            total += float(loss.detach()) * len(batch)
        return total / len(order)

    def _varied(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        recipe = self.setting.recipe
        if self.plan.augment:
            return normalised(augmented(images, recipe, drawn(len(images), rng)), recipe)
        return normalised(centre(images, recipe), recipe)

    def _runs(self, items: Any) -> list[Any]:
        size = self.plan.batch_size
        return [items[start : start + size] for start in range(0, len(items), size)]

    def _batches(self, names: Sequence[Sequence[str]]) -> Iterator[Tensor]:
        for batch in self.setting.photos.batches(names):
            yield torch.from_numpy(batch).to(self.setting.device)

    def _save(self) -> None:
        its = self.setting
        model = model_files.model_content(self.network, its.body, its.recipe, **asdict(self.history[-1]))
        self._series.save(model, [asdict(one) for one in self.history])


def without(pairs: Pairs, unreadable: set[str]) -> Pairs:
    """The pairs of which both photographs can be read."""
    kept = [number for number, both in enumerate(zip(pairs.first, pairs.second, strict=True))
            if unreadable.isdisjoint(both)]  # fmt: skip
    return replace(
        pairs, first=tuple(pairs.first[i] for i in kept), second=tuple(pairs.second[i] for i in kept),
        label=pairs.label[kept],
    )  # fmt: skip
