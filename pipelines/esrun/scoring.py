"""A model of a project, ready to score windows: its network on a device, fed as it wants to be.

Datasets and the files of results do not belong here.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import BadInput
from pipelines.esrun import reading
from pipelines.esrun.colours import Legend, legend
from pipelines.esrun.model_config import ModelConfig, Normalisation
from pipelines.esrun.project import Project

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pipelines.esrun.checkpoint import Checkpoint


TILE = 512  # pixels of height and width that a network of a known radius scores at once, at most


@dataclass(frozen=True)
class Model:
    """A network that scores windows.

    Attributes:
        stride: what a window's sides and corners are padded to multiples of, on the global grid of pixels.
        device: as torch names it.
    """

    config: ModelConfig
    network: nn.Module
    normalise: Normalisation
    legend: Legend
    device: str
    stride: int

    def probabilities(
        self, windows: Sequence[np.ndarray], corners: Sequence[tuple[int, int]], batch_size: int
    ) -> list[np.ndarray]:
        """Probabilities of the classes; the same for a window whatever it is scored together with.

        Args:
            windows: (channels, height, width) as `reading.read` gives them, of one size.
            corners: left and top of each, in pixels of its projection.

        Returns:
            For each window (classes, height, width), NaN where it has no data, or (classes,) when the task
            is to classify, all NaN if it has no data at all.

        Raises:
            BadInput: the network gives other shapes than its task asks for.
        """
        ready = [self._padded(one, corner) for one, corner in zip(windows, corners, strict=True)]
        alone = self.device == "cpu"  # sums are split otherwise for another batch, and round otherwise
        size = 1 if alone else batch_size
        scored: list[np.ndarray] = []
        for start in range(0, len(ready), size):
            scored += self._tiled(np.stack(ready[start : start + size]), size)
        return [
            self._cut(scores, window, corner)
            for scores, window, corner in zip(scored, windows, corners, strict=True)
        ]

    def _padded(self, window: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
        """Normalised, and enlarged by its edge pixels until the stride divides corners and sides.

        Corners, too: so a network that halves its resolution does so at the same pixels in every window.
        """
        left, top = (one % self.stride for one in corner)
        height, width = window.shape[1:]
        below, right = -(top + height) % self.stride, -(left + width) % self.stride
        pixels = reading.normalised(window, self.normalise)
        return np.pad(pixels, ((0, 0), (top, below), (left, right)), mode="edge")

    def _tiled(self, batch: np.ndarray, size: int) -> list[np.ndarray]:
        """Scores of images of any size; of large ones in tiles, with what these see round them."""
        height, width = batch.shape[2:]
        radius = getattr(self.network, "radius", None)
        if self.config.task != "segment" or not isinstance(radius, int) or max(height, width) <= TILE:
            return self._scores(batch, size)
        margin = -(-radius // self.stride) * self.stride
        scores = np.empty((len(batch), len(self.legend.labels), height, width), np.float32)
        tile = max(TILE // self.stride, 1) * self.stride
        for (top, bottom), (left, right) in itertools.product(_runs(height, tile), _runs(width, tile)):
            above, before = max(top - margin, 0), max(left - margin, 0)
            seen = self._scores(batch[:, :, above : bottom + margin, before : right + margin], size)
            inner = (slice(top - above, bottom - above), slice(left - before, right - before))
            scores[:, :, top:bottom, left:right] = np.stack(seen)[:, :, *inner]
        return list(scores)

    def _scores(self, batch: np.ndarray, size: int) -> list[np.ndarray]:
        import torch

        missing = size - len(batch)  # a batch of another size might round otherwise on a GPU
        full = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)])
        with torch.inference_mode():
            try:
                scores = self.network(torch.from_numpy(full).to(self.device))
            except torch.OutOfMemoryError:
                hint = "a smaller --batch_size, or --device=cpu"
                raise BadInput(f"{self.device}: no memory for {full.shape}", hint=hint) from None
            except RuntimeError as error:  # of the user's own network; the first line says what
                reason = str(error).partition("\n")[0]
                raise BadInput(f"model: {self._name} fails on images {full.shape}: {reason}",
                               where=self.config.fpath) from None  # fmt: skip
            self._check(scores, full.shape)
            likely = scores.float().softmax(1).cpu().numpy()
        return list(likely[: len(batch)])

    def _check(self, scores: Tensor, shape: tuple[int, ...]) -> None:
        count = (shape[0], len(self.legend.labels))
        wanted = (*count, *shape[2:]) if self.config.task == "segment" else count
        found = tuple(getattr(scores, "shape", ()))
        if found != wanted:
            raise BadInput(
                f"model: {self._name} makes {found or type(scores).__name__} of images {shape}, not {wanted}",
                where=self.config.fpath,
                hint=f"task is {self.config.task} with {len(self.legend.labels)} classes",
            )

    @property
    def _name(self) -> str:
        return str(self.config.model["class_path"])

    def _cut(self, scores: np.ndarray, window: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
        seen = reading.known(window)
        if scores.ndim == 1:
            return scores if seen.any() else np.full_like(scores, np.nan)
        left, top = (one % self.stride for one in corner)
        height, width = window.shape[1:]
        return np.where(seen, scores[:, top : top + height, left : left + width], np.nan)


def _runs(length: int, tile: int) -> list[tuple[int, int]]:
    return [(start, min(start + tile, length)) for start in range(0, length, tile)]


def load_model(project: Project, config: ModelConfig, found: Checkpoint, device: str) -> Model:
    """The project's network with the weights of a checkpoint.

    Raises:
        BadInput: the checkpoint is of another architecture or for other classes.
    """
    from pipelines.esrun import checkpoint

    its = legend(project, config.classes, otherwise=found.classes)
    if found.classes and found.classes != its.labels:
        raise BadInput(
            f"was trained for the classes {', '.join(found.classes)}, not {', '.join(its.labels)}",
            where=found.path,
        )
    network = config.network(len(its.labels))
    checkpoint.fill(network, found, str(config.model["class_path"]))
    plain = Normalisation((0.0,) * config.channels, (1.0,) * config.channels)
    normalise = found.normalise or config.normalise or plain
    if len(normalise.mean) != config.channels or len(normalise.std) != config.channels:
        raise BadInput(
            f"normalises {len(normalise.mean)} channels, model.yaml reads {config.channels}", where=found.path
        )
    return prepared(config, network, normalise, its, device)


def prepared(
    config: ModelConfig, network: nn.Module, normalise: Normalisation, its: Legend, device: str
) -> Model:
    """A network ready to score on ``device`` (`cpu`, `cuda:0`)."""
    own = getattr(network, "stride", 1)
    stride = config.stride or (own if isinstance(own, int) else 1)
    return Model(config, network.eval().to(device), normalise, its, device, stride)


def device_named(text: str) -> str:
    """The torch device: `auto` is a GPU if there is one. Raises BadInput: there is no such device."""
    from pipelines import devices

    return devices.chosen(text)


def checkpoint_of(project: Project, given: Path | None) -> Path:
    """The file with the weights: ``given``, else the project's own."""
    return Path(given) if given is not None else project.checkpoint
