"""Windows of a partition in rslearn's dataset: filled in parallel, each layer whole or not at all.

How images are matched and resampled does not belong here.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.esrun import matching
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.dataset_config import Layer
from pipelines.esrun.features import Feature, read_features
from pipelines.esrun.materialize import Reader, write_bands
from pipelines.esrun.projection import Projection
from pipelines.esrun.sourcing import Chosen, Filler, choose, fillers
from pipelines.program import read_json, write_json, writing
from pipelines.rasters import CACHE

if TYPE_CHECKING:
    from pipelines.esrun.project import Project
    from pipelines.esrun.scratch import Part

PREFIX = "oe_window_"


@dataclass(frozen=True)
class Filled:
    """What became of windows.

    Attributes:
        layers: for each layer with a source, windows that have at least one time step of it.
        empty: windows that no source image meets.
    """

    windows: int
    layers: Mapping[str, int]
    empty: int


def build_dataset(project: Project, part: Part, dataset: Dataset, workers: int = 0) -> int:
    """Add the windows of a partition to a dataset and fill their layers; the number of windows.

    See `build`.
    """
    return build(project, part, dataset, workers).windows


def build(project: Project, part: Part, dataset: Dataset, workers: int = 0) -> Filled:
    """Write config.json and the windows of ``part.windows``, the group ``part.group``, and fill them.

    A window that is there with another place, time or options is made anew, without its old layers; one of
    the group that is not asked for any more goes. Layers that are complete are left as they are. A window
    that no image meets has no layers, and a line of warning says how many there are.

    Raises:
        BadInput: windows.geojson is missing or says too little, the dataset is of another dataset.json, no
            image is there at all, or one cannot be opened or lacks a band: nothing is written then. Also an
            image that cannot be read after all, see `fill`.
    """
    windows = read_windows(part)
    sources = fillers(project)
    chosen = choose(windows, sources)
    copy_config(project.dataset_config, dataset)
    for window in windows:
        _add(dataset, window)
    asked = {window.name for window in windows}
    for old in [one for one in dataset.windows([part.group]) if one.name not in asked]:
        shutil.rmtree(dataset.window_dpath(old))
    return _filled(dataset, windows, sources, chosen, workers)


def fill(project: Project, dataset: Dataset, windows: Sequence[Window], workers: int = 0) -> Filled:
    """Write every layer that has a source into every window; other layers are left alone.

    Args:
        windows: of ``dataset``; those of `prepare_labeled_windows`, for example.
        workers: threads; with 0 the caller's own does the work.

    Raises:
        BadInput: dataset.json cannot be used, an image cannot be opened or lacks a band, or no image meets
            any of the windows: nothing is written then. An image that cannot be read after all: other
            windows keep what they have, so that another run goes on from there.
    """
    sources = fillers(project)
    chosen = choose(windows, sources)
    if windows and sources and not any(map(_any, chosen)):
        folders = ", ".join(sorted({str(one.source.folder) for one in sources}))
        raise BadInput(f"none of {len(windows)} windows meets an image in {folders}",
                       where=project.dataset_config)  # fmt: skip
    return _filled(dataset, windows, sources, chosen, workers)


def _add(dataset: Dataset, window: Window) -> None:
    """Write a window's metadata, after all has gone that is of another place or time."""
    if not dataset.has(window):
        shutil.rmtree(dataset.window_dpath(window), ignore_errors=True)
        dataset.add(window)


def _filled(
    dataset: Dataset,
    windows: Sequence[Window],
    sources: Sequence[Filler],
    chosen: Sequence[Chosen],
    workers: int,
) -> Filled:
    import rasterio

    def work(number: int, reader: Reader) -> None:
        _window(dataset, windows[number], sources, chosen[number], reader)

    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        _each(len(windows), work, workers)
    counts = {one.layer.name: sum(1 for steps in chosen if steps[one.layer.name]) for one in sources}
    empty = sum(1 for steps in chosen if sources and not _any(steps))
    if empty:
        of = " ".join(sorted({window.group for window in windows}))
        click.echo(f"warning: no source image meets {empty} of {len(windows)} windows of {of}", err=True)
    return Filled(len(windows), counts, empty)


def _any(steps: Chosen) -> bool:
    return any(steps.values())


def copy_config(source: Path, dataset: Dataset) -> None:
    """Make a dataset.json the config.json of a dataset, byte for byte.

    Raises:
        BadInput: it has another already, so its windows would not fit.
    """
    target = dataset.path / "config.json"
    if target.exists():
        if read_json(target) != read_json(source):
            raise BadInput(f"was made with another dataset.json than {source}", where=target,
                           hint="use another scratch directory, or delete this dataset")  # fmt: skip
        return
    with writing(target) as temporary:
        temporary.write_bytes(source.read_bytes())


