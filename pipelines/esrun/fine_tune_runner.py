"""The runner of fine-tuning, as Python programs use it: labelled windows, and their images.

How windows are made stands in labelled.py, how images get into them in building.py.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset
from pipelines.esrun.project import load_project


class EsFineTuneRunner:
    """Prepares a dataset of labelled windows.

    Args:
        project_path: project directory, relative to the working directory or absolute.
        scratch_path: the dataset is made in `dataset` below it.

    Raises:
        BadInput: no such project, or its esrun.yaml cannot be read.
    """

    def __init__(self, project_path: str | os.PathLike[str], scratch_path: str | os.PathLike[str]):
        self.project = load_project(project_path)
        self.scratch_path = Path(scratch_path).absolute()

    @property
    def dataset(self) -> Dataset:
        return Dataset(self.scratch_path / "dataset")

    def prepare_labeled_windows(self, workers: int = 0) -> int:
        """Make windows of the project's annotations; how many there are. See `labelled`."""
        from pipelines.esrun.labelled import prepare_labeled_windows

        return prepare_labeled_windows(self.project, self.dataset, workers)

    def build_dataset_from_windows(self, workers: int = 0) -> int:
        """Fill the layers of the labelled windows with images, as dataset.json says; how many windows.

        Raises:
            BadInput: there are no labelled windows, or see `building.fill`.
        """
        from pipelines.esrun.building import fill
        from pipelines.esrun.window_prep import label_names

        group = label_names(self.project).group_name
        windows = list(self.dataset.windows([group]))
        if not windows:
            raise BadInput(f"has no windows in group {group!r}", where=self.dataset.path,
                           hint="call prepare_labeled_windows first")  # fmt: skip
        return fill(self.project, self.dataset, windows, workers).windows


EsFineTuningRunner = EsFineTuneRunner
