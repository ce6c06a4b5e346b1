"""The program `run_train`: a network taught by the annotated pairs of a station, with a checkpoint per epoch.

The loop stands in training.py, what happens to images in image_transforms.py.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.fpe.model_options import EITHER_DASH, model_folder, model_options, path_of
from pipelines.fpe.settings import STORAGE_OF_MODEL, storage_url
from pipelines.option_types import SEED, Finite
from pipelines.program import run, staged, write_json

if TYPE_CHECKING:
    from pipelines.fpe.image_reading import Checked, Photos, Read
    from pipelines.fpe.image_transforms import Recipe
    from pipelines.fpe.training import Pairs, Plan, Training

MOST_FOR_STATISTICS = 1000  # training images that the mean and standard deviation are of
EPILOG = """\b
Example:
  python -m pipelines.fpe.run_train --directory ~/data/fpe --station-id 29 \\
      --model-code RANK-FLOW-20240709 --epochs 20 --learning-rate 0.001"""


@click.command(name="run_train", epilog=EPILOG, context_settings=EITHER_DASH)
@model_options
@STORAGE_OF_MODEL
@click.option("--input", help="Folder with pairs.csv.  [default: the model's input]")
@click.option("--dst", help="Folder to write in.  [default: the model's train]")
@click.option("--epochs", "--n-epochs", "epochs", type=click.IntRange(1), default=20, show_default=True)
@click.option("--learning-rate", type=Finite(0, min_open=True), default=0.001, show_default=True)
@click.option("--momentum", type=Finite(0, 1, max_open=True), default=0.9, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True, help="Pairs a step.")
@click.option("--unfreeze-after", type=click.IntRange(0), default=2, show_default=True,
              help="Epochs in which the body stays as it is.")  # fmt: skip
@click.option("--seed", type=SEED, default=1691, show_default=True, help="Of weights and chance.")
@click.option("--body", default="small", show_default=True, help="small, resnet18 or resnet50.")
@click.option("--weights", default=None, help="Weights of the body: a state dict, torchvision's or ours.")
@click.option("--input-size", type=click.IntRange(16), default=480, show_default=True,
              help="Height of images in pixels; the aspect is kept.")  # fmt: skip
@click.option("--decolorize", type=bool, default=False, show_default=True, help="Take away colours.")
@click.option("--augment", type=bool, default=True, show_default=True,
              help="Crop, flip, turn and jitter by chance.")  # fmt: skip
@click.option("--normalize", type=bool, default=True, show_default=True,
              help="By mean and deviation of training images.")  # fmt: skip
@click.option("--max-unreadable", type=Finite(0, 1), default=0.1, show_default=True,
              help="Share of images that may be missing or broken.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Threads that decode.")
@click.option("--memory", type=Finite(0), default=2.0, show_default=True,
              help="GiB of decoded images to keep.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, or the number of a GPU.")
def command(
    directory: str | None, station_id: str | None, model_code: str | None, storage: str | None,
    input: str | None, dst: str | None, device: str, workers: int, memory: float, **how: Any,
) -> None:  # fmt: skip
    """Train on the pairs of the split `train`; the epoch with the lowest loss on `val` becomes model.pth.

    Beside it: metrics.csv (epoch, train_loss, val_loss), args.json, checkpoints/epoch-<number>.pth, and
    train.json, written last, with metrics, and the images that are unreadable. A run that was stopped goes
    on from its last epoch and ends with the same bytes on a CPU.
    """
    from pipelines import devices
    from pipelines.fpe.storage import Storage
    from pipelines.learning import repeatable

    folder = model_folder(directory, station_id, model_code)
    table = path_of(input, "--input", folder, "input") / "pairs.csv"
    target = path_of(dst, "--dst", folder, "train")
    read = Storage(storage_url(storage, directory or ".", manifest=table.with_name("manifest.json"))).read
    pairs = read_pairs(table)
    where = devices.chosen(device)
    with repeatable():
        pairs, checked = _readable(pairs, read, how["max_unreadable"], workers, table)
        training = _prepared(pairs, checked, read, target, where, workers, int(memory * 2**30), how)
        _run(training)
    _write(target, training, pairs, checked, how)


def read_pairs(path: Path) -> dict[str, Pairs]:
    """The pairs of the splits `train` and `val`, from pairs.csv.

    Raises:
        BadInput: no such file, no such column, a label other than 1, 0 and -1, a split without pairs.
    """
    import numpy as np

    from pipelines.fpe.merging import read_rows
    from pipelines.fpe.training import Pairs

    rows = read_rows(path, ("split", "filename_1", "filename_2", "label"))
    values = {"1": 1, "-1": -1, "0": 0, "1.0": 1, "-1.0": -1, "0.0": 0}
    wrong = next((label for label in rows["label"].astype(str) if label not in values), None)
    if wrong is not None:
        raise BadInput(f"label is {wrong!r}, not 1, 0 or -1", where=path)
    found = {}
    for split in ("train", "val"):
        its = rows[rows["split"] == split]
        if its.empty:
            raise BadInput(f"has no pair in the split {split!r}", where=path)
        label = np.array([values[label] for label in its["label"].astype(str)], np.float32)
        found[split] = Pairs(tuple(its["filename_1"]), tuple(its["filename_2"]), label)
    return found


def _readable(
    pairs: dict[str, Pairs], read: Read, most: float, workers: int, table: Path
) -> tuple[dict[str, Pairs], Checked]:
    """The pairs of which both images can be read; a warning counts and names the others.

    Raises:
        BadInput: more than a share of ``most`` cannot, or no pair is left in a split.
    """
    from pipelines.fpe.image_reading import check
    from pipelines.fpe.training import without

    names = sorted({name for one in pairs.values() for name in one.names})
    checked = check(names, read, workers)
    if not checked.unreadable:
        return pairs, checked
    name, why = min(checked.unreadable.items())
    said = f"{len(checked.unreadable)} of {len(names)} images cannot be read, the first is {name!r}: {why}"
    kept = {split: without(one, set(checked.unreadable)) for split, one in pairs.items()}
    if len(checked.unreadable) > most * len(names):
        raise BadInput(said, where=table, hint="see --max-unreadable")
    if not all(one.first for one in kept.values()):
        raise BadInput(f"{said}; a split has no pair left", where=table)
    click.echo(f"warning: {said}", err=True)
    return kept, checked


def _prepared(
    pairs: dict[str, Pairs], checked: Checked, read: Read, target: Path, device: str, workers: int,
    memory: int, how: dict[str, Any],
) -> Training:  # fmt: skip
    """A training that is ready to begin, or to go on."""
    import torch

    from pipelines.fpe import model_files
    from pipelines.fpe.image_reading import Photos
    from pipelines.fpe.image_transforms import Recipe
    from pipelines.fpe.networks import Ranker
    from pipelines.fpe.training import Plan, Setting, Training

    torch.manual_seed(how["seed"])
    network = Ranker(how["body"])
    if how["weights"] is not None:
        model_files.load_body(network, how["weights"])
    height = how["input_size"]
    recipe = Recipe(height, max(round(height * checked.aspect), 1), decolorize=how["decolorize"])
    photos = Photos(read, recipe, memory, workers)
    if how["normalize"]:
        recipe = _normalising(recipe, photos, pairs["train"].names, how["seed"])
    names = ("epochs", "learning_rate", "momentum", "batch_size", "unfreeze_after", "seed", "augment")
    plan = Plan(**{name: how[name] for name in names})
    key = _key(plan, recipe, pairs, how["body"], _digest(how["weights"]), torch.device(device).type)
    folder = target / "checkpoints"
    its = Setting(network, how["body"], photos, pairs["train"], pairs["val"], recipe, device, folder, key)
    return Training(its, plan)


def _normalising(recipe: Recipe, photos: Photos, names: list[str], seed: int) -> Recipe:
    import numpy as np

    from pipelines.fpe.image_transforms import statistics

    if len(names) > MOST_FOR_STATISTICS:
        chosen = np.random.default_rng(seed).choice(len(names), MOST_FOR_STATISTICS, replace=False)
        names = [names[number] for number in sorted(chosen)]
    mean, std = statistics(photos.batches([names[start : start + 16] for start in range(0, len(names), 16)]))
    return replace(recipe, mean=mean, std=std)


def _key(plan: Plan, recipe: Recipe, pairs: dict[str, Pairs], *others: str | None) -> str:
    """What a training depends on, but how long it is: a longer one goes on from a shorter one."""
    said: list[Any] = [{**asdict(plan), "epochs": None}, asdict(recipe), *others]
    said += [[one.first, one.second, one.label.tolist()] for _, one in sorted(pairs.items())]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _digest(path: str | None) -> str | None:
    return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _run(training: Training) -> None:
    from tqdm import tqdm

    with tqdm(total=training.plan.epochs, unit="epoch", desc="train", disable=None) as bar:
        training.run(bar.update)


def _write(
    target: Path, training: Training, pairs: dict[str, Pairs], checked: Checked, how: dict[str, Any]
) -> None:
    import csv

    best = training.best
    metrics = {
        "val_loss": best.val_loss, "train_loss": best.train_loss, "best_epoch": best.epoch,
        "train_pairs": len(pairs["train"].label), "val_pairs": len(pairs["val"].label),
        "unreadable_images": len(checked.unreadable), "grey_images": len(checked.grey),
    }  # fmt: skip
    with staged(target, target / "train.json") as hidden:
        (hidden / "model.pth").write_bytes(training.checkpoint(best.epoch).read_bytes())
        with (hidden / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ("epoch", "train_loss", "val_loss"), lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(one) for one in training.history)
        write_json(hidden / "args.json", how)
        report = {"info": [], "result": {"metrics": metrics}, "unreadable": checked.unreadable}
        write_json(hidden / "train.json", report)


if __name__ == "__main__":
    run(command)
