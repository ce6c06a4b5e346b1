"""Inference over the windows of a partition: read, score, write; what is done and current is left alone.

Programs, and what becomes of the windows' outputs, do not belong here.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines import learning
from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.filled import is_filled
from pipelines.esrun.project import Project
from pipelines.esrun.scratch import OUTPUT_LAYER, Part
from pipelines.rasters import CACHE

BATCH = 8


@dataclass(frozen=True)
class Report:
    """What became of the windows of a partition.

    Attributes:
        done: windows whose output is there now, those of earlier runs and those without images included.
        without_images: names of windows that no image covers: their output is all nodata.
        failed: names of windows without output, and why.
    """

    windows: int
    done: int
    without_images: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        rate = self.done / self.windows
        return {**asdict(self), "without_images": list(self.without_images), "window_success_rate": rate}


@dataclass(frozen=True)
class Settings:
    """How windows are scored.

    Attributes:
        checkpoint: None for the project's own.
        threshold: a class less probable than this becomes nodata (no feature in GeoJSON).
        batch_size: windows scored at once on a GPU; None for model.yaml's. On a CPU each is scored alone.
        device: `auto`, `cpu`, or the number of a GPU.
        workers: threads that read, score and write; 0 for model.yaml's, which is none but this one.
    """

    checkpoint: Path | None = None
    threshold: float = 0.0
    batch_size: int | None = None
    device: str = "auto"
    workers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise BadInput(f"{self.threshold} is no probability (0 to 1)", where="threshold")


def run_inference(
    project: Project, part: Part, source: Dataset, target: Dataset, checkpoint: Path | None = None,
    batch_size: int | None = None, device: str = "auto", threshold: float = 0.0, workers: int = 0,
) -> int:  # fmt: skip
    """Write the layer `output` of a partition's windows; see `infer`.

    Returns:
        The number of windows whose output is there now.

    Raises:
        BadInput: besides what `infer` raises, a window that failed, after all others are done.
    """
    settings = Settings(checkpoint, threshold, batch_size, device, workers)
    report = infer(project, part, source, target, settings)
    check(report, part)
    return report.done


def infer(project: Project, part: Part, source: Dataset, target: Dataset, settings: Settings) -> Report:
    """Score the windows of ``source`` in the partition's group and write their output layers in ``target``.

    The same bytes for any number of workers and, on a CPU, any batch size. Outputs that are there and were
    made from the same pixels by the same model with the same threshold stay.

    Raises:
        BadInput: no windows, windows whose layers were never built, a model that cannot be loaded.
    """
    import rasterio
    from tqdm import tqdm

    from pipelines.esrun import checkpoint, reading, scoring
    from pipelines.esrun.model_config import load_model_config

    windows = list(source.windows([part.group]))
    if not windows:
        raise BadInput(
            f"has no windows in group {part.group!r}", where=source.path, hint="build the dataset first"
        )
    config = load_model_config(project, source.path, settings.workers)
    device = scoring.device_named(settings.device)
    found = checkpoint.load(scoring.checkpoint_of(project, settings.checkpoint))
    model = scoring.load_model(project, config, found, device)
    places = reading.sources(source, config.inputs, config.fpath)
    job = _Job(source, target, model, places, settings, f"{found.digest} {_model_key(model)}", _band(source))
    _check_built(windows, job)
    batches = list(_batches(windows, settings.batch_size or config.batch_size or BATCH, model.stride))
    workers = settings.workers or config.num_workers or 0
    outcomes: dict[str, str | None] = {}
    with learning.repeatable("warn"), rasterio.Env(GDAL_CACHEMAX=CACHE), tqdm(
        total=len(windows), unit="window", desc="inference", disable=None
    ) as bar:  # fmt: skip
        for one in _worked(job, batches, workers):
            outcomes.update(one)
            bar.update(len(one))
    return _report(windows, outcomes)


def check(report: Report, part: Part) -> None:
    """Raise BadInput if a window failed."""
    if report.failed:
        name, reason = min(report.failed.items())
        count = f"{len(report.failed)} of {report.windows} windows"
        raise BadInput(f"{count} of {part.id} failed; the first, {name}: {reason}")


EMPTY = ""  # the outcome of a window without images; None of one that is done; any other says what failed


@dataclass(frozen=True)
class _Job:
    source: Dataset
    target: Dataset
    model: Any
    places: tuple[Any, ...]
    settings: Settings
    key: str
    band: str | None

    def work(self, batch: Sequence[Window]) -> dict[str, str | None]:
        """The outcome of each window by name: see `EMPTY`."""
        from pipelines.esrun import reading, window_outputs

        outcomes: dict[str, str | None] = {}
        ready, keys = [], []
        for window in batch:
            try:
                files = reading.files(self.source, window, self.places)
                key = self._key(files)
                outcomes[window.name] = None if files else EMPTY
                if not window_outputs.is_current(self.target, window, key):
                    ready.append((window, reading.read(self.source, window, self.places)))
                    keys.append(key)
            except (BadInput, OSError) as error:
                outcomes[window.name] = str(error)
        if not ready:
            return outcomes
        pixels, corners = [one for _, one in ready], [window.bounds[:2] for window, _ in ready]
        size = self.settings.batch_size or self.model.config.batch_size or BATCH
        scored = self.model.probabilities(pixels, corners, size)
        for (window, _), likely, key in zip(ready, scored, keys, strict=True):
            window_outputs.write_output(
                self.target, window, likely, self.settings.threshold, self.model.legend, key, self.band
            )
        return outcomes

    def _key(self, files: Sequence[Path]) -> str:
        """What an output depends on: the model, the threshold, and the bytes of the window's pixels."""
        found = hashlib.sha256(f"{self.key} {self.settings.threshold!r}".encode())
        for path in files:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(f" {path.relative_to(self.source.path).as_posix()} {content}".encode())
        return found.hexdigest()


