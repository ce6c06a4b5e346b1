"""Values of a grid of experiments in place of those in esrun.yaml."""

import pytest

from pipelines.errors import BadInput
from pipelines.esrun.overrides import overridden
from pipelines.esrun.project import load_project

GRID = "esrun.tools.partitioners.grid_partitioner.GridPartitioner"
FIXED = "esrun.tools.partitioners.fixed_window_partitioner.FixedWindowPartitioner"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "esrun.yaml").write_text(
        "partition_strategies:\n"
        f"  partition_request_geometry: {{class_path: {GRID}, init_args: {{grid_size: 0.5, clip: true}}}}\n"
        f"  prepare_window_geometries: {{class_path: {FIXED}, init_args: {{window_size: 8}}}}\n"
    )
    return load_project(tmp_path)


def test_only_what_is_given_changes(project):
    assert overridden(project, {"window_size": None, "grid_size": None}) == project
    found = overridden(project, {"window_size": 16, "partition_grid_size": 0.25}).config[
        "partition_strategies"
    ]
    assert found["prepare_window_geometries"]["init_args"] == {"window_size": 16}
    assert found["partition_request_geometry"]["init_args"] == {"grid_size": 0.25, "clip": True}
    strategies = project.config["partition_strategies"]
    assert strategies["prepare_window_geometries"]["init_args"] == {"window_size": 8}


@pytest.mark.parametrize("name", ["overlap_size", "grid_size"])
def test_a_class_that_takes_no_such_value(project, name):
    with pytest.raises(BadInput, match=f"FixedWindowPartitioner takes no {name}, so --{name} cannot set it"):
        overridden(project, {name: 3})


def test_no_class_that_could_take_it(tmp_path):
    (tmp_path / "esrun.yaml").write_text("")
    with pytest.raises(BadInput, match="prepare_window_geometries: has no class_path that could take --grid"):
        overridden(load_project(tmp_path), {"grid_size": 3})


def test_arguments_that_are_no_mapping(tmp_path):
    spec = "{class_path: esrun.runner.tools.partitioners.grid_partitioner.GridPartitioner, init_args: 5}"
    (tmp_path / "esrun.yaml").write_text(f"prepare_window_geometries: {spec}")
    with pytest.raises(BadInput, match="prepare_window_geometries.init_args: must be a mapping, not 5"):
        overridden(load_project(tmp_path), {"grid_size": 3})


def test_a_class_that_hands_arguments_on(tmp_path):
    (tmp_path / "rows_of_mine.py").write_text(
        "from pipelines.esrun.tools.partitioners.grid_partitioner import GridPartitioner\n"
        "class Rows(GridPartitioner):\n"
        "    def __init__(self, **rest):\n"
        "        super().__init__(**rest)\n"
    )
    (tmp_path / "esrun.yaml").write_text("prepare_window_geometries: {class_path: rows_of_mine.Rows}")
    found = overridden(load_project(tmp_path), {"grid_size": 3}).config["partition_strategies"]
    assert found["prepare_window_geometries"]["init_args"] == {"grid_size": 3}
