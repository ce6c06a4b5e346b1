"""make_coco_dataset on input that it cannot use, and stopped in the middle: one line, and nothing left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipelines.cerulean.tiled_scenes import blob, scene_id, sea, write_list, write_scene
from tests.pipelines.programs import caller

program = caller("pipelines.cerulean")
SHAPE = (64, 80)


def folder_of(root: Path, number=1, month=8) -> Path:
    marks = {"slick.png": ("infra_slick", blob(SHAPE, 30, 30, 9))}
    return write_scene(root / "scenes", number, sea(SHAPE), marks, month)


def no_background(folder):
    (folder / "Background.png").unlink()
    return "no Background.png"


def of_another_size(folder):
    Image.new("RGBA", (SHAPE[1], SHAPE[0] - 1), (0, 0, 255, 255)).save(folder / "slick.png")
    return "slick.png"


def empty(folder):
    Image.new("RGBA", SHAPE[::-1]).save(folder / "slick.png")
    return "slick.png"


def unknown_colour(folder):
    Image.new("RGBA", SHAPE[::-1], (1, 2, 3, 255)).save(folder / "slick.png")
    return "(1, 2, 3)"


def broken(folder):
    data = (folder / "Background.png").read_bytes()
    (folder / "Background.png").write_bytes(data[: len(data) // 2])
    return "Background.png"


def no_points(folder):
    (folder / "Background.png.aux.xml").unlink()
    return "Background.png: has no ground control points"


def without_a_date(folder):
    folder.rename(folder.with_name("S1A_somewhere"))
    return "S1A_somewhere"


@pytest.mark.parametrize(
    "spoil", [no_background, of_another_size, empty, unknown_colour, broken, no_points, without_a_date]
)
def test_a_scene_that_cannot_be_used_leaves_nothing(tmp_path, spoil):
    folders = [folder_of(tmp_path, number) for number in (1, 2)]
    said = spoil(folders[1])
    listed = write_list(tmp_path / "l.txt", sorted((tmp_path / "scenes").iterdir()))

    ended = program("make_coco_dataset", listed, "none", tmp_path / "out", 32, "--workers=0")

    assert_refused(ended, said, tmp_path / "out")


def test_what_one_process_cannot_use_stops_all_of_them(long_list, tmp_path):
    folder = folder_of(tmp_path, month=1)  # the first to be cut
    unknown_colour(folder)
    listed = write_list(tmp_path / "l.txt", [*long_list.read_text().split(), folder])
    ended = program("make_coco_dataset", listed, "none", tmp_path / "out", 32, "--workers=2")
    assert_refused(ended, "(1, 2, 3)", tmp_path / "out")


def assert_refused(ended, said, folder):
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ") and said in line
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{list}", "none", "{out}", 31], "31"),
        (["{list}", "none", "{out}", -5], "-5"),
        (["{list}", "none", "{out}", 32, "--tile_length=64"], "--tile_length"),
        (["{list}", "none"], "OUT_DIR"),
        (["--dst={out}"], "PARTITION_LIST"),
        (["{list}", "{list}.no", "{out}", 32], "{list}.no"),
        (["{list}.no", "none", "{out}", 32], "{list}.no"),
        (["{twice}", "none", "{out}", 32], "twice"),
        (["{list}", "{aux}", "{out}", 32], "infrastructure.geojson"),
        (["{list}", "none", "{out}", 32, "--name=a/b"], "a/b"),
        (["{list}", "none", "{out}", 32, "--min_valid=1.5"], "min_valid"),
        (["{list}", "none", "{out}", 128, "--min_valid=0.9"], "no tile is left"),
        (["{list}", "none", "{out}", 32, "--georeference=cubic"], "cubic"),
    ],
)
def test_options_that_cannot_be_used_leave_nothing(tmp_path, arguments, said):
    folder = folder_of(tmp_path)
    aux = tmp_path / "aux"
    aux.mkdir()
    (aux / "infrastructure.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    places = {
        "list": str(write_list(tmp_path / "l.txt", [folder])),
        "twice": str(write_list(tmp_path / "t.txt", [folder, folder.parent / ".." / "scenes" / folder.name])),
        "aux": str(aux),
        "out": str(tmp_path / "out"),
    }
    ended = program("make_coco_dataset", *(str(one).format(**places) for one in arguments))
    assert_refused(ended, said.format(**places), tmp_path / "out")


def test_a_scene_is_in_one_dataset_of_a_folder_and_both_datasets_stay(tmp_path):
    one, two = folder_of(tmp_path, 1), folder_of(tmp_path, 2)
    out = tmp_path / "out"
    train, val = write_list(tmp_path / "train.txt", [one]), write_list(tmp_path / "val.txt", [two])
    assert program("make_coco_dataset", train, "none", out, 32, "--workers=0").code == 0
    assert program("make_coco_dataset", val, "none", out, 32, "--workers=0").code == 0
    assert len(list((out / "tiled_images").iterdir())) == 2 * 6
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    both = write_list(tmp_path / "both.txt", [two, one])
    ended = program("make_coco_dataset", both, "none", out, 64, "--workers=0")

    assert ended.code == 2 and "instances_train.json" in ended.err and scene_id(1) in ended.err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_run_that_fails_leaves_the_older_dataset_as_it_was(tmp_path):
    folder = folder_of(tmp_path)
    listed, out = write_list(tmp_path / "l.txt", [folder]), tmp_path / "out"
    assert program("make_coco_dataset", listed, "none", out, 32, "--workers=0").code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    unknown_colour(folder)
    assert program("make_coco_dataset", listed, "none", out, 64, "--workers=0").code == 2
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.fixture(scope="module")
def long_list(tmp_path_factory):
    """A list that keeps two workers busy for many seconds."""
    root = tmp_path_factory.mktemp("long")
    shape = (1500, 1500)
    vv = sea(shape)
    mask = np.zeros(shape, bool)
    mask[::3] = True
    first = write_scene(root, 0, vv, {"a.png": ("infra_slick", mask)})
    others = []
    for number in range(1, 12):
        other = root / scene_id(number)
        other.symlink_to(first)
        others.append(other)
    return write_list(root / "l.txt", [first, *others])


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


@pytest.fixture
def started(long_list):
    """What starts the program in a folder and waits until two processes are writing tiles."""
    begun = []

    def start(out: Path) -> subprocess.Popen:
        command = [sys.executable, "-m", "pipelines.cerulean.make_coco_dataset", long_list, "none", out, "32"]
        process = subprocess.Popen(
            [*map(str, command), "--workers=2"], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        begun.append(process)
        until(lambda: list(out.glob(".*/tiled_images/*.tif")))
        return process

    yield start
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_no_file_and_no_process(started, tmp_path, signum):
    out = tmp_path / "out"
    process = started(out)
    workers = children(process.pid)
    assert len(workers) >= 2
    os.killpg(process.pid, signum)  # as a terminal, or a scheduler, does to all of them
    _, err = process.communicate(timeout=20)
    assert process.returncode == (130 if signum == signal.SIGINT else -signum)
    assert "Traceback" not in err
    assert not out.exists()
    until(lambda: not any(alive(pid) for pid in workers), seconds=2)


def test_workers_of_a_run_that_is_killed_end_and_the_next_run_clears_up(started, tmp_path):
    out = tmp_path / "out"
    process = started(out)
    workers = children(process.pid)
    process.kill()
    process.communicate()
    until(lambda: not any(alive(pid) for pid in workers))
    assert not list(out.glob("instances*"))
    folder = folder_of(tmp_path)
    listed = write_list(tmp_path / "l.txt", [folder])
    assert program("make_coco_dataset", listed, "none", out, 32, "--workers=0").code == 0
    assert sorted(path.name for path in out.iterdir()) == ["instances_l.json", "tiled_images"]
    assert len(list((out / "tiled_images").iterdir())) == 6


def test_a_worker_that_is_killed_is_an_error_of_one_line(started, tmp_path):
    out = tmp_path / "out"
    process = started(out)
    tiler = until(lambda: [pid for pid in children(process.pid) if b"spawn_main" in cmdline(pid)])[0]
    os.kill(tiler, signal.SIGKILL)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert err.startswith("error: ") and "--workers" in err and err.count("\n") == 1, err
    assert not out.exists()


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