def _model_key(model: Any) -> str:
    config, its = model.config, model.legend
    return json.dumps(
        [
            config.architecture(len(its.labels)), [asdict(one) for one in config.inputs], config.task,
            asdict(model.normalise), asdict(its), model.stride,
        ],
        sort_keys=True, default=str,
    )  # fmt: skip


def _check_built(windows: Sequence[Window], job: _Job) -> None:
    """A window may have no images; one that was never asked for images has not been built."""
    from pipelines.esrun import reading

    layers = {one.input.layer for one in job.places}
    for window in windows:
        place = job.source.window_dpath(window)
        if (place / "items.json").is_file():
            built = is_filled(job.source, window, layers)
        else:  # made by hand
            built = bool(reading.files(job.source, window, job.places))
        if not built:
            names = ", ".join(sorted(layers))
            raise BadInput(f"has no layer {names} yet", where=place, hint="build the dataset first")


def _band(source: Dataset) -> str | None:
    """The one band that the dataset's config declares for the output layer, if it does."""
    from pipelines.esrun.reading import band_sets

    sets = band_sets(source).get(OUTPUT_LAYER) or [()]
    return sets[0][0] if len(sets[0]) == 1 else None


def _batches(windows: Sequence[Window], size: int, stride: int) -> Iterator[list[Window]]:
    """Windows that are alike once padded, in runs of up to ``size``."""

    def shape(window: Window) -> Any:
        return window.size, window.bounds[0] % stride, window.bounds[1] % stride

    for _, alike in itertools.groupby(sorted(windows, key=lambda one: (shape(one), one.name)), shape):
        run = list(alike)
        yield from (run[start : start + size] for start in range(0, len(run), size))


def _worked(job: _Job, batches: Sequence[list[Window]], workers: int) -> Iterator[dict[str, str | None]]:
    """Outcomes of batches; several at once in threads (rasterio and torch leave Python's lock)."""
    if workers <= 1:
        yield from map(job.work, batches)
        return
    import torch

    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield from pool.map(job.work, batches)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _report(windows: Sequence[Window], outcomes: dict[str, str | None]) -> Report:
    failed = {name: text for name, text in sorted(outcomes.items()) if text}
    empty = tuple(sorted(name for name, text in outcomes.items() if text == EMPTY))
    if empty:
        print(f"warning: {len(empty)} of {len(windows)} windows have no image", file=sys.stderr)
    return Report(len(windows), len(windows) - len(failed), empty, failed)
