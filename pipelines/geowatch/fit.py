"""The program `fit`: a small model trained from a kwcoco dataset into a package that `predict` loads.

The network and the loop do not belong here: see model.py and training.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import devices
from pipelines.errors import BadInput
from pipelines.geowatch import grids
from pipelines.geowatch.package import TASKS, Recipe
from pipelines.geowatch.windows import SAMPLINGS, sampling_named
from pipelines.program import run, write_json

if TYPE_CHECKING:
    from pipelines.geowatch.series import Series
    from pipelines.geowatch.training import Outcome
    from pipelines.geowatch.training_data import Examples


@click.command()
@click.option("--dataset", required=True, help="kwcoco dataset with annotated phases.")
@click.option("--dst", required=True, help="Model package to write.")
@click.option("--metrics_fpath", default=None, help="JSON of metrics.  [default: fit.json beside --dst]")
@click.option("--task", type=click.Choice(sorted(TASKS)), default="saliency", show_default=True)
@click.option("--channels", default="blue|green|red|nir", show_default=True, help="Bands, in order.")
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True)
@click.option(
    "--lr", type=click.FloatRange(0, min_open=True), default=0.01, show_default=True, help="Learning rate."
)
@click.option("--width", type=click.IntRange(1), default=12, show_default=True, help="Channels at full size.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and order.")
@click.option("--gsd", default="10GSD", show_default=True, help="Metres per pixel that the model sees.")
@click.option("--time_steps", type=click.IntRange(1), default=5, show_default=True, help="Frames per window.")
@click.option("--time_sampling", default="uniform", show_default=True, help=", ".join(SAMPLINGS))
@click.option("--window", type=click.IntRange(8), default=64, show_default=True, help="Pixels, by 4.")
@click.option("--batch_size", type=click.IntRange(1), default=8, show_default=True, help="Windows a step.")
@click.option("--max_windows", type=click.IntRange(2), default=400, show_default=True, help="Bounds memory.")
@click.option("--devices", "device", default="cpu", show_default=True, help="cpu, or the number of a GPU.")
def command(dataset: str, dst: str, metrics_fpath: str | None, **how: Any) -> None:
    """Train a model for saliency (where is a site) or classes (in which phase is it).

    A fifth of the windows is held out; the metrics are theirs. The same seed gives the same file.
    Images that lack one of the bands are left out.

    \b
    Example:
      python -m pipelines.geowatch.fit --dataset=data.kwcoco.json --dst=model.pt \\
        --task=saliency --epochs=20
    """
    import numpy as np
    from tqdm import tqdm

    from pipelines.geowatch import coco_files, package
    from pipelines.geowatch.series import read_series, with_bands
    from pipelines.geowatch.training import Schedule, train
    from pipelines.geowatch.training_data import examples

    schedule = Schedule(
        how["epochs"], how["lr"], how["batch_size"], how["seed"], devices.chosen(how["device"])
    )
    coco = coco_files.read_dataset(dataset)
    every = read_series(coco)
    if not every:
        raise BadInput("has no images", where=dataset)
    channels = _channels(how["channels"])
    every = with_bands(every, channels, dataset)
    recipe = _recipe(every, channels, how)
    found = examples(coco, every, recipe, how["max_windows"], np.random.default_rng(how["seed"]))
    if not (found.truth > 0).any():
        raise BadInput("has no annotated site to learn from", where=dataset)
    with tqdm(total=schedule.epochs, unit="epoch", desc="fit", disable=None) as bar:
        network, outcome = train(recipe, found, schedule, bar.update)
    metrics = _metrics(outcome, found)
    package.save(dst, recipe, network)
    # The metrics come last: where they are, the model is.
    write_json(metrics_fpath or Path(dst).with_name("fit.json"), {"info": [], "result": {"metrics": metrics}})


def _channels(text: str) -> tuple[str, ...]:
    """Bands as `red|nir` or `red,nir`."""
    channels = tuple(name for name in text.replace(",", "|").split("|") if name)
    if not channels:
        raise BadInput("names no band", where="channels")
    return channels


def _recipe(every: list[Series], channels: tuple[str, ...], how: dict[str, Any]) -> Recipe:
    from pipelines.geowatch.model import STRIDE
    from pipelines.geowatch.training_data import normalisation

    gsd = grids.gsd(how["gsd"])
    for series in every:
        for frame in series.frames:
            frame.check(channels, series.grid)
    return Recipe(
        task=how["task"],
        channels=channels,
        normalisation=normalisation(every, channels, gsd),
        gsd=gsd,
        time_steps=how["time_steps"],
        time_sampling=sampling_named(how["time_sampling"]),
        window=-(-how["window"] // STRIDE) * STRIDE,
        width=how["width"],
    )


def _metrics(outcome: Outcome, examples: Examples) -> dict[str, Any]:
    """Numbers to rank by; `AP` is the mean over the outputs that have truth."""
    precision = outcome.average_precision
    known = [value for value in precision.values() if value is not None]
    return {
        "AP": sum(known) / len(known) if known else None,
        "AP_per_class": precision,
        "train_loss": outcome.train_loss[-1],
        "val_loss": outcome.val_loss[-1],
        "best_val_loss": min(outcome.val_loss),
        "val_loss_per_epoch": outcome.val_loss,
        "train_windows": int((~examples.held_out).sum()),
        "val_windows": int(examples.held_out.sum()),
    }


if __name__ == "__main__":
    run(command)
