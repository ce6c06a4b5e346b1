"""The section `window_prep` of esrun.yaml: its tools, and where labels and splits go.

What the tools do does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.esrun.project import Project
from pipelines.esrun.tools.data_splitters.data_splitter_interface import DataSplitterInterface
from pipelines.esrun.tools.labeled_window_preparers.labeled_window_preparer import LabeledWindowPreparer
from pipelines.esrun.tools.samplers.noop_sampler import NoopSampler
from pipelines.esrun.tools.samplers.sampler_interface import SamplerInterface

SECTION = "window_prep"
TOOLS = ("sampler", "labeled_window_preparer", "data_splitter")


@dataclass(frozen=True)
class Names:
    """Where labels and splits are found in a dataset.

    Attributes:
        label_layer: layer of the labels.
        label_property: property of vector labels; of an annotation's labels the one that is meant.
        group_name: group of the windows.
        split_property: option of a window that holds its split.
    """

    label_layer: str = "labels"
    label_property: str = "category"
    group_name: str = "post_random_split"
    split_property: str = "split"


@dataclass(frozen=True)
class WindowPrep:
    """What makes labelled windows of annotation tasks."""

    sampler: SamplerInterface
    preparer: LabeledWindowPreparer
    splitter: DataSplitterInterface
    names: Names


def label_names(project: Project) -> Names:
    """The names that a project gives, else the defaults. Raises BadInput: an unknown key, or no text."""
    section = project.section(SECTION)
    known = (*TOOLS, *Names.__dataclass_fields__)
    for key in section:
        if key not in known:
            raise BadInput(f"{SECTION}: no key {key!r}", where=project.config_fpath,
                           hint=did_you_mean(str(key), known))  # fmt: skip
    given = {key: value for key, value in section.items() if key not in TOOLS and value is not None}
    for key, value in given.items():
        if not isinstance(value, str) or value in ("", ".", "..") or "/" in value:
            raise BadInput(f"{SECTION}.{key}: {value!r} is no name", where=project.config_fpath)
    return Names(**given)


def window_prep(project: Project) -> WindowPrep:
    """The tools of a project; without a sampler all tasks are taken.

    Raises:
        BadInput: there is no preparer or splitter, or one cannot be made.
    """
    names = label_names(project)
    return WindowPrep(
        project.strategy(SECTION, "sampler", SamplerInterface, NoopSampler),  # type: ignore[type-abstract]
        project.strategy(SECTION, "labeled_window_preparer", LabeledWindowPreparer),  # type: ignore[type-abstract]
        project.strategy(SECTION, "data_splitter", DataSplitterInterface),  # type: ignore[type-abstract]
        names,
    )
