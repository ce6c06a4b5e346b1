from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from kwdag.errors import ResultError
from kwdag.metrics import Metrics
from kwdag.symlinks import safe, symlink_results
from tests.result_tables import ACC, table

METRICS = {"fit": Metrics((ACC,), (ACC,))}


@pytest.fixture
def rows(tmp_path):
    """A ranked table over two regions, best last, and its job directories."""

    def make(regions, hashids, accs):
        dpaths = [tmp_path / "root" / "fit" / f"fit_id_{i}" for i in range(len(hashids))]
        for dpath in dpaths:
            dpath.mkdir(parents=True, exist_ok=True)
        return table(region_id=regions, param_hashid=hashids, acc=accs, dpath=list(map(str, dpaths)))

    return make


def links(folder: Path) -> dict[str, str]:
    """Every link below a folder and the name of what it leads to."""
    return {
        str(path.relative_to(folder)): path.resolve(strict=True).name
        for path in folder.rglob("*")
        if path.is_symlink()
    }


def test_the_layout(rows, tmp_path):
    found = rows(["a", "b", "a"], ["x", "x", "y"], [0.1, 0.2, 0.3])
    made = symlink_results({"fit": found}, METRICS, tmp_path / "out")
    assert links(tmp_path / "out") == {
        "by_region/a/1_y": "fit_id_2", "by_region/a/2_x": "fit_id_0", "by_region/b/1_x": "fit_id_1",
        "by_hashid/x/a": "fit_id_0", "by_hashid/x/b": "fit_id_1", "by_hashid/y/a": "fit_id_2",
    }  # fmt: skip
    assert sorted(made) == sorted(tmp_path / "out" / name for name in links(tmp_path / "out"))
    assert all(not str(path.readlink()).startswith("/") for path in made)


