"""The loss of pairs against values by hand and a gradient by its formula."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.fpe.ranknet import ranknet_loss

SCORES = st.floats(-20, 20, width=32)


def test_the_loss_and_its_gradient_are_those_by_hand():
    left = torch.tensor([2.0, 0.5, -1.0], requires_grad=True)
    right = torch.tensor([1.0, 1.5, 1.0], requires_grad=True)
    loss = ranknet_loss(left, right, torch.tensor([1, -1, 0]))
    # Differences 1, -1, -2: log(1 + e^-1), log(1 + e^-1), and log(1 + e^-2) + 2/2.
    by_hand = (2 * math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2)) + 1) / 3
    assert loss.item() == pytest.approx(by_hand, abs=1e-6)
    loss.backward()
    # (sigmoid(difference) - target) / 3, with targets 1, 0, 1/2.
    slopes = [(1 / (1 + math.exp(-d)) - t) / 3 for d, t in ((1, 1), (-1, 0), (-2, 0.5))]
    assert left.grad.tolist() == pytest.approx(slopes, abs=1e-6)
    assert right.grad.tolist() == pytest.approx([-one for one in slopes], abs=1e-6)


@given(SCORES, SCORES, st.sampled_from([-1, 0, 1]))
def test_a_reversed_pair_costs_the_same(left, right, label):
    one, two = torch.tensor([left]), torch.tensor([right])
    there = ranknet_loss(one, two, torch.tensor([label]))
    assert there.item() == pytest.approx(ranknet_loss(two, one, torch.tensor([-label])).item(), abs=1e-5)


def test_large_differences_stay_numbers():
    far = ranknet_loss(torch.tensor([1000.0]), torch.tensor([-1000.0]), torch.tensor([-1.0]))
    assert far.item() == 2000
