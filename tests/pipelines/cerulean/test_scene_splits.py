"""Splits: a scene is in one list only, classes are shared out evenly, the same seed gives the same lists."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cerulean.classes import NAMES
from pipelines.cerulean.scenes import read_list
from pipelines.cerulean.splitting_scenes import PARTS, sizes, stratified
from pipelines.errors import BadInput
from tests.pipelines.cerulean.tiled_scenes import blob, scene_id, sea, write_list, write_scene
from tests.pipelines.programs import caller

program = caller("pipelines.cerulean")
SHAPE = (40, 60)
SLICK = blob(SHAPE, 20, 30, 8)


def write(root, number, *classes):
    return write_scene(root, number, sea(SHAPE), {f"{name}.png": (name, SLICK) for name in classes})


def lists(folder):
    return {part: (folder / f"{part}.txt").read_text() for part in PARTS}


class TestShares:
    @given(
        st.lists(st.sets(st.sampled_from(NAMES[1:])), min_size=3, max_size=40),
        st.sampled_from([(0.2, 0.1), (0.3, 0.3), (0.5, 0.0), (0.0, 0.0)]),
        st.integers(0, 99),
    )
    def test_every_scene_is_in_one_part_of_the_size_that_was_asked_for(self, classes, shares, seed):
        scenes = {f"s{number}": frozenset(some) for number, some in enumerate(classes)}
        wanted = sizes(len(scenes), *shares)
        parts = stratified(scenes, wanted, seed)
        assert sorted(scene for part in parts.values() for scene in part) == sorted(scenes)
        assert {part: len(found) for part, found in parts.items()} == wanted
        assert parts == stratified(dict(reversed(scenes.items())), wanted, seed)

    @given(st.integers(0, 200))
    def test_classes_of_which_a_scene_has_one_are_shared_out_as_the_scenes_are(self, seed):
        scenes = {f"{name}{number}": frozenset({name}) for name in NAMES[1:] for number in range(10)}
        parts = stratified(scenes, sizes(60, 0.2, 0.1), seed)
        counts = {part: Counter(scene[:-1] for scene in found) for part, found in parts.items()}
        for name in NAMES[1:]:
            assert [counts[part][name] for part in PARTS] == [7, 2, 1]

    def test_a_rare_class_is_in_training_first(self):
        scenes = {f"common{n}": frozenset({"infra_slick"}) for n in range(20)}
        scenes["rare"] = frozenset({"infra_slick", "natural_seep"})
        assert all("rare" in stratified(scenes, sizes(21, 0.2, 0.1), seed)["train"] for seed in range(50))

    def test_scenes_without_a_slick_are_shared_out_too(self):
        scenes = {f"empty{n}": frozenset() for n in range(10)}
        scenes |= {f"slick{n}": frozenset({"infra_slick"}) for n in range(10)}
        for seed in range(20):
            parts = stratified(scenes, sizes(20, 0.2, 0.1), seed)
            empty = [sum(scene.startswith("empty") for scene in parts[part]) for part in PARTS]
            assert empty == [7, 2, 1]

    def test_another_seed_is_another_split(self):
        scenes = {f"s{n:02}": frozenset({NAMES[1 + n % 6]}) for n in range(40)}
        found = {tuple(stratified(scenes, sizes(40, 0.2, 0.1), seed)["test"]) for seed in range(10)}
        assert len(found) > 5

    @pytest.mark.parametrize(
        ("count", "val", "test", "words"),
        [(2, 0.2, 0.1, "2 scenes are too few"), (9, 0.5, 0.5, "nothing to train with"),
         (9, -0.1, 0.1, "val: is -0.1"), (9, 0.1, 1.0, "test: is 1.0")],
    )  # fmt: skip
    def test_shares_that_cannot_be(self, count, val, test, words):
        with pytest.raises(BadInput) as raised:
            sizes(count, val, test)
        assert words in str(raised.value)


class TestProgram:
    def test_a_scene_below_two_folders_of_classes_is_one_with_the_layers_of_both(self, tmp_path):
        folders = [write(tmp_path / "infra", n, "infra_slick") for n in range(8)]
        folders += [write(tmp_path / "vessel", n, "old_vessel") for n in range(4, 12)]
        ended = program("split_scenes", "--list", write_list(tmp_path / "all.txt", folders),
                        "--dst", tmp_path / "out")  # fmt: skip
        assert ended.code == 0, ended.err

        parts = {part: read_list(tmp_path / "out" / f"{part}.txt") for part in PARTS}
        found = [scene for scenes in parts.values() for scene in scenes]
        assert sorted(scene.id for scene in found) == sorted(scene_id(n) for n in range(12))
        names = {scene.id: [path.name for path in scene.layers] for scene in found}
        assert names[scene_id(2)] == ["infra_slick.png"]
        assert names[scene_id(5)] == ["infra_slick.png", "old_vessel.png"]

        report = json.loads((tmp_path / "out" / "split.json").read_text())["parts"]
        assert {part: len(report[part]["scenes"]) for part in PARTS} == {"train": 9, "val": 2, "test": 1}
        for name, total in (("infra_slick", 8), ("old_vessel", 8), ("ambiguous", 0)):
            assert sum(report[part]["scenes_by_class"][name] for part in PARTS) == total
            assert sum(report[part]["slicks_by_class"][name] for part in PARTS) == total

    def test_order_of_the_list_and_workers_do_not_matter(self, tmp_path):
        folders = [write(tmp_path / "all", n, NAMES[1 + n % 2]) for n in range(9)]
        for name, order, workers in (("a", folders, 1), ("b", folders[::-1], 2)):
            listed = write_list(tmp_path / f"{name}.txt", order)
            ended = program("split_scenes", "--list", listed, "--dst", tmp_path / name, "--workers", workers)
            assert ended.code == 0, ended.err
        assert lists(tmp_path / "a") == lists(tmp_path / "b")
        other = program("split_scenes", "--list", listed, "--dst", tmp_path / "c", "--seed=5")
        assert other.code == 0
        assert lists(tmp_path / "c") != lists(tmp_path / "a")

    def test_a_share_of_0_leaves_an_empty_list(self, tmp_path):
        listed = write_list(tmp_path / "all.txt", [write(tmp_path, n, "infra_slick") for n in range(3)])
        assert program("split_scenes", "--list", listed, "--dst", tmp_path / "o", "--val=0").code == 0
        assert lists(tmp_path / "o")["val"] == ""
        assert len(lists(tmp_path / "o")["train"].splitlines()) == 2

    def test_the_list_to_split_is_not_written_over(self, tmp_path):
        listed = write_list(tmp_path / "train.txt", [write(tmp_path / "all", n) for n in range(4)])
        before = listed.read_bytes()
        ended = program("split_scenes", "--list", listed, "--dst", tmp_path)
        assert ended.code == 2
        assert ended.err.count("\n") == 1
        assert "train.txt: is the list to split and one to write" in ended.err
        assert listed.read_bytes() == before

    def test_bad_input_leaves_nothing(self, tmp_path):
        folders = [write(tmp_path / "x", n, "infra_slick") for n in range(4)]
        strange = np.zeros(SHAPE, bool)
        strange[3, 4] = True
        odd = write_scene(tmp_path / "x", 9, sea(SHAPE), {"odd.png": ("infra_slick", strange[:30])})
        cases = {
            "twice": ([*folders, folders[0]], "twice"),
            "size": ([*folders, odd], "odd.png"),
            "few": (folders[:2], "too few"),
            "none": ([], "no scene"),
        }
        for name, (some, words) in cases.items():
            listed = write_list(tmp_path / f"{name}.txt", some)
            ended = program("split_scenes", "--list", listed, "--dst", tmp_path / "out")
            assert ended.code == 2
            assert ended.err.splitlines()[-1].startswith("error: "), ended.err
            assert words in ended.err
            assert "Traceback" not in ended.err
            assert not (tmp_path / "out").exists()
