"""What training has in common for any network: how classes weigh, the loss, turned images, steps downhill.

Networks, examples, and in which order they come, do not belong here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn


@contextlib.contextmanager
def repeatable(unknown: str = "error") -> Iterator[None]:
    """Torch with the same sums from run to run: by one thread, by algorithms that fix their order.

    Args:
        unknown: what to do about an operation that has no such algorithm: `error`, or `warn` as for a user's
            own network.
    """
    import torch

    threads, before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    torch.set_num_threads(1)
    # Unlike use_deterministic_algorithms, it does not import torch's compiler, which takes seconds.
    torch.set_deterministic_debug_mode(unknown)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(before)


def class_weights(counts: np.ndarray[Any, Any]) -> Tensor:
    """A weight for each class: the inverse square root of its share, so that rare ones count; at most 1.

    Args:
        counts: (classes,) labels of each class; one of none weighs 0.
    """
    import numpy as np
    import torch

    found = np.asarray(counts, np.float64)
    shares = np.maximum(found, 1) / max(found.sum(), 1)
    weights = np.where(found > 0, 1 / np.sqrt(shares), 0.0)
    return torch.tensor(weights / max(weights.max(), 1e-9), dtype=torch.float32)


def cross_entropy(logs: Tensor, truth: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Mean cross entropy, weighted by class, over what has a truth.

    Written with gathers, as torch's own is not deterministic on a GPU.

    Args:
        logs: logarithms of probabilities, classes along ``axis``.
        truth: numbers of classes, below 0 where nothing is known; the shape of ``logs`` without ``axis``.
    """
    import torch

    choice = torch.nn.functional.one_hot(truth.clamp(min=0), logs.shape[axis]).movedim(-1, axis)
    weight = weights[truth.clamp(min=0)] * (truth >= 0)
    return -((logs * choice).sum(axis) * weight).sum() / weight.sum().clamp(min=1e-6)


def turned(image: np.ndarray[Any, Any], view: int) -> np.ndarray[Any, Any]:
    """(..., height, width): view 0 is plain, 1 to 3 are quarter turns, 4 to 7 the same mirrored."""
    import numpy as np

    flipped = image[..., ::-1] if view >= 4 else image
    return np.ascontiguousarray(np.rot90(flipped, view % 4, (-2, -1)))


class Descent:
    """AdamW on the weights of a network, with one cycle of the learning rate up to ``lr`` (Smith 2018).

    Args:
        steps: how many there will be.
    """

    def __init__(self, network: nn.Module, lr: float, steps: int):
        import torch

        self._network = network
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=1e-3)
        self._cycle = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, max_lr=lr, total_steps=max(steps, 2)
        )

    def step(self, loss: Tensor) -> float:
        """One step down; the loss as a number."""
        import torch

        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimiser.step()
        self._cycle.step()
        return float(loss.detach())