def test_places_are_padded_and_ties_share_one(rows, tmp_path):
    accs = [float("nan"), float("nan"), *[0.5] * 3, *[0.6 + i / 100 for i in range(6)]]
    found = rows(["a"] * 11, [f"h{i:02}" for i in range(11)], accs)
    symlink_results({"fit": found}, METRICS, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out/by_region/a").iterdir())
    assert names == ["01_h10", "02_h09", "03_h08", "04_h07", "05_h06", "06_h05",
                     "07_h02", "07_h03", "07_h04", "10_h00", "10_h01"]  # fmt: skip


def test_a_moved_tree_keeps_its_links(rows, tmp_path):
    symlink_results({"fit": rows(["a"], ["x"], [1.0])}, METRICS, tmp_path / "root" / "links")
    (tmp_path / "root").rename(tmp_path / "moved")
    assert links(tmp_path / "moved" / "links")["by_hashid/x/a"] == "fit_id_0"


def test_links_through_a_linked_folder_lead_home(rows, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "short").symlink_to(tmp_path / "deep" / "er")
    symlink_results({"fit": rows(["a"], ["x"], [1.0])}, METRICS, tmp_path / "short" / "out")
    assert links(tmp_path / "deep" / "er" / "out")["by_region/a/1_x"] == "fit_id_0"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second device")
def test_another_device_gets_absolute_links(rows, tmp_path):
    folder = Path("/dev/shm") / f"kwdag-{os.getpid()}"
    try:
        if Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("needs a second device")
        (one, _) = symlink_results({"fit": rows(["a"], ["x"], [1.0])}, METRICS, folder)
        assert str(one.readlink()) == str(tmp_path / "root/fit/fit_id_0")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_second_call_leaves_no_stale_link(rows, tmp_path):
    folder = tmp_path / "out"
    symlink_results({"fit": rows(["a", "b"], ["x", "y"], [0.1, 0.2])}, METRICS, folder)
    (folder / "by_region" / "b" / "mine.txt").write_text("kept")
    (folder / "mine").symlink_to("nowhere")
    found = rows(["a", "a"], ["y", "x"], [0.3, 0.4])
    symlink_results({"fit": found}, METRICS, folder)
    mine = folder / "mine"
    assert str(mine.readlink()) == "nowhere" and (folder / "by_region/b/mine.txt").read_text() == "kept"
    mine.unlink()
    assert links(folder) == {
        "by_region/a/1_x": "fit_id_1", "by_region/a/2_y": "fit_id_0",
        "by_hashid/x/a": "fit_id_1", "by_hashid/y/a": "fit_id_0",
    }  # fmt: skip
    assert not (folder / "by_hashid" / "y" / "b").exists()


def test_folders_that_are_left_empty_go(rows, tmp_path):
    folder = tmp_path / "out"
    found = rows(["a", "b"], ["x", "y"], [0.1, 0.2])
    symlink_results({"fit": found}, METRICS, folder)
    symlink_results({"fit": found[:1]}, METRICS, folder)
    assert sorted(p.name for p in folder.rglob("*")) == sorted(
        [".kwdag_links.json", "by_region", "a", "1_x", "by_hashid", "x", "a"]
    )


def test_a_job_directory_that_is_gone_gets_no_link_and_loses_its_old_ones(rows, tmp_path):
    found = rows(["a", "a"], ["x", "y"], [0.1, 0.2])
    symlink_results({"fit": found}, METRICS, tmp_path / "out")
    shutil.rmtree(found["dpath"][1])
    symlink_results({"fit": found}, METRICS, tmp_path / "out")
    assert links(tmp_path / "out") == {"by_region/a/2_x": "fit_id_0", "by_hashid/x/a": "fit_id_0"}


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_not_ours_is_neither_replaced_nor_deleted(rows, tmp_path, kind):
    place = tmp_path / "out" / "by_region" / "a" / "1_x"
    place.parent.mkdir(parents=True)
    {"file": place.touch, "folder": place.mkdir, "link": lambda: place.symlink_to("/usr")}[kind]()
    with pytest.raises(ResultError, match="1_x: is in the way of a link"):
        symlink_results({"fit": rows(["a"], ["x"], [1.0])}, METRICS, tmp_path / "out")
    assert os.path.lexists(place) and not (tmp_path / "out" / "by_hashid").exists()


def test_a_link_that_somebody_changed_is_no_longer_ours(rows, tmp_path):
    found = rows(["a", "a"], ["x", "y"], [0.1, 0.2])
    symlink_results({"fit": found}, METRICS, tmp_path / "out")
    changed = tmp_path / "out" / "by_hashid" / "y" / "a"
    changed.unlink()
    changed.symlink_to("/usr")
    symlink_results({"fit": found[:1]}, METRICS, tmp_path / "out")
    assert str(changed.readlink()) == "/usr"


def test_a_list_that_points_outside_deletes_nothing(rows, tmp_path):
    (tmp_path / "other").symlink_to("x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".kwdag_links.json").write_text('{"links": {"../other": "x", "by_region": []}}')
    symlink_results({"fit": rows(["a"], ["x"], [1.0])}, METRICS, tmp_path / "out")
    assert str((tmp_path / "other").readlink()) == "x"


def test_names_that_no_file_may_have(rows, tmp_path):
    regions = ["a/b", "..", "x" * 300, "東京" * 60, "tab\tnewline\n", "", "\ud800"]
    found = rows(
        [f"r{i}" for i in range(7)], [f"h{i}" for i in range(7)], [float(i) for i in range(7)]
    ).assign(region_id=pd.Series(regions, dtype=object))
    symlink_results({"fit": found}, METRICS, tmp_path / "out")
    assert len(links(tmp_path / "out")) == 14
    assert len(list((tmp_path / "out" / "by_region").iterdir())) == 7
    assert len({safe(name) for name in regions}) == 7


def test_rows_of_one_hashid_and_region_are_told_apart(rows, tmp_path):
    symlink_results({"fit": rows(["a"] * 3, ["x"] * 3, [0.1, 0.2, 0.2])}, METRICS, tmp_path / "out")
    assert links(tmp_path / "out") == {
        "by_region/a/1_x": "fit_id_2", "by_region/a/1_x~2": "fit_id_1", "by_region/a/3_x": "fit_id_0",
        "by_hashid/x/a": "fit_id_2", "by_hashid/x/a~2": "fit_id_1", "by_hashid/x/a~3": "fit_id_0",
    }  # fmt: skip


def test_several_nodes_stand_apart(rows, tmp_path):
    found = rows(["a"], ["x"], [1.0])
    symlink_results({"fit": found}, METRICS, tmp_path / "out")
    symlink_results({"fit": found, "other": found}, METRICS, tmp_path / "out")
    assert sorted(links(tmp_path / "out")) == [
        "fit/by_hashid/x/a", "fit/by_region/a/1_x", "other/by_hashid/x/a", "other/by_region/a/1_x",
    ]  # fmt: skip


def test_a_folder_that_refuses(rows, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="file: cannot link: File exists"):
        symlink_results({"fit": rows(["a"], ["x"], [1.0])}, METRICS, tmp_path / "file")
