"""Pixel evaluation as a program, on real GeoTIFFs and kwcoco files, against scikit-learn."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from shapely import contains_xy
from shapely.geometry import Polygon
from sklearn.metrics import average_precision_score, roc_auc_score

from pipelines import program
from pipelines.geowatch import evaluate_pixels
from pipelines.geowatch.iarpa import PHASES

CRS = "EPSG:32719"
VIDEO = Affine(10, 0, 300_000, 0, -10, 8_000_000)
WIDTH, HEIGHT = 60, 40
# In video pixels; no vertex or edge on a pixel's centre.
OUTLINES = {
    "Site Preparation": Polygon([(5.2, 4.1), (20.3, 6.2), (18.4, 20.3), (4.2, 15.4)]),
    "Active Construction": Polygon([(30.2, 10.2), (45.4, 8.3), (48.3, 30.2), (33.1, 28.4)]),
    "Post Construction": Polygon([(50.2, 31.2), (58.3, 31.4), (58.4, 38.3), (50.1, 38.2)]),
    "ignore": Polygon([(2.2, 30.1), (9.3, 30.2), (9.4, 38.3), (2.1, 38.4)]),
}


class World:
    """A truth with one video of several images, and heatmaps for them."""

    def __init__(self, folder: Path, scale: float = 1.0):
        self.folder = folder
        self.scale = scale  # pixels of the images per pixel of the video
        self.frames: list[dict[str, np.ndarray]] = []

    def add(self, heat: np.ndarray, channels: tuple[str, ...]) -> None:
        """A heatmap (bands, HEIGHT, WIDTH) of one more image."""
        name = f"XX_R001_{len(self.frames)}.tif"
        profile = {"driver": "GTiff", "dtype": "float32", "nodata": np.nan, "crs": CRS, "count": len(heat)}
        step = WIDTH / heat.shape[2]
        size = {"height": heat.shape[1], "width": heat.shape[2], "transform": VIDEO @ Affine.scale(step)}
        with rasterio.open(self.folder / name, "w", **profile, **size) as image:
            image.write(heat.astype(np.float32))
        self.frames.append({"file_name": name, "channels": "|".join(channels)})

    def write(self, outlines=OUTLINES, name="XX_R001") -> list[str]:
        """Write both datasets; the options of the program."""
        for file, annotated in (("data.kwcoco.json", True), ("pred.kwcoco.json", False)):
            text = json.dumps(self._dataset(outlines if annotated else {}, name if annotated else "XX_R001"))
            (self.folder / file).write_text(text)
        return [
            f"--true_dataset={self.folder / 'data.kwcoco.json'}",
            f"--pred_pxl_fpath={self.folder / 'pred.kwcoco.json'}",
            f"--eval_fpath={self.folder / 'pxl_eval.json'}",
        ]

    def _dataset(self, outlines, name):
        names = [*PHASES, *(each for each in outlines if each not in PHASES)]
        categories = [{"id": n, "name": each} for n, each in enumerate(names, 1)]
        ids = {one["name"]: one["id"] for one in categories}
        images = [
            {
                "id": n,
                "name": f"XX_R001_{n}",
                "video_id": 1,
                "frame_index": n,
                "timestamp": 1_500_000_000 + 86_400 * n,
                "width": round(WIDTH * self.scale),
                "height": round(HEIGHT * self.scale),
                "file_name": None,
                "auxiliary": [frame],
                "warp_img_to_vid": {"type": "affine", "scale": 1 / self.scale},
            }
            for n, frame in enumerate(self.frames, 1)
        ]
        annotations = [
            {
                "id": 100 * image["id"] + n,
                "image_id": image["id"],
                "category_id": ids[category],
                "segmentation": [[x * self.scale for point in outline.exterior.coords for x in point]],
                "bbox": [0, 0, 1, 1],
            }
            for image in images
            for n, (category, outline) in enumerate(outlines.items())
        ]
        video = {"id": 1, "name": name, "width": WIDTH, "height": HEIGHT, "crs": CRS, "transform": VIDEO[:6]}
        return {"videos": [video], "images": images, "annotations": annotations, "categories": categories}

    def evaluate(self, *options, outlines=OUTLINES):
        result = CliRunner().invoke(
            evaluate_pixels.main, [*self.write(outlines), *options], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return json.loads((self.folder / "pxl_eval.json").read_text())["result"]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def mask(*names):
    """Pixels whose centres lie in the outlines of these categories."""
    xs, ys = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    return np.any([contains_xy(OUTLINES[name], xs, ys) for name in names], axis=0)


SITES = ("Site Preparation", "Active Construction")


def noisy(seed, truth, bins=1024):
    """Scores on the bins, higher where ``truth`` is."""
    random = np.random.default_rng(seed)
    return np.floor(np.clip(0.3 * truth + random.random(truth.shape) * 0.7, 0, 0.999) * bins) / bins


def test_saliency_is_scored_as_scikit_learn_does(world):
    truth, known = mask(*SITES), ~mask("ignore")
    heats = [noisy(seed, truth) for seed in range(3)]
    heats[1][:10, :15] = np.nan
    for heat in heats:
        world.add(heat[None], ("salient",))
    result = world.evaluate("--workers=2")
    use = np.stack([known & ~np.isnan(heat) for heat in heats])
    scores, labels = np.stack(heats)[use], np.stack([truth] * 3)[use]
    assert result["metrics"]["salient_AP"] == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    assert result["metrics"]["salient_AUC"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert result["regions"]["XX_R001"] == result["metrics"]
    facts = result["classes"]["salient"]
    assert (facts["n_positive"], facts["n_positive"] + facts["n_negative"]) == (labels.sum(), use.sum())


def test_phases_are_scored_one_against_the_others(world):
    truths = {name: mask(name) for name in PHASES[1:]}
    truths = {PHASES[0]: ~np.any(list(truths.values()), axis=0), **truths}
    heat = np.stack([noisy(seed, truth) for seed, truth in enumerate(truths.values())])
    world.add(heat, PHASES)
    metrics = world.evaluate()["metrics"]
    known = ~mask("ignore")
    ap = {
        n: average_precision_score(t[known], h[known]) for (n, t), h in zip(truths.items(), heat, strict=True)
    }
    auc = {n: roc_auc_score(t[known], h[known]) for (n, t), h in zip(truths.items(), heat, strict=True)}
    assert metrics == pytest.approx(
        {
            "mAP": np.mean(list(ap.values())),
            "mAUC": np.mean(list(auc.values())),
            "coi_mAP": np.mean([ap[name] for name in SITES]),
            "coi_mAUC": np.mean([auc[name] for name in SITES]),
        }
    )


@pytest.mark.parametrize("factor", [2, 5])
def test_a_perfect_heatmap_of_another_resolution_is_nearly_perfect(world, factor):
    truth = mask(*SITES)
    fine = np.kron(truth, np.ones((factor, factor))).astype(float)
    world.add(fine[None], ("salient",))
    metrics = world.evaluate()["metrics"]
    assert metrics["salient_AP"] > 0.99


def test_annotations_in_pixels_of_a_finer_image_land_on_the_same_ground(tmp_path):
    world = World(tmp_path, scale=10 / 3)
    world.add(mask(*SITES)[None].astype(float), ("salient",))
    assert world.evaluate()["metrics"] == {"salient_AP": 1.0, "salient_AUC": 1.0}


def test_no_truth_gives_no_number(world):
    world.add(np.full((1, HEIGHT, WIDTH), 0.5), ("salient",))
    assert world.evaluate(outlines={})["metrics"] == {"salient_AP": None, "salient_AUC": None}


def test_only_images_with_heatmaps_are_scored(world):
    world.add(mask(*SITES)[None].astype(float), ("salient",))
    world.add(np.zeros((1, HEIGHT, WIDTH)), ("red",))
    assert world.evaluate()["metrics"]["salient_AP"] == 1.0


def test_blocks_do_not_change_the_result(world, monkeypatch):
    from pipelines.geowatch import scored_frames

    world.add(noisy(3, mask(*SITES))[None], ("salient",))
    whole = world.evaluate("--draw_curves=0", "--draw_heatmaps=0")
    monkeypatch.setattr(scored_frames, "_BLOCK", 16)
    assert world.evaluate("--draw_curves=0", "--draw_heatmaps=0") == whole


def test_pictures_are_drawn_and_bytes_repeat_with_any_number_of_workers(world):
    for seed in range(2):
        world.add(noisy(seed, mask(*SITES))[None], ("salient",))
    names = ("pxl_eval.json", "curves/precision_recall.png", "curves/roc.png", "heatmaps/XX_R001_salient.png")
    written = []
    for workers in (0, 3):
        world.evaluate(f"--workers={workers}")
        written.append([(world.folder / name).read_bytes() for name in names])
    assert written[0] == written[1]


def run(options, capsys):
    """Exit code and stderr."""
    with pytest.raises(SystemExit) as ended:
        program.run(evaluate_pixels.main, options)
    return ended.value.code, capsys.readouterr().err


def _corrupt(world):
    path = world.folder / world.frames[0]["file_name"]
    path.write_bytes(path.read_bytes()[:600])
    return world.write()


def _no_heatmaps(world):
    world.frames[0]["channels"] = "red"
    return world.write()


def _no_probabilities(world):
    world.frames.clear()
    world.add(np.full((1, HEIGHT, WIDTH), 7.0), ("salient",))
    return world.write()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_corrupt, "XX_R001_0.tif"),
        (_no_heatmaps, "no heatmaps"),
        (_no_probabilities, "not probabilities"),
        (lambda world: world.write(name="YY_R009"), "no image in common"),
        (lambda world: world.write({"Party": OUTLINES["ignore"]}), "'Party'"),
        (lambda world: [*world.write(), "--true_dataset=/nowhere.json"], "/nowhere.json"),
        (lambda world: [*world.write(), "--viz_thresh=2"], "--viz_thresh"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(world, spoil, named, capsys):
    world.add(noisy(0, mask(*SITES))[None], ("salient",))
    code, stderr = run(spoil(world), capsys)
    assert code == 2
    assert stderr.startswith("error: ") and named in stderr
    assert len(stderr.splitlines()) == 1
    assert not (world.folder / "pxl_eval.json").exists()


def test_help_has_an_example():
    command = [sys.executable, "-m", "pipelines.geowatch.evaluate_pixels", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Example:" in done.stdout
