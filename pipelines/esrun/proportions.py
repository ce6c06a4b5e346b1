"""Shares of train, val and test, and which of them a text falls to by its hash.

What the text says of a window does not belong here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

SPLITS = ("train", "val", "test")
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Proportions:
    """Shares of the splits; they sum to 1.

    Raises:
        ValueError: a share is not in 0 to 1, or they do not sum to 1 within 1e-6.
    """

    train: float
    val: float
    test: float

    def __post_init__(self) -> None:
        for name, share in zip(SPLITS, self.shares, strict=True):
            if not 0 <= share <= 1:
                raise ValueError(f"{name}_prop: {share!r} is not in 0 to 1")
        if not abs(sum(self.shares) - 1) <= TOLERANCE:
            shares = ", ".join(f"{share:g}" for share in self.shares)
            raise ValueError(
                f"train_prop, val_prop and test_prop ({shares}) sum to {sum(self.shares):g}, not 1"
            )

    @property
    def shares(self) -> tuple[float, float, float]:
        return self.train, self.val, self.test

    def split(self, text: str) -> str:
        """The split of a text: always the same, and over many texts in these proportions."""
        place, end = fraction(text) * sum(self.shares), 0.0
        wanted = [(name, share) for name, share in zip(SPLITS, self.shares, strict=True) if share > 0]
        for name, share in wanted:
            end += share
            if place < end:
                return name
        return wanted[-1][0]


def fraction(text: str) -> float:
    """A number in [0, 1), evenly spread over texts: the first 53 bits of the text's SHA-256."""
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11) / 2**53
