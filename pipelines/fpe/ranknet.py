"""RankNet: what it costs to put two photographs into another order than people did.

Networks and loops do not belong here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def ranknet_loss(left: Tensor, right: Tensor, label: Tensor) -> Tensor:
    """Mean binary cross entropy of sigmoid(left - right) against (label + 1) / 2 (Burges et al. 2005).

    Args:
        left: (n,) scores of the left images.
        right: (n,) scores of the right images.
        label: (n,) 1 where the left image has more water, -1 where the right one, 0 where they are the same.

    >>> import torch
    >>> one = torch.tensor([1.0])
    >>> round(ranknet_loss(2 * one, one, one).item(), 6)  # log(1 + exp(-1))
    0.313262
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(left - right, (label.to(left.dtype) + 1) / 2)
