"""Scores of all images: one file each, whatever the batch; broken images, resuming, bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines import checkpoints
from pipelines.errors import BadInput
from pipelines.fpe import merging, model_files, scoring
from pipelines.fpe.image_reading import Photos
from pipelines.fpe.image_transforms import Recipe, centre, normalised
from pipelines.fpe.networks import Ranker
from pipelines.fpe.storage import Storage
from tests.pipelines.fpe.test_merging import HEADER, call, of

FOLDER = "imagesets/0a/images"
ODD = f"{FOLDER}/West Brook 0__2022-12-20__09-54-55(1).JPG"
NAMES = [ODD, *(f"{FOLDER}/West Brook 0__{n:02} é.JPG" for n in range(12))]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def picture(path, seed, size=(48, 36), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(seed)
    shape = size[::-1] if mode == "L" else (*size[::-1], 3)
    Image.fromarray(chance.integers(0, 256, shape, np.uint8), mode).save(path, "JPEG")


def weights(path, seed=0, **more):
    torch.manual_seed(seed)
    network = Ranker("small")
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoints.save(path, model_files.model_content(network, "small", Recipe(32, 40, **more)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A root with a storage of 13 photographs and a model of random weights, station 29, code M."""
    for name in ("FPE_STORAGE_URL", "BUCKET"):
        monkeypatch.delenv(name, raising=False)
    for number, name in enumerate(NAMES):
        picture(tmp_path / "storage" / name, number, (48, 36) if number % 3 else (64, 20))
    model = tmp_path / "29/models/M"
    (model / "input").mkdir(parents=True)
    rows = [f"val,{n},2022-12-20T14:54:55Z,{name},," for n, name in enumerate(NAMES)]
    (model / "input/images.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    weights(model / "train/model.pth")
    return tmp_path


def transform(here, *more):
    return call("run_transform", *of(here), "--device=cpu", *more)


def out(here, name=ODD):
    return here / f"29/models/M/transform/out/{name}.out"


def scores(here):
    return [json.loads(out(here, name).read_text())["score"] for name in NAMES]


def report(here):
    return json.loads((here / "29/models/M/transform/transform.json").read_text())


def test_every_image_gets_the_score_that_the_network_gives_it_alone(here):
    assert transform(here) == (0, "")
    network, prepare = model_files.load_model(here / "29/models/M/train/model.pth")
    with torch.no_grad():
        images = [Image.open(here / "storage" / name) for name in NAMES]
        wanted = [network(prepare(image.convert("RGB"))[None]).item() for image in images]
    assert scores(here) == wanted
    assert len(set(wanted)) == len(NAMES)
    assert report(here)["images"] == len(NAMES) and report(here)["unreadable"] == {}


def test_large_images_are_scored_as_training_saw_them(here):
    for number, name in enumerate(NAMES):
        picture(here / "storage" / name, number, (420, 330))
    assert transform(here).code == 0
    path = here / "29/models/M/train/model.pth"
    recipe = Recipe.from_plain(checkpoints.load(path)["transform"])
    network = model_files.load_model(path)[0]
    photos = Photos(Storage(str(here / "storage")).read, recipe, memory=0)
    seen = [torch.from_numpy(one) for one in photos.batches([[name] for name in NAMES])]
    with torch.no_grad():
        wanted = [network(normalised(centre(one, recipe), recipe)).item() for one in seen]
    assert scores(here) == wanted


def test_images_of_any_storage(here, storage):
    for name in NAMES[:-1]:
        storage.put(name, here / "storage" / name)
    ended = transform(here, f"--storage={storage.base}", f"--dst={here / 'other'}")
    assert (
        ended.code == 0 and f"1 of 13 images have no score, the first {NAMES[-1]!r}: is missing" in ended.err
    )
    assert transform(here).code == 0
    found = [json.loads((here / f"other/out/{name}.out").read_text())["score"] for name in NAMES]
    assert found == [*scores(here)[:-1], None]


def test_a_home_in_the_directory(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here.parent))
    arguments = f"--directory=~/{here.name}", "--station-id=29", "--model-code=M", "--device=cpu"
    assert call("run_transform", *arguments) == (0, "")
    assert None not in scores(here)


def test_the_manifest_lists_all_images(here):
    assert transform(here).code == 0
    manifest = json.loads((here / "29/models/M/transform/manifest.json").read_text())
    assert manifest == [{"prefix": f"{here}/storage/"}, *NAMES]


@pytest.mark.parametrize(("size", "workers"), [(1, 0), (5, 0), (5, 3), (64, 1)])
def test_scores_do_not_depend_on_the_batch_or_the_threads(here, size, workers):
    assert transform(here, "--batch-size=13").code == 0
    before = {name: out(here, name).read_bytes() for name in NAMES}
    again = transform(here, f"--batch-size={size}", f"--workers={workers}", f"--dst={here / 'again'}")
    assert again.code == 0
    assert {name: (here / f"again/out/{name}.out").read_bytes() for name in NAMES} == before


def test_one_image(here):
    table = here / "29/models/M/input/images.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:2]))
    assert transform(here).code == 0
    assert isinstance(json.loads(out(here).read_text())["score"], float)


def test_grey_and_tiny_images_have_scores(here):
    picture(here / "storage" / NAMES[1], 1, mode="L")
    picture(here / "storage" / NAMES[2], 1, size=(1, 1))
    assert transform(here).code == 0
    assert None not in scores(here)


