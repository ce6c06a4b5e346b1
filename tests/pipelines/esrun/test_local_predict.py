"""The command esrun-local-predict: steps, partitions, and what one failure leaves of the others."""

from __future__ import annotations

import shutil

import pytest

from tests.pipelines.esrun.runner_projects import make_project
from tests.pipelines.esrun.sample_runs import call, edit_yaml, files


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
        (["--steps="], ["--steps: names nothing"]),
        (["--partition-ids", ""], ["--partition-ids: names nothing"]),
        (["--partition-ids="], ["--partition-ids: names nothing"]),
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
    assert "partition_0 failed (1 of 2 did)" in ended.err and not (scratch / "results").exists()
    assert (scratch / "partitions/partition_1/results.json").exists()
    outputs = scratch.glob("dataset_0/windows/group_partition_1/*/layers/output/*/*.tif")
    times = {path: path.stat().st_mtime_ns for path in outputs}
    shutil.copy(kept, image)
    assert predict(project, f"--scratch-path={scratch}").code == 0
    assert files(scratch) == files(whole)
    assert times and {path: path.stat().st_mtime_ns for path in times} == times


FAILING = """
from pipelines.esrun.tools.postprocessors.combine_geotiff import CombineGeotiff
class Failing(CombineGeotiff):
    def process_partition(self, paths, output_dir):
        if "partition_0" in str(output_dir):
            raise KeyError("elevation")
        return super().process_partition(paths, output_dir)
"""


def test_a_class_of_the_users_that_fails_leaves_the_other_partitions(project, tmp_path):
    (project / "failing_postprocessor.py").write_text(FAILING)
    strategies(project, process_partition="failing_postprocessor.Failing")
    ended = predict(project, f"--scratch-path={tmp_path}")
    (last,) = ended.err.splitlines()[-1:]
    assert ended.code == 2 and last == "error: partition_0 failed (1 of 2 did): KeyError: 'elevation'"
    assert "line 6, in process_partition" in ended.err
    assert (tmp_path / "partitions/partition_1/results.json").exists()


def test_all_that_failed_are_counted_and_some_named(project, tmp_path):
    options = f"--scratch-path={tmp_path}", "--steps"
    assert predict(project, *options, "partition").code == 0
    ended = predict(project, *options, "postprocess")
    assert ended.code == 2 and "partition_0 failed (2 of 2 did): " in ended.err
    assert ended.err.endswith("; so did partition_1\n")


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (
            {"process_dataset": "CombineGeotif"},
            ["process_dataset: no class", "combine_geotiff.CombineGeotiff"],
        ),
        ({"process_window": "esrun.tools.partitioners.noop_partitioner.NoopPartitioner"}, ["process_window"]),
    ],
)
def test_what_the_last_step_cannot_do_is_said_before_the_first(project, tmp_path, strategy, words):
    strategies(project, **strategy)
    ended = predict(project, f"--scratch-path={tmp_path / 'scratch'}")
    assert ended.code == 2 and all(word in ended.err for word in words), ended.err
    assert not (tmp_path / "scratch").exists()
    assert predict(project, f"--scratch-path={tmp_path / 'scratch'}", "--steps=partition").code == 0


def test_no_weights_are_noticed_before_the_dataset_is_built(project, tmp_path):
    (project / "checkpoint.ckpt").unlink()
    ended = predict(project, f"--scratch-path={tmp_path / 'scratch'}")
    assert ended.code == 2 and "no such checkpoint" in ended.err and not (tmp_path / "scratch").exists()


def strategies(project, **class_paths):
    specs = {stage: {"class_path": path} for stage, path in class_paths.items()}
    edit_yaml(project / "esrun.yaml", lambda data: data["postprocessing_strategies"].update(specs))


def test_help_shows_an_example(capsys):
    from pipelines.esrun.local_predict import main

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr("sys.argv", ["esrun-local-predict", "--help"])
        main()
    text = capsys.readouterr().out
    assert (
        not end.value.code
        and "Example:" in text
        and "esrun-local-predict [PROJECT_PATH] [OPTIONS]" in " ".join(text.split())
        and "--request-geometry-path" in text
    )
