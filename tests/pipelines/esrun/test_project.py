"""Project directories, old layouts and new, and what is wrong with bad ones."""

import pytest

from pipelines.errors import BadInput
from pipelines.esrun.project import load_project


@pytest.fixture
def folder(tmp_path):
    def write(text="", name="esrun.yaml"):
        (tmp_path / name).write_text(text)
        return tmp_path

    return write


def test_a_relative_project_is_found_from_anywhere(folder, monkeypatch):
    path = folder()
    monkeypatch.chdir(path.parent)
    project = load_project(path.name)
    monkeypatch.chdir("/")
    assert project.path == path and project.dataset_config == path / "dataset.json"


def test_older_files_have_partitioners_at_top_level(folder):
    new = "partition_strategies:\n  partition_request_geometry: {class_path: a}\n"
    old = "partition_request_geometry: {class_path: a}\n"
    assert load_project(folder(old)).config == load_project(folder(new)).config


@pytest.mark.parametrize(
    "text",
    ["process_window: {class_path: a}", "postprocessing_strategies: {process_window: {class_path: a}}"],
)
def test_post_processing_may_have_a_file_of_its_own(folder, text):
    folder(text, "postprocessing_strategies.yaml")
    project = load_project(folder("", "olmoearth_run.yaml"))
    assert project.section("postprocessing_strategies") == {"process_window": {"class_path": "a"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partition_strategy: {}", "no key 'partition_strategy'; did you mean 'partition_strategies'"),
        ("[1]", "must be a mapping"),
    ],
)
def test_a_key_that_nobody_knows(folder, text, said):
    with pytest.raises(BadInput, match=said):
        load_project(folder(text))


def test_no_project(tmp_path):
    with pytest.raises(BadInput, match="no such project"):
        load_project(tmp_path / "none")
    with pytest.raises(BadInput, match="has no esrun.yaml"):
        load_project(tmp_path)


def test_the_request_is_found_or_asked_for(folder):
    path = folder()
    project = load_project(path)
    with pytest.raises(BadInput, match="neither"):
        project.request()
    (path / "prediction").mkdir()
    (path / "prediction" / "a.geojson").touch()
    assert project.request() == path / "prediction" / "a.geojson"
    (path / "prediction" / "b.geojson").touch()
    with pytest.raises(BadInput, match=r"a.geojson, b.geojson"):
        project.request()
    assert project.request(path / "prediction" / "b.geojson").name == "b.geojson"
    with pytest.raises(BadInput, match="no such request"):
        project.request("c.geojson")


@pytest.mark.parametrize("text", ["partition_strategies: [1]", "partition_strategies: 5"])
@pytest.mark.parametrize("older", ["", "partition_request_geometry: {class_path: a}"])
def test_a_section_that_is_no_mapping(folder, text, older):
    project = load_project(folder(f"{text}\n{older}\n"))
    with pytest.raises(BadInput, match="partition_strategies: must be a mapping"):
        project.strategy("partition_strategies", "partition_request_geometry", object)
