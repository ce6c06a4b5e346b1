"""The program `train`: a U-Net taught by the tiles of a COCO dataset, with a checkpoint per epoch.

The loop stands in training_loop.py, what a model file holds in models.py.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cerulean import options
from pipelines.errors import BadInput
from pipelines.option_types import SEED, Finite
from pipelines.program import check_writable, run, staged, write_json

if TYPE_CHECKING:
    from pipelines.cerulean.tiles_data import Survey, TileSet
    from pipelines.cerulean.training_loop import Plan, Training


@click.command()
@click.option(
    "--train", required=True, help="COCO dataset to learn from: instances_<name>.json or its folder."
)
@click.option("--val", default=None, help="COCO dataset that chooses the epoch; scenes of its own.")
@click.option(
    "--dst", required=True, help="Folder to write checkpoints, models, metrics.csv and train.json to."
)
@click.option("--channels", default="vv,distance,density", show_default=True, help="Channels to look at.")
@click.option("--remap", default="usual", show_default=True,
              help="none, usual, slick, or old=new,left_out= of classes.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True, help="Times over all tiles.")
@click.option("--lr", type=Finite(0, min_open=True), default=0.01, show_default=True,
              help="Learning rate, the highest of a cycle.")  # fmt: skip
@click.option("--scheduler", type=click.Choice(["cyclic", "none"]), default="cyclic", show_default=True,
              help="Of the learning rate: one cycle, or the same throughout.")  # fmt: skip
@click.option("--batch_size", type=click.IntRange(1), default=8, show_default=True, help="Tiles a step.")
@click.option("--crop", type=click.IntRange(0), default=0, show_default=True,
              help="Side in pixels of the part of a tile seen at once; 0: all of it.")  # fmt: skip
@click.option("--augment", type=bool, default=True, show_default=True,
              help="Turn, mirror and brighten tiles by chance.")  # fmt: skip
@click.option("--width", type=click.IntRange(1), default=12, show_default=True, help="Maps at full size.")
@click.option("--depth", type=click.IntRange(1, 6), default=4, show_default=True, help="Times size halves.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of weights, order and chance.")
@options.DEVICE
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Threads that decode.")
@click.option(
    "--memory", type=Finite(0), default=2.0, show_default=True, help="GiB of tiles to keep decoded."
)
def command(
    train: str, val: str | None, dst: str, channels: str, remap: str, device: str, workers: int,
    memory: float, width: int, depth: int, **how: Any,
) -> None:  # fmt: skip
    """Train a network to tell slicks and their classes; the epoch with the lowest loss on --val is the model.

    Writes model.pt, model.torchscript.pt, metrics.csv, checkpoints/epoch-<number>.pt, and train.json, last,
    with metrics. A run that was stopped goes on from its last epoch and ends with the same bytes on a CPU.

    \b
    Example:
      python -m pipelines.cerulean.train --train=tiles/train --val=tiles/val --dst=model \\
        --remap=usual --epochs=20
    """
    from pipelines import devices
    from pipelines.cerulean.classes import named
    from pipelines.cerulean.models import channels_named
    from pipelines.cerulean.tiles_data import TileSet
    from pipelines.cerulean.training_loop import Plan
    from pipelines.learning import repeatable

    names, its, room = channels_named(channels), named(remap), int(memory * 2**30)
    plan, where = Plan(**how), devices.chosen(device)
    check_writable(dst)
    learned = TileSet(Path(train), its, room, workers)
    judged = None if val is None else TileSet(Path(val), its, room, workers)
    _check_apart(learned, judged)
    with repeatable():
        training = _prepared(learned, judged, Path(dst), names, (width, depth), plan, where)
        _run(training)
        _write(
            Path(dst), training, {**how, "channels": channels, "remap": remap, "width": width, "depth": depth}
        )


def _check_apart(train: TileSet, val: TileSet | None) -> None:
    """Raises BadInput: a scene is in both, so that the validation would see what was learned by heart."""
    both = train.scenes & val.scenes if val is not None else set()
    if val is not None and both:
        raise BadInput(f"scene {min(both)} is also in {train.path}", where=val.path, hint="see split_scenes")


def _prepared(
    train: TileSet, val: TileSet | None, target: Path, channels: tuple[str, ...], size: tuple[int, int],
    plan: Plan, device: str,
) -> Training:  # fmt: skip
    """A training that is ready to begin, or to go on."""
    import torch

    from pipelines.cerulean.models import CHANNELS, Config, build
    from pipelines.cerulean.training_loop import Setting, Training
    from pipelines.learning import class_weights

    found = train.survey()
    _check_survey(found, train)
    its, picked = train.remap, [CHANNELS.index(name) for name in channels]
    config = Config(
        channels=channels, classes=its.names, numbers=its.numbers, dropped=tuple(sorted(its.dropped)),
        width=size[0], depth=size[1], tile_length=train.tile_length,
        mean=tuple(found.mean[one] for one in picked), std=tuple(found.std[one] for one in picked),
    )  # fmt: skip
    torch.manual_seed(plan.seed)
    network, weights = build(config), class_weights(found.counts).to(device)
    seen = [found.digest, None if val is None else val.survey().digest]
    key = _key(config.plain, asdict(plan), torch.device(device).type, seen)
    folder = target / "checkpoints"
    return Training(Setting(network, config, train, val, weights, device, folder, key), plan)


def _check_survey(found: Survey, train: TileSet) -> None:
    if not found.counts.sum():
        raise BadInput("has no pixel that is not nodata", where=train.path)
    if not found.counts[1:].any():
        names = ", ".join(train.remap.names[1:])
        raise BadInput(f"has no slick to learn from, of {names}", where=train.path)


def _key(*what: Any) -> str:
    """What a training depends on: a checkpoint with another one is of another training."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _run(training: Training) -> None:
    from tqdm import tqdm

    with tqdm(total=training.plan.epochs, unit="epoch", desc="train", disable=None) as bar:
        training.run(bar.update)


def _write(target: Path, training: Training, how: dict[str, Any]) -> None:
    import csv

    from pipelines.cerulean import models
    from pipelines.cerulean.training_loop import Epoch

    network, config = training.best_model()
    metrics = _metrics(training, network)
    with staged(target, target / "train.json") as hidden:
        models.save(hidden, network, config)
        with (hidden / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(Epoch.__dataclass_fields__), lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(one) for one in training.history)
        write_json(hidden / "train.json", {"info": [], "options": how, "result": {"metrics": metrics}})
    click.echo(f"wrote {target / models.MODEL}: epoch {training.best.epoch} of {training.plan.epochs}")


def _metrics(training: Training, network: Any) -> dict[str, Any]:
    """Numbers to rank by, of the best epoch; None where validation has nothing to say."""
    its, best = training.setting, training.best
    found: dict[str, Any] = {
        "best_epoch": best.epoch, "train_loss": best.train_loss, "val_loss": best.val_loss,
        "val_pixel_f1_slick": best.val_pixel_f1_slick, "train_tiles": len(its.train),
        "val_tiles": 0 if its.val is None else len(its.val), "val_f1_mean": None,
    }  # fmt: skip
    if its.val is not None:
        _, confusion = training.judge(network)
        found["val_f1_mean"] = confusion.macro()["f1"]
        scores = confusion.per_class()
        found |= {f"val_f1_{name}": scores[name]["f1"] for name in its.config.classes[1:]}
    return found


if __name__ == "__main__":
    run(command)
