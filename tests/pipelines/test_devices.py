"""Which device a program takes, on machines with none, one or several GPUs."""

from __future__ import annotations

import pytest
import torch

from pipelines import devices
from pipelines.errors import BadInput


@pytest.mark.parametrize(
    ("text", "count", "visible", "device"),
    [
        ("auto", 0, None, "cpu"),
        ("None", 2, None, "cuda:0"),
        ("auto", 1, "3", "cuda:0"),
        ("cpu", 2, None, "cpu"),
        ("0,", 2, None, "cuda:0"),
        ("[1, 0]", 2, None, "cuda:1"),
        ("cuda:1", 2, None, "cuda:1"),
        ("1", 2, "1,0", "cuda:1"),  # as torch counts
        ("1", 1, "1", "cuda:0"),  # the one that the scheduler gave
        ("3", 2, "2,3", "cuda:1"),
    ],
)
def test_a_device_is_found(text, count, visible, device, monkeypatch):
    machine(monkeypatch, count, visible)
    assert devices.chosen(text) == device


@pytest.mark.parametrize(
    ("text", "count", "visible", "complaint"),
    [
        ("0", 0, "", "devices: no GPU 0, torch sees 0; write cpu"),
        ("2", 1, "1", "devices: no GPU 2, torch sees 1"),
        ("1", 0, "1", "devices: no GPU 1, torch sees 0"),  # a list that names what is not there
        ("gpu", 1, None, "devices: 'gpu' is no device"),
        ("-1", 1, None, "devices: '-1' is no device"),
    ],
)
def test_a_device_that_is_not_there_is_named(text, count, visible, complaint, monkeypatch):
    machine(monkeypatch, count, visible)
    with pytest.raises(BadInput) as caught:
        devices.chosen(text)
    assert complaint in str(caught.value)


def machine(monkeypatch, count, visible):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
