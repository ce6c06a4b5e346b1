"""From outputs of single images to tables of 5,000 and to one: names, rows, null scores, bad input."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from pipelines import program
from pipelines.errors import BadInput
from pipelines.fpe import merging
from tests.pipelines.programs import caller

NAMES = [
    "imagesets/u/images/West Brook 0__2022-12-20__09-54-55(1).JPG",
    "imagesets/u/images/b c.JPG",
    "ü.jpg",
]
HEADER = "split,image_id,timestamp,filename,url,value"


call = caller("pipelines.fpe")


def make_model(folder, names, scores):
    """The folder of a model with images and outputs."""
    (folder / "input").mkdir(parents=True)
    rows = [f'val,{n:03},2022-12-20T14:54:55Z,"{name}",,1.50' for n, name in enumerate(names)]
    (folder / "input/images.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    for name, score in zip(names, scores, strict=True):
        program.write_json(merging.out_path(folder / "transform/out", name), {"score": score})
    return folder


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path / "29/models/M", NAMES, [0.1, None, -3])


def of(tmp_path):
    return f"--directory={tmp_path}", "--station-id=29", "--model-code=M"


def test_8123_images_give_the_two_files_of_the_seed(tmp_path):
    names = [f"West Brook 0__{number}(1).JPG" for number in range(8123)]
    folder = make_model(tmp_path / "29/models/M", names, [number / 7 for number in range(8123)]) / "transform"
    assert call("run_transform_merge", *of(tmp_path)).code == 0
    assert sorted(path.name for path in folder.glob("predictions*")) == [
        "predictions-00000-04999.csv",
        "predictions-05000-09999.csv",
    ]
    second = pd.read_csv(folder / "predictions-05000-09999.csv")
    assert second["filename"].tolist() == names[5000:] and len(second) == 3123
    assert call("run_transform_predictions", *of(tmp_path)).code == 0
    lines = (folder / "predictions.csv").read_text().splitlines()[1:]
    assert [float(line.rsplit(",", 1)[1]) for line in lines] == [number / 7 for number in range(8123)]


@pytest.mark.parametrize(("images", "files"), [(1, 1), (4999, 1), (5000, 1), (5001, 2), (10000, 2)])
def test_how_many_files(images, files):
    found = merging.parts(images)
    assert len(found) == files and found[-1].start < images


def test_more_than_99999_images_stay_in_order(tmp_path):
    rows = pd.DataFrame({"image_id": range(130), "score": 1}).astype(str)
    for start in range(0, 130, 50):  # as files of 50,000 would be named
        part = merging.Part(start * 1000, 50)
        merging.write_rows(rows.iloc[start : start + 50], tmp_path / part.name)
    assert [part.start for part in merging.find_parts(tmp_path)] == [0, 50_000, 100_000]


def test_columns_and_scores_come_through_as_they_are(tmp_path, model):
    assert call("run_transform_merge", *of(tmp_path), "--size=2") == (0, "")
    assert call("run_transform_predictions", *of(tmp_path)) == (0, "")
    folder = model / "transform"
    lines = (folder / "predictions.csv").read_text().splitlines()
    assert lines[0] == f"{HEADER},score"
    assert lines[1] == f"val,000,2022-12-20T14:54:55Z,{NAMES[0]},,1.50,0.1"
    assert [line.rsplit(",", 1)[1] for line in lines[1:]] == ["0.1", "", "-3.0"]
    assert json.loads((folder / "merge.json").read_text()) == {
        "files": ["predictions-00000-00001.csv", "predictions-00002-00003.csv"],
        "images": 3,
        "missing_scores": 1,
    }


def test_merging_again_leaves_no_file_of_the_merge_before(tmp_path, model):
    for size in (1, 3):
        assert call("run_transform_merge", *of(tmp_path), f"--size={size}").code == 0
        assert call("run_transform_predictions", *of(tmp_path)).code == 0
    assert [part.name for part in merging.find_parts(model / "transform")] == ["predictions-00000-00002.csv"]


def test_explicit_paths_leave_the_source_alone(tmp_path, model):
    job, table = tmp_path / "job", tmp_path / "other/predictions.csv"
    given = f"--input={model / 'input'}"
    assert call("run_transform_merge", given, f"--transform={model / 'transform'}", f"--dst={job}").code == 0
    assert call("run_transform_predictions", given, f"--merged={job}", f"--dst={table}").code == 0
    assert len(table.read_text().splitlines()) == 4
    assert sorted(path.name for path in (model / "transform").iterdir()) == ["out"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "not a table"),
        (HEADER + "\n", "no images"),
        ("image_id,url\n1,x\n", "no column filename"),
        ("image_id,filename\n1,a\n1,b\n", "image 1 stands twice"),
        ("image_id,filename\n1,../a\n", "'../a' is not the name"),
        ("image_id,filename\n1,/etc/a\n", "'/etc/a' is not the name"),
        ("image_id,filename\n1,\n", "'' is not the name"),
        (b"image_id,filename\n1,\xff\n", "not a table"),
        (None, "cannot be read"),
    ],
)
def test_images_that_are_none(tmp_path, content, told):
    path = tmp_path / "images.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match="images.csv") as raised:
        merging.read_images(path)
    assert told in str(raised.value)


@pytest.mark.parametrize("text", ["", "3", '{"score": "high"}', '{"score": true}', "{}"])
def test_an_output_without_a_score(tmp_path, model, text):
    merging.out_path(model / "transform/out", NAMES[1]).write_text(text)
    ended = call("run_transform_merge", *of(tmp_path))
    assert ended.code == 2 and "b c.JPG.out" in ended.err and ended.err.count("\n") == 1
    assert not list(model.glob("transform/*.*"))


def test_an_image_without_output(tmp_path, model):
    merging.out_path(model / "transform/out", NAMES[1]).unlink()
    ended = call("run_transform_merge", *of(tmp_path))
    assert ended.code == 2 and "1 of 3 images have no output, the first 'b c.JPG.out'" in ended.err
    assert not list(model.glob("transform/*.*"))


def spoil(name, change):
    def spoiled(folder):
        path = folder / name
        change(path)

    return spoiled


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (spoil("transform/predictions-00000-00000.csv", lambda path: path.unlink()), "is missing"),
        (spoil("transform/predictions-00001-00001.csv", lambda path: path.unlink()), "do not follow"),
        (spoil("transform/predictions-00002-00002.csv", lambda path: path.unlink()), "other images (2)"),
        (spoil("transform/predictions-00001-00001.csv", lambda path: path.write_text("image_id,score\n")),
         "has 0 rows"),
        (spoil("input/images.csv", lambda path: path.write_text(path.read_text().replace(",001,", ",9,"))),
         "other images"),
        (lambda folder: [path.unlink() for path in folder.glob("transform/predictions-*")], "has no files"),
    ],
)  # fmt: skip
def test_tables_that_do_not_belong_together(tmp_path, model, change, told):
    assert call("run_transform_merge", *of(tmp_path), "--size=1").code == 0
    change(model)
    ended = call("run_transform_predictions", *of(tmp_path))
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
    assert not (model / "transform/predictions.csv").exists()


def test_which_model_is_meant(tmp_path, model):
    assert "--model-code is missing" in call("run_transform_merge", f"-d{tmp_path}", "-s29").err
    assert "no such model" in call("run_transform_merge", f"-d{tmp_path}", "-s29", "--model-code=X").err
    assert "--input is missing" in call("run_transform_merge").err
    assert (
        call("run_transform_merge", f"-d{tmp_path}", "-s29", "--model_code=M").code == 0
    )  # as a job says it