def read_windows(part: Part) -> list[Window]:
    """The windows that windows.geojson asks for, in its order.

    Raises:
        BadInput: no such file, a feature without its window, or two windows of one name.
    """
    windows = [_asked(feature, part) for feature in read_features(part.windows, need=False)]
    names = [window.name for window in windows]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise BadInput(f"names the window {twice[0]} twice", where=part.windows)
    return windows


def _asked(feature: Feature, part: Part) -> Window:
    asked = {key: feature.properties.get(PREFIX + key)
             for key in ("name", "crs", "x_resolution", "y_resolution", "bounds")}  # fmt: skip
    for key, value in asked.items():
        if value is None:
            raise BadInput(f"a feature has no {PREFIX}{key}", where=part.windows)
    bounds, name = asked["bounds"], str(asked["name"])
    if not (isinstance(bounds, list) and len(bounds) == 4 and all(type(one) is int for one in bounds)):
        raise BadInput(f"{PREFIX}bounds: {bounds!r} are not four pixels", where=part.windows)
    left, top, right, bottom = bounds
    if right <= left or bottom <= top:
        raise BadInput(f"the window {name} has no pixels", where=part.windows)
    if name in (".", "..") or "/" in name:
        raise BadInput(f"{PREFIX}name: {name!r} cannot be a folder", where=part.windows)
    rest = {key: value for key, value in feature.properties.items() if not key.startswith(PREFIX)}
    return Window(
        part.group, name,
        Projection(str(asked["crs"]), asked["x_resolution"], asked["y_resolution"]),  # type: ignore[arg-type]
        (left, top, right, bottom), feature.time_range, {"request": rest},
    )  # fmt: skip


def _window(
    dataset: Dataset, window: Window, sources: Sequence[Filler], chosen: Chosen, reader: Reader
) -> None:
    """Fill one window; its items.json comes last, as readers take it for a window that is built."""
    listed = [matching.to_json(one.layer.name, chosen[one.layer.name], one.source) for one in sources]
    path = dataset.window_dpath(window) / "items.json"
    before = {entry["layer_name"]: entry for entry in read_json(path)} if path.exists() else {}
    changed = list(before.values()) != listed
    if changed:
        path.unlink(missing_ok=True)
    for one, entry in zip(sources, listed, strict=True):
        if before.get(one.layer.name) not in (None, entry):
            _drop(dataset, window, one.layer)
    for one in sources:
        for step, group in enumerate(chosen[one.layer.name]):
            if not dataset.is_completed(window, one.layer.name, step):
                shutil.rmtree(dataset.layer_dpath(window, one.layer.name, step), ignore_errors=True)
                _layer(dataset, window, one, group, step, reader)
                dataset.complete(window, one.layer.name, step)
    if changed:
        write_json(path, listed)


def _drop(dataset: Dataset, window: Window, layer: Layer) -> None:
    """The images in the folder are others now: what was made of the old ones goes."""
    first = dataset.layer_dpath(window, layer.name)
    for path in [first, *first.parent.glob(f"{layer.name}.[0-9]*")]:
        shutil.rmtree(path, ignore_errors=True)


def _layer(
    dataset: Dataset, window: Window, one: Filler, group: matching.Group, step: int, reader: Reader
) -> None:
    if one.layer.type == "vector":
        from pipelines.esrun.vectors import write_vectors

        write_vectors(dataset.vector_fpath(window, one.layer.name, step), one.source, group.items, window)
        return
    for bands in one.layer.band_sets:
        path = dataset.raster_fpath(window, one.layer.name, bands.bands, step)
        write_bands(path, reader, group.items, one.layer, bands, window)


def _each(count: int, work: Callable[[int, Reader], None], workers: int) -> None:
    """Do the ``work`` for each number below ``count``; after an error no further one is begun."""
    from tqdm import tqdm

    with tqdm(total=count, desc="windows", unit="window", disable=None) as bar, _readers() as reader:

        def task(number: int) -> None:
            work(number, reader())
            bar.update()

        if workers == 0:
            for number in range(count):
                task(number)
            return
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(task, number) for number in range(count)]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


@contextmanager
def _readers() -> Iterator[Callable[[], Reader]]:
    """A function that gives each thread a reader of its own; all are closed in the end."""
    own = threading.local()
    lock = threading.Lock()
    with ExitStack() as stack:

        def reader() -> Reader:
            if not hasattr(own, "reader"):
                with lock:
                    own.reader = stack.enter_context(Reader())
            found: Reader = own.reader
            return found

        yield reader


def summary(filled: Filled) -> dict[str, Any]:
    return {"windows": filled.windows, "empty_windows": filled.empty, "layers": dict(filled.layers)}
