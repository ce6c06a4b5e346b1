"""Checkpoints: tensors and plain data in a file, of which nothing is executed.

What a model is made of does not belong here, nor training.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.program import writing

if TYPE_CHECKING:
    from torch import nn


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


def state(path: Path) -> dict[str, Any]:
    """What to go on from: the content of a checkpoint; empty where there is none that can be loaded."""
    try:
        return load(path) if path.is_file() else {}
    except BadInput:  # of another version of torch, or not ours
        return {}


class Series:
    """The models of a training after each epoch, and the state to go on from after the last.

    Args:
        folder: holds nothing else.
        suffix: of the files' names, such as `.pt`.
        key: says whether what is there is of the same training.
        parts: what has a state, such as network and optimiser, by name.
    """

    def __init__(self, folder: Path, suffix: str, key: str, parts: Mapping[str, Any]):
        self.folder, self.suffix, self.key, self.parts = folder, suffix, key, parts

    def path(self, epoch: int) -> Path:
        """The file of the model as it was after an epoch, counted from 1."""
        return self.folder / f"epoch-{epoch:03d}{self.suffix}"

    def save(self, model: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> None:
        """Write the model of the latest epoch, then the state: where the second is, the first is.

        Args:
            history: of each epoch until now what is known, as plain data.
        """
        save(self.path(len(history)), model)
        states = {name: part.state_dict() for name, part in self.parts.items()}
        save(self._last, {"key": self.key, **states, "history": list(history)})

    def resume(self, epochs: int) -> list[dict[str, Any]]:
        """Put the parts into the state of the last epoch; the history until then.

        What is of another training, of one with more than ``epochs`` or not complete is removed: no history.
        """
        for left in self.folder.glob(f".*{self.suffix}"):  # what a killed run was writing
            left.unlink()
        found = state(self._last)
        done = len(found.get("history", ()))
        complete = all(self.path(epoch).is_file() for epoch in range(1, done + 1))
        if found.get("key") != self.key or done > epochs or not complete:
            self.clear()
            return []
        for name, part in self.parts.items():
            part.load_state_dict(found[name])
        history: list[dict[str, Any]] = found["history"]
        return history

    def clear(self) -> None:
        """Remove all that is there."""
        for path in (*self.folder.glob(f"epoch-*{self.suffix}"), self._last):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is none, or it holds something of the user's
            self.folder.rmdir()

    @property
    def _last(self) -> Path:
        return self.folder / f"last{self.suffix}"


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
