"""The command esrun-local-predict: steps, partitions, and what one failure leaves of the others."""

from __future__ import annotations

import shutil

import pytest

from tests.pipelines.esrun.runner_projects import make_project
from tests.pipelines.esrun.sample_runs import call, files


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project")


def predict(project, *options):
    return call("local_predict", project, *options)


def test_all_steps_by_default_in_the_project(project):
    assert predict(project) == (0, "")
    assert len(list((project / "scratch/results/results_raster").glob("*.tif"))) == 1


def test_a_step_of_one_partition(project, tmp_path):
    scratch = tmp_path / "scratch"
    assert predict(project, f"--scratch-path={scratch}", "--steps=partition") == (0, "")
    options = (
        f"--scratch-path={scratch}",
        "--steps",
        "inference,postprocess",
        "--partition-ids",
        "partition_1",
    )
    assert predict(project, *options) == (0, "")
    assert (scratch / "partitions/partition_1/results.json").exists()
    assert not (scratch / "partitions/partition_0/results.json").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps=infrence"], ["--steps", "'infrence'", "'inference'"]),
        (["--partition-ids=partition_7"], ["'partition_7'", "did you mean"]),
        (["--steps=combine"], ["has no partitions yet"]),
        (["--request-geometry-path=nowhere.geojson"], ["nowhere.geojson", "no such request"]),
    ],
)
def test_bad_input_is_one_line(project, options, words):
    ended = predict(project, *options)
    assert ended.code == 2 and ended.err.startswith("error: ") and ended.err.count("\n") == 1
    assert all(word in ended.err for word in words), ended.err


def test_a_partition_that_fails_leaves_the_others_and_a_second_run_does_it_alone(project, tmp_path):
    whole = tmp_path / "whole"
    assert predict(project, f"--scratch-path={whole}").code == 0
    scratch = tmp_path / "scratch"
    steps = f"--scratch-path={scratch}", "--steps=partition,dataset_build"
    assert predict(project, *steps).code == 0
    image = min((scratch / "dataset_0/windows/group_partition_0").glob("*/layers/image/*/*.tif"))
    kept = tmp_path / "kept.tif"
    shutil.copy(image, kept)
    image.write_bytes(image.read_bytes()[:100])
    ended = predict(project, f"--scratch-path={scratch}")
    assert ended.code == 2 and ended.err.count("\n") == 1
    assert "partition_0 of 2 failed" in ended.err and not (scratch / "results").exists()
    assert (scratch / "partitions/partition_1/results.json").exists()
    outputs = scratch.glob("dataset_0/windows/group_partition_1/*/layers/output/*/*.tif")
    times = {path: path.stat().st_mtime_ns for path in outputs}
    shutil.copy(kept, image)
    assert predict(project, f"--scratch-path={scratch}").code == 0
    assert files(scratch) == files(whole)
    assert times and {path: path.stat().st_mtime_ns for path in times} == times


def test_help_shows_an_example(capsys):
    from pipelines.esrun.local_predict import main

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr("sys.argv", ["esrun-local-predict", "--help"])
        main()
    text = capsys.readouterr().out
    assert not end.value.code and "Example:" in text and "--request-geometry-path" in text
