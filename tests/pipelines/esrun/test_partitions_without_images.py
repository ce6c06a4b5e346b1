"""Partitions that no source image meets: their chain of steps goes on, and the result says so."""

import json
import subprocess
import sys

import numpy as np
import rasterio

from pipelines.esrun import EsPredictRunner
from tests.pipelines.esrun.runner_projects import SQUARES, make_project

FAR = (5000, 5000, 5018, 5018)  # pixels; the image has 48
FARTHER = (6000, 6000, 6018, 6018)


def predicted(folder, *squares):
    """The combined raster, after all steps."""
    project = make_project(folder / "project", squares)
    runner = EsPredictRunner(project, folder / "scratch")
    ids = runner.partition()
    assert runner.build_dataset(ids) == 4 * len(ids)
    assert runner.run_inference(ids) == 4 * len(ids)
    runner.postprocess(ids)
    (path,) = (runner.combine(ids) / "results_raster").glob("*.tif")
    return path


def test_the_others_are_combined(tmp_path, capsys):
    with rasterio.open(predicted(tmp_path / "a", SQUARES[0], FAR)) as image:
        both, transform = image.read(1), image.transform
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "warning: no source image meets 4 of 4 windows of group_partition_1"
    assert not any("nodata everywhere" in line for line in told)
    with rasterio.open(predicted(tmp_path / "b", SQUARES[0])) as image:
        alone, origin = image.read(1), image.transform
    assert (transform.c, transform.f) == (origin.c, origin.f)
    height, width = alone.shape
    assert np.array_equal(both[:height, :width], alone) and alone.any()
    both[:height, :width] = 0
    assert not both.any()


def test_a_result_of_no_image_at_all_says_so_in_one_line(tmp_path, capsys):
    with rasterio.open(predicted(tmp_path, FAR, FARTHER)) as image:
        assert not image.dataset_mask().any()
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith(
        "warning: the combined result is nodata everywhere: no image meets the request"
    )


def test_an_empty_folder_of_images_is_an_error(tmp_path):
    project = make_project(tmp_path / "project")
    (project / "images" / "image.tif").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.esrun.local_predict", project,
         f"--scratch-path={tmp_path / 'scratch'}"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    told = done.stderr.splitlines()[-1]
    assert told.startswith("error: ") and f"{project / 'images'}: holds no .tif" in told
    assert not (tmp_path / "scratch" / "dataset_0").exists()


def test_a_vector_result_without_features_says_so(tmp_path, capsys):
    from pipelines.esrun.combining import combine
    from pipelines.esrun.project import load_project
    from pipelines.esrun.scratch import Results

    (tmp_path / "esrun.yaml").write_text("inference_results_config: {data_type: VECTOR}\n")
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "result.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    combine(load_project(tmp_path), [Results(tmp_path / "part")], Results(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "result.geojson").read_text())["features"] == []
    assert capsys.readouterr().err.startswith("warning: the combined result has no features: no image meets")
