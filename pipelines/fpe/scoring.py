"""Scores of images by a trained network: read, transformed and scored in batches, one JSON file each.

What is a network, and what becomes of the files, does not belong here: see networks.py and merging.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.fpe.merging import out_path, read_score
from pipelines.fpe.storage import Missing
from pipelines.learning import repeatable
from pipelines.program import read_json, write_json

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

BATCH = 64
RECORD = "scored_by.json"  # which model the outputs beside it are of
Outcome = float | str  # a score, or why there is none


@dataclass(frozen=True, eq=False)
class Scorer:
    """A network ready to score images.

    Attributes:
        network: maps (N, channels, height, width) to (N,) scores; in evaluation mode, on ``device``.
        transform: of a decoded image to (channels, height, width), the same for all.
        digest: SHA-256 of the file that it was loaded from.
        device: `cpu` or `cuda:0`.
    """

    network: nn.Module
    transform: Callable[[Image], Tensor]
    digest: str
    device: str = "cpu"
    lock: Any = field(default_factory=threading.Lock)  # one batch at a time has the memory of a GPU

    def scores(self, tensors: list[Tensor]) -> list[float]:
        """Scores of transformed images, in their order.

        On a CPU each goes through by itself, as sums differ in the last digit with the size of a batch.
        """
        import torch

        scores: list[float] = []
        size = 1 if self.device == "cpu" else max(len(tensors), 1)
        with torch.inference_mode():
            for start in range(0, len(tensors), size):
                batch = torch.stack(tensors[start : start + size])
                with self.lock if self.device != "cpu" else contextlib.nullcontext():
                    scored = self.network(batch.to(self.device)).cpu()
                scores += scored.double().tolist()
        return scores


@dataclass(frozen=True)
class Settings:
    """How images are scored.

    Attributes:
        batch_size: images that are read at once by a thread, and on a GPU scored at once.
        workers: threads that read and score; 0 for none but this one.
        max_unreadable: the share of images, 0 to 1, that may be without a score.
    """

    batch_size: int = BATCH
    workers: int = 2
    max_unreadable: float = 0.1


@dataclass(frozen=True)
class Report:
    """What became of a station's images.

    Attributes:
        unreadable: file names of images without a score, and why.
    """

    images: int
    unreadable: dict[str, str]


def load_scorer(path: Path, device: str = "cpu") -> Scorer:
    """The network of a model file, for scoring.

    Raises:
        BadInput: there is no such file, or no model in it.
    """
    from pipelines.fpe.model_files import load_model

    network, transform = load_model(path, device)
    return Scorer(network, transform, digest(path), device)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def score_images(
    filenames: Sequence[str], read: Callable[[str], bytes], scorer: Scorer, folder: Path, settings: Settings
) -> Report:
    """Write the output of every image below ``folder``: `<file name>.out`, {"score": x}.

    A score that is there by the same model stays; those of another model or of other images go first. An
    image that cannot be read has null, which every run tries again. The same bytes for any batch size and
    number of workers on a CPU; a GPU may round a last digit differently.

    Args:
        read: the file of a name; Missing if there is none.

    Raises:
        BadInput: the storage does not answer, or more images than the settings allow are missing or broken;
            what has been scored by then stays.
    """
    from tqdm import tqdm

    paths = {name: out_path(folder, name) for name in filenames}
    _keep_only_of(scorer.digest, folder, set(paths.values()))
    left = [name for name in paths if not _has_score(paths[name])]
    limit = settings.max_unreadable * len(paths)
    unreadable: dict[str, str] = {}
    batches = [
        left[start : start + settings.batch_size] for start in range(0, len(left), settings.batch_size)
    ]
    bar = tqdm(total=len(paths), initial=len(paths) - len(left), desc="score", unit="image", disable=None)
    with bar, repeatable():
        for outcomes in _worked(batches, read, scorer, paths, settings.workers):
            bar.update(len(outcomes))
            unreadable.update({name: one for name, one in outcomes.items() if isinstance(one, str)})
            if len(unreadable) > limit:
                _refuse(unreadable, len(paths), settings.max_unreadable)
    if unreadable:
        name, why = min(unreadable.items())
        count = f"{len(unreadable)} of {len(paths)} images have no score"
        print(f"warning: {count}, the first {name!r}: {why}", file=sys.stderr)
    return Report(len(paths), dict(sorted(unreadable.items())))


def _keep_only_of(model: str, folder: Path, wanted: Set[Path]) -> None:
    """Remove outputs of other images or another model, and say which model those to come are of."""
    record = folder / RECORD
    same = record.is_file() and read_json(record) == {"model_sha256": model}
    for path in folder.rglob("*.out"):  # also what a killed run was writing
        if path.is_file() and (not same or path not in wanted):
            path.unlink()
    if not same:  # after them: killed before, the rest go next time
        write_json(record, {"model_sha256": model})


def _has_score(path: Path) -> bool:
    try:
        return path.is_file() and read_score(path) is not None
    except BadInput:  # cut off, or not ours
        return False


def _worked(
    batches: Sequence[list[str]], read: Callable[[str], bytes], scorer: Scorer, paths: dict[str, Path],
    workers: int,
) -> Iterator[dict[str, Outcome]]:  # fmt: skip
    """Outcomes of batches, in their order; several batches at once in threads."""
    import torch

    def work(batch: Sequence[str]) -> dict[str, Outcome]:
        outcomes = _outcomes(batch, read, scorer)
        for name, one in outcomes.items():
            write_json(paths[name], {"score": None if isinstance(one, str) else one})
        return outcomes

    if workers < 1:
        yield from map(work, batches)
        return
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield from pool.map(work, batches)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _outcomes(batch: Sequence[str], read: Callable[[str], bytes], scorer: Scorer) -> dict[str, Outcome]:
    import math

    from pipelines.fpe.image_reading import decode

    outcomes: dict[str, Outcome] = {}
    tensors: dict[str, Tensor] = {}
    for name in batch:
        try:
            content = read(name)
        except Missing:
            outcomes[name] = "is missing"
            continue
        try:
            tensors[name] = scorer.transform(decode(content))
        except BadInput as error:
            outcomes[name] = str(error)
    for name, score in zip(tensors, scorer.scores(list(tensors.values())), strict=True):
        outcomes[name] = score if math.isfinite(score) else f"its score is {score}"
    return outcomes


def _refuse(unreadable: dict[str, str], images: int, share: float) -> None:
    name, why = min(unreadable.items())
    raise BadInput(
        f"{len(unreadable)} of {images} images cannot be read, more than a share of {share:g}; "
        f"the first is {name!r}: {why}",
        hint="see --max-unreadable",
    )
