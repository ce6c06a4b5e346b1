"""The loop that teaches a network the classes of a tile's pixels, with a checkpoint after each epoch.

Options, and the files that a training ends with, do not belong here: see train.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipelines import checkpoints
from pipelines.cerulean import models
from pipelines.cerulean.confusions import Confusion
from pipelines.cerulean.pixel_metrics import count
from pipelines.cerulean.training_batches import loss, seen, stacked
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.cerulean.models import Config
    from pipelines.cerulean.tiles_data import TileSet
    from pipelines.cerulean.unet import UNet


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        lr: learning rate of AdamW; the highest where ``scheduler`` is `cyclic`: one cycle over all steps
            (Smith 2018). With `none` it stays.
        crop: side in pixels of the part of a tile that is seen at once; 0 is all of it.
        augment: whether tiles are turned and mirrored, and their brightness varied, by chance.
    """

    epochs: int = 20
    lr: float = 0.01
    batch_size: int = 8
    scheduler: str = "cyclic"
    crop: int = 0
    augment: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """An epoch, counted from 1: mean losses, training's as the weights were on the way, and the F1 of slick
    against background in the validation's pixels. Without validation its two are None."""

    epoch: int
    train_loss: float
    val_loss: float | None
    val_pixel_f1_slick: float | None


@dataclass(frozen=True)
class Setting:
    """What is trained on what.

    Attributes:
        weights: of each class in the loss.
        folder: of the checkpoints.
        key: says whether a checkpoint is of the same training.
    """

    network: UNet
    config: Config
    train: TileSet
    val: TileSet | None
    weights: Tensor
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
        self._optimiser = torch.optim.AdamW(self.network.parameters(), lr=plan.lr, weight_decay=1e-3)
        steps = plan.epochs * -(-len(setting.train) // plan.batch_size)
        self._cycle = (
            torch.optim.lr_scheduler.OneCycleLR(self._optimiser, plan.lr, total_steps=max(steps, 2))
            if plan.scheduler == "cyclic"
            else torch.optim.lr_scheduler.ConstantLR(self._optimiser, factor=1.0)
        )
        parts = {"network": self.network, "optimiser": self._optimiser, "cycle": self._cycle}
        self._series = checkpoints.Series(setting.folder, ".pt", setting.key, parts)
        self.history = [Epoch(**one) for one in self._series.resume(plan.epochs)]

    def run(self, tick: Callable[[int], object] = lambda done: None) -> list[Epoch]:
        """Train the epochs that are left, with a checkpoint after each.

        Raises:
            BadInput: a loss is no number any more.
        """
        tick(len(self.history))
        for epoch in range(len(self.history) + 1, self.plan.epochs + 1):
            train_loss = self._learn(epoch)
            val_loss, confusion = self.judge() if self.setting.val is not None else (None, None)
            if not (math.isfinite(train_loss) and math.isfinite(val_loss or 0.0)):
                self._series.clear()  # going on from them would end here again
                raise BadInput(f"training diverges at {self.plan.lr}", where="lr")
            f1 = None if confusion is None else confusion.slick()["f1"]
            self.history.append(Epoch(epoch, train_loss, val_loss, f1))
            self._save()
            tick(1)
        return self.history

    @property
    def best(self) -> Epoch:
        """The first of the epochs with the lowest val_loss; the last one without validation."""
        if self.setting.val is None:
            return self.history[-1]
        return min(self.history, key=lambda one: math.inf if one.val_loss is None else one.val_loss)

    def best_model(self) -> tuple[UNet, Config]:
        """The network as it was after the best epoch."""
        return models.load(self.checkpoint(self.best.epoch), self.setting.device)

    def checkpoint(self, epoch: int) -> Path:
        """The file of the network as it was after an epoch, counted from 1."""
        return self._series.path(epoch)

    def judge(self, network: UNet | None = None) -> tuple[float, Confusion]:
        """Mean loss over the validation tiles, and their pixels by true and most probable class."""
        its, network = self.setting, (network or self.network).eval()
        assert its.val is not None
        classes = len(its.config.classes)
        counts, total = np.zeros((classes, classes), np.int64), 0.0
        with torch.inference_mode():
            for batch in its.val.batches(self._runs(range(len(its.val)))):
                pixels, truth = stacked(batch, its.config.picked)
                scores = network(pixels.to(its.device))
                total += float(loss(scores, truth.to(its.device), its.weights)) * len(batch)
                best = scores.argmax(1).cpu().numpy().astype(np.uint8)
                for true, found in zip(truth.numpy(), best, strict=True):
                    counts += count(true, found, classes)
        return total / len(its.val), Confusion(its.config.classes, counts)

    def _learn(self, epoch: int) -> float:
        """One time over the training tiles, in an order and with changes that the epoch's number gives."""
        its, rng = self.setting, np.random.default_rng([self.plan.seed, epoch])
        self.network.train()
        total = 0.0
        for batch in its.train.batches(self._runs(rng.permutation(len(its.train)))):
            varied = [seen(one, self.plan.crop, self.plan.augment, rng) for one in batch]
            pixels, truth = stacked(varied, its.config.picked)
            found = loss(self.network(pixels.to(its.device)), truth.to(its.device), its.weights)
            self._optimiser.zero_grad()
            found.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self._optimiser.step()
            self._cycle.step()
            total += float(found.detach()) * len(batch)
        return total / len(its.train)

    def _runs(self, items: Any) -> list[Sequence[int]]:
        size = self.plan.batch_size
        return [items[start : start + size] for start in range(0, len(items), size)]

    def _save(self) -> None:
        model = models.content(self.network, self.setting.config, **asdict(self.history[-1]))
        self._series.save(model, [asdict(one) for one in self.history])
