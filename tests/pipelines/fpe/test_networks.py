"""Networks of photographs, and the files that their weights come from and go to."""

from __future__ import annotations

import pickle

import pytest
import torch
from PIL import Image

from pipelines import checkpoints
from pipelines.errors import BadInput
from pipelines.fpe import model_files
from pipelines.fpe.image_transforms import Recipe, evaluated
from pipelines.fpe.networks import BODIES, Ranker

RECIPE = Recipe(40, 60, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
# As torchvision counts the weights of its ResNets without `fc`.
PARAMETERS = {"resnet18": 11_689_512 - 513_000, "resnet50": 25_557_032 - 2_049_000}


@pytest.mark.parametrize("body", BODIES)
def test_a_batch_of_one_has_one_score(body):
    torch.manual_seed(0)
    network = Ranker(body).eval()
    images = torch.rand(3, 3, 64, 96)
    with torch.inference_mode():
        alone = network(images[:1])
        assert alone.shape == (1,)
        torch.testing.assert_close(alone, network(images)[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("body", sorted(PARAMETERS))
def test_resnets_have_as_many_weights_as_torchvisions(body):
    its = Ranker(body).body
    assert sum(one.numel() for one in its.parameters()) == PARAMETERS[body]
    names = its.state_dict().keys()
    assert {"conv1.weight", "bn1.running_mean", "layer2.0.downsample.1.weight", "layer4.1.bn2.bias"} <= names


def test_a_frozen_body_keeps_weights_and_statistics():
    network = Ranker("resnet18").train()
    network.freeze(True)
    before = {name: one.clone() for name, one in network.body.state_dict().items()}
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(one.grad is None for one in network.body.parameters())
    assert all(torch.equal(one, before[name]) for name, one in network.body.state_dict().items())
    assert all(one.grad is not None for one in network.head.parameters())
    network.freeze(False)
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    assert network.body.conv1.weight.grad is not None


def test_local_weights_of_a_classifier_load(tmp_path):
    given = {**Ranker("resnet18").body.state_dict(), "fc.weight": torch.rand(1000, 512)}
    torch.save(given, tmp_path / "resnet18.pth")
    network = Ranker("resnet18")
    model_files.load_body(network, tmp_path / "resnet18.pth")
    assert torch.equal(network.body.layer3[0].conv1.weight, given["layer3.0.conv1.weight"])


def test_a_model_scores_as_it_did_before_it_was_saved(tmp_path):
    network = Ranker().eval()
    content = model_files.model_content(network, "small", RECIPE, epoch=3)
    checkpoints.save(tmp_path / "model.pth", content)
    checkpoints.save(tmp_path / "again.pth", content)
    assert (tmp_path / "model.pth").read_bytes() == (tmp_path / "again.pth").read_bytes()
    loaded, transform = model_files.load_model(tmp_path / "model.pth")
    image = Image.linear_gradient("L").resize((90, 50))
    assert transform(image).shape == (3, 32, 48)
    with torch.inference_mode():
        assert torch.equal(loaded(transform(image)[None]), network(evaluated(image, RECIPE)[None]))
    other = Ranker()
    model_files.load_body(other, tmp_path / "model.pth")
    assert torch.equal(other.body.layers[0].weight, network.body.layers[0].weight)


class Code:
    """What a checkpoint must not run."""

    def __reduce__(self):
        return print, ("code was run",)


def test_a_checkpoint_runs_no_code(tmp_path, capsys):
    (tmp_path / "model.pth").write_bytes(pickle.dumps(Code(), protocol=2))
    with pytest.raises(BadInput, match="is no checkpoint"):
        model_files.load_model(tmp_path / "model.pth")
    torch.save(Code(), tmp_path / "model.pth")
    with pytest.raises(BadInput, match="is no checkpoint"):
        model_files.load_model(tmp_path / "model.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([1], "holds no dictionary"),
        ({"epoch": 1}, "is no model of run_train"),
        ({**model_files.model_content(Ranker(), "small", RECIPE), "architecture": {"body": "resnet18"}},
         "is of another architecture: it has no tensor body.bn1.bias"),
        ({**model_files.model_content(Ranker(), "small", RECIPE), "architecture": {"body": "vgg"}},
         "no body 'vgg'; there are small, resnet18, resnet50"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_model_is_refused(content, complaint, tmp_path):
    torch.save(content, tmp_path / "model.pth")
    with pytest.raises(BadInput, match=complaint):
        model_files.load_model(tmp_path / "model.pth")
