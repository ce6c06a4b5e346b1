"""`EsPredictRunner`: the steps of a prediction in a scratch directory, each of which any process may do.

What a step computes stands in its own module; the command line in local_predict.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset
from pipelines.esrun.features import read_features
from pipelines.esrun.filled import is_filled
from pipelines.esrun.project import load_project
from pipelines.esrun.scratch import Part, Results, Scratch
from pipelines.program import read_json, write_json

Ids = str | Iterable[str]


class EsPredictRunner:
    """Partition a request, build its dataset, run a model on it, post-process and combine.

    All that a step needs lies in the scratch directory, so that steps may run in other processes, at other
    times, and again: what is there already is not made anew.

    Args:
        project_path: a project directory, with esrun.yaml, dataset.json and, for inference, model.yaml.
        scratch_path: where all files go; made if need be, outside of or below the project. It belongs to one
            request and one dataset.json.
        request_geometry_path: GeoJSON; by default the project's own.
        checkpoint_path: weights of the model; by default the project's checkpoint.ckpt.
        workers: processes or threads for the dataset; 0 for none beside this one.

    Raises:
        BadInput: no such project or request, or the scratch directory is that of another.

    >>> runner = EsPredictRunner("my_project", "/tmp/scratch")  # doctest: +SKIP
    >>> for partition_id in (ids := runner.partition()):  # doctest: +SKIP
    ...     runner.build_dataset(partition_id)
    ...     runner.run_inference(partition_id)
    ...     runner.postprocess(partition_id)
    >>> runner.combine(ids)  # doctest: +SKIP
    """

    def __init__(
        self,
        project_path: str | os.PathLike[str],
        scratch_path: str | os.PathLike[str],
        request_geometry_path: str | os.PathLike[str] | None = None,
        checkpoint_path: str | os.PathLike[str] | None = None,
        workers: int = 0,
    ):
        self.project = load_project(project_path)
        self.scratch = Scratch(Path(scratch_path).absolute())
        self.request = self.project.request(request_geometry_path)
        self.checkpoint = None if checkpoint_path is None else Path(checkpoint_path).absolute()
        self.workers = workers
        self._check_scratch()

    @property
    def dataset(self) -> Dataset:
        return Dataset(self.scratch.dataset)

    def partition(self) -> list[str]:
        """Cut the request; the sorted ids of its partitions.

        A partition that is as it was keeps its results, and one that has changed or is gone loses them.
        """
        from pipelines.esrun.partitioning import partition

        ids = partition(self.project, self.request, self.scratch.partitions)
        write_json(self.scratch.request, read_json(self.request))
        return ids

    def partition_ids(self) -> list[str]:
        """The partitions that `partition` has made here, sorted; none before it has."""
        folder = self.scratch.partitions
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted(one.name for one in found if (one / "request.geojson").is_file())

    def build_dataset(self, partition_ids: Ids) -> int:
        """Make the windows of one or several partitions with their layers; how many windows were built."""
        from pipelines.esrun.building import build_dataset

        parts = self.parts(partition_ids)
        return sum(build_dataset(self.project, part, self.dataset, workers=self.workers) for part in parts)

    def run_inference(self, partition_ids: Ids) -> int:
        """Run the model on the windows of a partition, which are built first if they are not; how many."""
        from pipelines.esrun.inference import run_inference

        count = 0
        for part in self.parts(partition_ids):
            if not self._is_built(part):
                self.build_dataset(part.id)
            count += run_inference(self.project, part, self.dataset, self.dataset, checkpoint=self.checkpoint)
        return count

    def postprocess(self, partition_ids: Ids) -> None:
        """Make the results of a partition from the outputs of its windows, beside its request."""
        from pipelines.esrun.postprocessing import postprocess

        for part in self.parts(partition_ids):
            postprocess(self.project, part, self.dataset, self.dataset, Results(part.path))

    def combine(self, partition_ids: Ids) -> Path:
        """Make one result of those of the partitions; the folder that it is in."""
        from pipelines.esrun.combining import combine

        parts = sorted(self.parts(partition_ids), key=lambda part: part.id)
        combine(self.project, [Results(part.path) for part in parts], Results(self.scratch.results))
        return self.scratch.results

    def parts(self, partition_ids: Ids) -> Sequence[Part]:
        """The partitions of these ids; one id may stand for itself.

        Raises:
            BadInput: no such partition here.
        """
        wanted = [partition_ids] if isinstance(partition_ids, str) else list(partition_ids)
        found = {name: self.scratch.partition(name) for name in wanted}
        for name, part in found.items():
            if part.path.parent != self.scratch.partitions or not part.request.is_file():
                raise self._unknown(name)
        return list(found.values())

    def _unknown(self, partition_id: str) -> BadInput:
        known = self.partition_ids()
        if not known:
            return BadInput("has no partitions yet", where=self.scratch.path, hint="partition first")
        hint = did_you_mean(partition_id, known)
        return BadInput(f"has no partition {partition_id!r}", where=self.scratch.path, hint=hint)

    def _is_built(self, part: Part) -> bool:
        """Whether the dataset has just the windows that the partition asks for now, with all their images."""
        asked = {feature.properties["oe_window_name"] for feature in read_features(part.windows, need=False)}
        there = {window.name: window for window in self.dataset.windows([part.group])}
        return asked == set(there) and all(is_filled(self.dataset, window) for window in there.values())

    def _check_scratch(self) -> None:
        """Raise BadInput where the scratch directory holds another request, or another dataset."""
        hint = "choose another scratch path, or remove this one"
        there = self.scratch.request
        if there.is_file() and read_json(there) != read_json(self.request):
            raise BadInput(f"was made for another request than {self.request}", self.scratch.path, hint)
        config, mine = self.dataset.path / "config.json", self.project.dataset_config
        if config.is_file() and mine.is_file() and read_json(config) != read_json(mine):
            raise BadInput(f"was made with another dataset.json than {mine}", self.scratch.path, hint)