def test_images_that_cannot_be_read_are_counted_and_named(here):
    (here / "storage" / NAMES[1]).write_bytes(b"")
    (here / "storage" / NAMES[2]).write_bytes(b"GIF of the year")
    (here / "storage" / NAMES[3]).unlink()
    whole = (here / "storage" / ODD).read_bytes()
    (here / "storage" / ODD).write_bytes(whole[: len(whole) // 2])
    ended = transform(here, "--max-unreadable=0.5")
    assert ended.code == 0 and "warning: 4 of 13 images have no score" in ended.err
    assert [score is None for score in scores(here)] == [True] * 4 + [False] * 9
    assert sorted(report(here)["unreadable"]) == sorted(NAMES[:4])
    assert "missing" in report(here)["unreadable"][NAMES[3]]
    assert call("run_transform_merge", *of(here)).code == 0
    assert len(merging.read_parts(here / "29/models/M/transform")) == 13


def test_too_many_unreadable_images_are_fatal_and_mended_ones_are_scored(here):
    for name in NAMES[:2]:
        (here / "storage" / name).unlink()
    ended = transform(here)
    assert ended.code == 2 and "2 of 13 images cannot be read" in ended.err and NAMES[1] in ended.err
    assert "Traceback" not in ended.err and not out(here).parents[3].joinpath("transform.json").exists()
    for number, name in enumerate(NAMES[:2]):
        picture(here / "storage" / name, number)
    assert transform(here).code == 0
    assert None not in scores(here) and report(here)["unreadable"] == {}


def count_reads(here, monkeypatch):
    asked = []
    real = Storage.read
    monkeypatch.setattr(Storage, "read", lambda self, key: asked.append(key) or real(self, key))
    return asked


def test_what_is_scored_is_not_scored_again(here, monkeypatch):
    assert transform(here).code == 0
    out(here, NAMES[4]).unlink()
    out(here, NAMES[5]).write_text('{"sco')  # cut off
    before = report(here)
    asked = count_reads(here, monkeypatch)
    assert transform(here).code == 0
    assert sorted(asked) == sorted(NAMES[4:6])
    assert report(here) == before


def test_another_model_scores_all_again(here, monkeypatch):
    assert transform(here).code == 0
    before = scores(here)
    weights(here / "29/models/M/train/model.pth", seed=1)
    asked = count_reads(here, monkeypatch)
    assert transform(here).code == 0
    assert len(asked) == len(NAMES) and not set(before) & set(scores(here))


def test_scores_of_another_model_do_not_outlive_a_broken_run(here):
    assert transform(here).code == 0
    weights(here / "29/models/M/train/model.pth", seed=1)
    (here / "storage" / ODD).rename(here / "kept")
    assert transform(here, "--max-unreadable=0").code == 2
    (here / "kept").rename(here / "storage" / ODD)
    assert transform(here).code == 0
    mixed = scores(here)
    assert transform(here, f"--dst={here / 'fresh'}").code == 0
    assert mixed == [json.loads((here / f"fresh/out/{name}.out").read_text())["score"] for name in NAMES]


def test_a_killed_run_goes_on(here):
    names = [f"{FOLDER}/{number:04}.JPG" for number in range(400)]
    for name in names:
        (here / "storage" / name).write_bytes((here / "storage" / NAMES[1]).read_bytes())
    rows = [f"val,{n},2022-12-20T14:54:55Z,{name},," for n, name in enumerate(names)]
    (here / "29/models/M/input/images.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    argv = [sys.executable, "-m", "pipelines.fpe.run_transform", *of(here), "--device=cpu", "--workers=1",
            "--batch-size=4"]  # fmt: skip
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, env={**os.environ, "FPE_STORAGE_URL": ""})
    folder = out(here, names[0]).parent
    until = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < until and len(list(folder.glob("0*.out"))) < 8:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in folder.glob("0*.out")}
    assert 8 <= len(done) < 400
    assert transform(here).code == 0
    assert len(list(folder.glob("0*.out"))) == 400 and report(here)["images"] == 400
    assert {path: path.stat().st_mtime_ns for path in done} == done


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda model: (model / "train/model.pth").unlink(), "model.pth: cannot be read"),
        (lambda model: (model / "train/model.pth").write_bytes(b"x"), "is no checkpoint"),
        (lambda model: (model / "input/images.csv").unlink(), "images.csv: cannot be read"),
        (lambda model: (model / "input/images.csv").write_text("image_id,filename\n1,../x\n"), "'../x'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(here, change, told):
    change(here / "29/models/M")
    ended = transform(here)
    assert ended.code == 2 and told in ended.err
    assert ended.err.startswith("error: ") and ended.err.count("\n") == 1
    assert not (here / "29/models/M/transform").exists()


def test_a_storage_that_does_not_answer_is_not_a_broken_image(here):
    def refuse(key):
        raise BadInput("the storage cannot be reached")

    scorer = scoring.load_scorer(here / "29/models/M/train/model.pth")
    with pytest.raises(BadInput, match="cannot be reached"):
        scoring.score_images(NAMES, refuse, scorer, here / "outs", scoring.Settings(max_unreadable=1))
    assert not list((here / "outs").rglob("*.out"))


def test_a_gpu_scores_a_batch_at_once(here):
    """A device that is not "cpu" by name, as there is no GPU here."""
    seen = []

    def network(batch):
        seen.append(tuple(batch.shape))
        return batch.sum((1, 2, 3))

    scorer = scoring.Scorer(network, None, "", torch.device("cpu"))
    assert scorer.scores([torch.full((3, 4, 5), float(n)) for n in (1, 2, 3)]) == [60.0, 120.0, 180.0]
    assert scorer.scores([]) == []
    assert seen == [(3, 3, 4, 5)]


def test_what_no_image_has_goes(here):
    assert transform(here).code == 0
    for name in (".123.a killed run.JPG", "no longer in images.csv.JPG"):
        out(here, name).write_text("{}")
    assert transform(here).code == 0
    folder = here / "29/models/M/transform/out"
    assert {path for path in folder.rglob("*.out")} == {out(here, name) for name in NAMES}
