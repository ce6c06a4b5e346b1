"""What training has in common, against torch's own and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.learning import Descent, class_weights, cross_entropy, turned

torch = pytest.importorskip("torch")


def test_rare_classes_weigh_more_and_missing_ones_nothing():
    assert class_weights(np.array([900, 100, 0])).tolist() == pytest.approx([1 / 3, 1, 0])
    assert class_weights(np.array([0, 0])).tolist() == [0, 0]


@pytest.mark.parametrize("axis", [1, 2])
def test_cross_entropy_is_that_of_torch(axis):
    torch.manual_seed(0)
    scores, truth = torch.randn(2, 3, 5, 4), torch.randint(-1, 3, (2, 5, 4))
    weights = torch.tensor([0.2, 1.0, 0.5])
    theirs = torch.nn.functional.cross_entropy(scores, truth, weights, ignore_index=-1)
    logs = scores.log_softmax(1).movedim(1, axis)
    assert float(cross_entropy(logs, truth, weights, axis)) == pytest.approx(float(theirs))
    assert float(cross_entropy(logs, torch.full_like(truth, -1), weights, axis)) == 0


def test_eight_views_are_all_there_are():
    image = np.arange(6).reshape(1, 2, 3)
    views = [turned(image, view) for view in range(8)]
    assert (views[0] == image).all() and (views[4] == image[..., ::-1]).all()
    assert views[1][0].tolist() == [[2, 5], [1, 4], [0, 3]]  # a quarter turn, counterclockwise
    assert len({(one.shape, one.tobytes()) for one in views}) == 8


def test_steps_lead_downhill():
    network = torch.nn.Linear(1, 1)
    descent = Descent(network, 0.1, 60)
    losses = [descent.step((network(torch.ones(1, 1)) - 3).square().mean()) for _ in range(60)]
    assert losses[-1] < 0.05 * losses[0]
