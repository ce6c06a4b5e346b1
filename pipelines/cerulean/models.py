"""`model.pt` and `model.torchscript.pt`: a network with all that prediction needs to know of it.

The network's layers stand in unet.py; training does not belong here.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwdag.errors import did_you_mean
from pipelines.cerulean.classes import BACKGROUND, NAMES
from pipelines.cerulean.coco_tiles import CHANNELS
from pipelines.errors import BadInput

if TYPE_CHECKING:
    import os

    import numpy as np
    from torch.jit import ScriptModule

    from pipelines.cerulean.unet import UNet

MODEL, SCRIPT = "model.pt", "model.torchscript.pt"


@dataclass(frozen=True)
class Config:
    """What a model is for, and how it is built.

    Attributes:
        channels: names of `CHANNELS`, in the order in which the network takes them.
        classes: what it tells apart, background first.
        numbers, dropped: how classes of the table become these; see `classes.Remap`. ``dropped`` is sorted.
        width, depth: of the network; see `unet.UNet`.
        mean, std: of each channel in training, in values 0 to 255.
        tile_length: longest side of a training tile in pixels.
    """

    channels: tuple[str, ...]
    classes: tuple[str, ...]
    numbers: tuple[int, ...]
    dropped: tuple[str, ...]
    width: int
    depth: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tile_length: int

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Config:
        """From what `plain` gave.

        Raises:
            KeyError, TypeError, ValueError: it did not give that.
        """
        found: dict[str, Any] = {one.name: plain[one.name] for one in fields(cls)}
        found = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
        config = cls(**found)
        known = set(config.channels) <= set(CHANNELS) and set(config.classes) <= set(NAMES)
        if not known or config.classes[0] != BACKGROUND or len(config.numbers) != len(NAMES):
            raise ValueError("channels or classes that are none")
        if not len(config.channels) == len(config.mean) == len(config.std):
            raise ValueError("another number of channels than of means")
        return config

    @property
    def plain(self) -> dict[str, Any]:
        """Lists, text and numbers, as a file of tensors may hold them."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }

    @property
    def picked(self) -> list[int]:
        """Places of the channels in a tile."""
        return [CHANNELS.index(name) for name in self.channels]


def channels_named(text: str) -> tuple[str, ...]:
    """The channels that an option names, in the order of a tile.

    Raises:
        BadInput: no channel, or one that there is not.

    >>> channels_named("density,vv")
    ('vv', 'density')
    """
    names = [name.strip() for name in text.replace("|", ",").split(",") if name.strip()]
    for name in names:
        if name not in CHANNELS:
            raise BadInput(f"no channel {name!r}", where="channels", hint=did_you_mean(name, CHANNELS))
    if not names:
        raise BadInput("names no channel", where="channels", hint=f"there are {', '.join(CHANNELS)}")
    return tuple(name for name in CHANNELS if name in names)


def build(config: Config) -> UNet:
    """A network of that kind, with weights by torch's generator."""
    import torch

    from pipelines.cerulean.unet import UNet

    vv = config.channels.index("vv") if "vv" in config.channels else -1
    network = UNet(len(config.classes), config.width, config.depth, config.mean, config.std, vv)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on a CPU
    return network


def content(network: UNet, config: Config, **facts: Any) -> dict[str, Any]:
    """What `load` needs; ``facts`` are plain data beside it."""
    weights = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()
    }
    return {"state": weights, "config": config.plain, **facts}


def save(folder: Path, network: UNet, config: Config) -> None:
    """Write both files; the same weights give the same bytes (TorchScript's: the first ones of a process,
    as it numbers the classes that it has seen).

    Each is loaded again, and must give a random tile the very scores of ``network``: no file is written
    that does not.
    """
    import torch

    from pipelines import checkpoints

    network = network.cpu().eval()
    made, script = content(network, config), _scripted(network)
    buffer = io.BytesIO()
    torch.save(made, buffer)
    height, width = 2 * network.stride + 3, network.stride + 1  # it pads what it cannot halve
    generator = torch.Generator().manual_seed(0)
    tile = torch.randint(0, 256, (1, len(config.channels), height, width), generator=generator).float()
    with torch.inference_mode(), _quiet():
        expected = network(tile)
        again = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
        for name, loaded in ((MODEL, _filled(again)), (SCRIPT, torch.jit.load(io.BytesIO(script)))):
            if not torch.allclose(loaded(tile), expected, rtol=1e-4, atol=1e-4):
                raise RuntimeError(f"{name} does not give the scores of the network that it was made of")
    checkpoints.save(folder / MODEL, made)
    (folder / SCRIPT).write_bytes(script)


def load(path: str | os.PathLike[str], device: str = "cpu") -> tuple[UNet, Config]:
    """A trained network, ready to predict, and what it is for.

    Args:
        path: `model.pt`, a checkpoint of an epoch, or a folder with `model.pt`.

    Raises:
        BadInput: no such file, not a model of `train`, or tensors of another network.
    """
    from pipelines import checkpoints

    path = Path(path)
    path = path / MODEL if path.is_dir() else path
    with _quiet(UserWarning):  # of TorchScript, which is refused in one line
        found = checkpoints.load(path)
    try:
        config = Config.from_plain(found["config"])
        weights = found["state"]
        network = build(config)
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise BadInput(f"is no model of train ({' '.join(str(error).split())})", where=path) from None
    checkpoints.fill(network, weights, path)
    return network.to(device).eval(), config


def load_script(path: str | os.PathLike[str], device: str = "cpu") -> ScriptModule:
    """The TorchScript of a model: (n, channels, height, width) float32 of 0 to 255 to scores before softmax.

    Raises:
        BadInput: no such file, or it is no TorchScript.
    """
    import torch

    path = Path(path)
    try:
        with _quiet():
            return torch.jit.load(io.BytesIO(path.read_bytes()), map_location=device).eval()
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from None
    except RuntimeError:  # many lines of C++
        raise BadInput("is no TorchScript", where=path) from None


def probabilities(network: UNet, config: Config, tiles: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Probabilities of the classes.

    Args:
        tiles: (n, 3, height, width) uint8, the channels of a tile as in `CHANNELS`.

    Returns:
        (n, classes, height, width) float32, sums of 1 over the classes; 0 for all of them in nodata (VV 0).
    """
    import numpy as np
    import torch

    picked = torch.from_numpy(np.ascontiguousarray(tiles[:, config.picked])).to(device).float()
    with torch.inference_mode():
        scores = network(picked.contiguous(memory_format=torch.channels_last))
        found = scores.softmax(1).contiguous().cpu().numpy()
    found[np.broadcast_to(tiles[:, :1] == 0, found.shape)] = 0
    result: np.ndarray = found
    return result


def _scripted(network: UNet) -> bytes:
    """Frozen, as the text of an unfrozen script has its constants in an order of chance."""
    import torch

    buffer = io.BytesIO()
    with _quiet():
        script = torch.jit.freeze(torch.jit.script(network), optimize_numerics=False)
        torch.jit.save(script, buffer)
    return buffer.getvalue()


def _filled(content: Mapping[str, Any]) -> UNet:
    network = build(Config.from_plain(content["config"]))
    network.load_state_dict(content["state"])
    return network.eval()


@contextmanager
def _quiet(kind: type[Warning] = DeprecationWarning) -> Iterator[None]:
    """No warnings of a kind; torch deprecates TorchScript, which users of models ask for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kind)
        yield
