"""Models after each epoch and the state to go on from: of the same training, whole, and nothing else."""

from __future__ import annotations

import pytest
import torch

from pipelines import checkpoints
from pipelines.checkpoints import Series


def started(folder, key="k"):
    """(series, network) before its first epoch."""
    network = torch.nn.Linear(2, 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    return Series(folder / "epochs", ".pt", key, {"network": network, "optimiser": optimiser}), network


@pytest.fixture
def left(tmp_path):
    """The folder of a training of two epochs, and its network."""
    series, network = started(tmp_path)
    assert series.resume(2) == []
    series.save({"weight": network.weight.detach()}, [{"epoch": 1}])
    series.save({"weight": network.weight.detach()}, [{"epoch": 1}, {"epoch": 2}])
    return tmp_path, network


def names(folder):
    return sorted(path.name for path in folder.glob("epochs/*"))


def test_the_same_training_goes_on_where_it_was(left):
    folder, network = left
    (folder / "epochs/.epoch-003.pt").write_text("half")
    series, other = started(folder)
    assert series.resume(5) == [{"epoch": 1}, {"epoch": 2}]
    assert torch.equal(other.weight, network.weight)
    assert names(folder) == ["epoch-001.pt", "epoch-002.pt", "last.pt"]
    assert torch.equal(checkpoints.load(series.path(2))["weight"], network.weight)


@pytest.mark.parametrize(("key", "epochs"), [("other", 5), ("k", 1)])
def test_another_or_a_longer_one_begins_anew(left, key, epochs):
    folder, network = left
    series, other = started(folder, key)
    assert series.resume(epochs) == []
    assert not torch.equal(other.weight, network.weight)
    assert not (folder / "epochs").exists()


def test_without_the_model_of_an_epoch_it_begins_anew(left):
    folder, _ = left
    (folder / "epochs/epoch-001.pt").unlink()
    assert started(folder)[0].resume(5) == []


def test_what_is_not_ours_stays(left):
    folder, _ = left
    (folder / "epochs/notes.txt").touch()
    (folder / "epochs/last.pt").write_text("no checkpoint")
    assert started(folder)[0].resume(5) == []
    assert names(folder) == ["notes.txt"]
