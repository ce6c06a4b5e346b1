"""Tasks and annotations as exports have them, older and newer, and what is wrong with bad ones."""

import pytest

from pipelines.errors import BadInput
from pipelines.esrun.annotations import read_tasks
from pipelines.esrun.project import load_project
from tests.pipelines.esrun.labelled_projects import annotation, box, feature, point, task, write_project

AREA, SPOT = box(440000, 4460000, 440640, 4460640), point(440105, 4460105)
FIELDS = """
inference_results_config:
  data_type: RASTER
  classification_fields:
    - property_name: category
      band_index: 0
      allowed_values:
        - {value: 1, label: ice, color: [0, 0, 255]}
        - {value: 4, label: rock, color: [90, 90, 90]}
"""


@pytest.fixture
def read(tmp_path):
    def tasks_of(tasks, annotations, config="{}", label_property="category"):
        path = write_project(tmp_path, config, tasks, annotations)
        return read_tasks(load_project(path), label_property)

    return tasks_of


def labels(found):
    return [[one.label for one in task.annotations] for task in found[0]]


def test_annotations_come_to_their_tasks_in_order(read):
    rows = [annotation("b", SPOT, 3), annotation("a", SPOT, 1), annotation("b", SPOT, 2)]
    found = read([task("a", AREA), task("b", AREA, crop="rye")], rows)
    assert labels(found) == [[1], [3, 2]]
    assert [one.task_id for one in found[0]] == ["a", "b"]
    assert found[0][1].properties["crop"] == "rye"
    assert found[0][0].time_range[0].isoformat() == "2024-01-01T00:00:00+00:00"


def test_newer_exports_say_oe(read):
    new = feature(AREA, {"oe_annotations_task_id": 7})
    row = feature(SPOT, {"oe_annotations_task_id": 7, "oe_labels": {"note": "wet", "category": 2}})
    (found,), _ = read([new], [row])
    assert found.task_id == "7" and found.time_range is None
    assert found.annotations[0].label == 2 and found.annotations[0].labels["note"] == "wet"


def test_a_single_label_needs_no_name(read):
    row = feature(SPOT, {"oe_annotations_task_id": "a", "oe_labels": {"height": 2.5, "category": None}})
    assert labels(read([task("a", AREA)], [row])) == [[2.5]]


def test_texts_are_classes_in_sorted_order(read):
    rows = [annotation("a", SPOT, text) for text in ("rock", "ice", "snow", "ice")]
    found = read([task("a", AREA)], rows)
    assert labels(found) == [[1, 0, 2, 0]]
    assert [one["label"] for one in found[1].to_json()] == ["ice", "rock", "snow"]


def test_texts_of_numbers_are_numbers(read):
    rows = [annotation("a", SPOT, label) for label in ("10", 2, "3.0", 2.5)]
    assert labels(read([task("a", AREA)], rows)) == [[10, 2, 3, 2.5]]


def test_classes_of_the_project_come_first(read):
    rows = [annotation("a", SPOT, label) for label in ("rock", 1, "4")]
    found = read([task("a", AREA)], rows, FIELDS)
    assert labels(found) == [[4, 1, 4]]
    assert labels(read([task("a", AREA)], rows, FIELDS, "other")) == [[4, 1, 4]]  # the only field


def test_annotations_of_unknown_tasks_are_left_out_with_one_line(read, capsys):
    rows = [annotation("x1", SPOT, 1), annotation("a", SPOT, 1), annotation("x2", SPOT, 1)]
    assert labels(read([task("a", AREA)], rows)) == [[1]]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ") and "2 annotations of unknown tasks" in line and "x1" in line


BAD = {
    "annotation without task": ([feature(SPOT, {"es_label": 1})], "feature 0 has no oe_annotations_task_id"),
    "no label": ([feature(SPOT, {"es_annotations_task_id": "a"})], "feature 0 has no label"),
    "label null": ([annotation("a", SPOT, None)], "feature 0 has no label"),
    "truth value": ([annotation("a", SPOT, True)], "label True is no number"),
    "text beside number": ([annotation("a", SPOT, "x"), annotation("a", SPOT, 1.5)], "feature 1.*label 1.5"),
    "which label": (
        [feature(SPOT, {"es_annotations_task_id": "a", "oe_labels": {"b": 1, "c": 2}})],
        "labels b, c, but no 'category'",
    ),
    "labels no mapping": (
        [feature(SPOT, {"es_annotations_task_id": "a", "oe_labels": [1]})],
        "not a mapping of names",
    ),
    "start after end": (
        [annotation("a", SPOT, 1, es_start_time="2024-03-01", es_end_time="2024-02-01")],
        "feature 0 starts at 2024-03-01.*after its end",
    ),
    "none": ([], "has no features"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_annotations_are_named(read, name):
    rows, said = BAD[name]
    with pytest.raises(BadInput, match=said) as error:
        read([task("a", AREA)], rows)
    assert "annotation_features.geojson" in str(error.value)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([feature(AREA, {})], "feature 0 has no oe_annotations_task_id"),
        ([task("a", AREA), task("a", AREA)], "feature 1: there is another task a"),
        ([task("a", AREA, es_end_time=None)], "feature 0 has a start or an end, but not both"),
        ([task("a", AREA, es_end_time="2023-01-01")], "feature 0 starts at 2024-01-01.*after its end"),
        ([], "has no features"),
    ],
)
def test_bad_tasks_are_named(read, tasks, said):
    with pytest.raises(BadInput, match=said) as error:
        read(tasks, [annotation("a", SPOT, 1)])
    assert "annotation_task_features.geojson" in str(error.value)


@pytest.mark.parametrize(
    ("label", "said"),
    [("rok", r"label 'rok' is none of 'ice' \(1\).*did you mean.*rock"), (2, "label 2 is none")],
)
def test_a_label_that_is_no_class_of_the_project(read, label, said):
    with pytest.raises(BadInput, match=said):
        read([task("a", AREA)], [annotation("a", SPOT, label)], FIELDS)
