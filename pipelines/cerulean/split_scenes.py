"""The program `split_scenes`: lists of the scenes that train, validate and test.

How scenes are shared out is in splitting_scenes.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cerulean import options
from pipelines.cerulean.classes import BACKGROUND, NAMES
from pipelines.cerulean.splitting_scenes import PARTS, sizes, stratified
from pipelines.errors import BadInput
from pipelines.option_types import SEED
from pipelines.program import run, staged, write_json

if TYPE_CHECKING:
    from pipelines.cerulean.scenes import Scene


def slicks(scene: Scene) -> Counter[str]:
    """How many slicks of each class a scene has. Raises BadInput: a layer that cannot be read as one."""
    from pipelines.cerulean.layers import read_cropped

    shape = scene.size()
    found = Counter(NAMES[read_cropped(path, shape).number] for path in scene.layers)
    del found[BACKGROUND]
    return found


def report(
    parts: Mapping[str, Sequence[str]], counts: Mapping[str, Counter[str]], seed: int
) -> dict[str, Any]:
    """What split.json holds: of each part its scenes, and for each class how many scenes and slicks."""

    def described(scenes: Sequence[str]) -> dict[str, Any]:
        total = sum((counts[scene] for scene in scenes), Counter())
        return {
            "scenes": list(scenes),
            "slicks_by_class": {name: total[name] for name in NAMES if name != BACKGROUND},
            "scenes_by_class": {
                name: sum(name in counts[scene] for scene in scenes) for name in NAMES if name != BACKGROUND
            },
        }

    return {"seed": seed, "parts": {part: described(scenes) for part, scenes in parts.items()}}


@click.command()
@options.SCENES
@click.option("--dst", required=True, help="Folder to write train.txt, val.txt, test.txt and split.json to.")
@click.option("--val", default=0.2, show_default=True, help="Share of the scenes that validate.")
@click.option("--test", default=0.1, show_default=True, help="Share of the scenes that test.")
@click.option("--seed", type=SEED, default=4, show_default=True, help="Another seed, another split.")
@options.workers()
def command(list_path: str, dst: str, val: float, test: float, seed: int, workers: int) -> None:
    """Share scenes out to train, val and test, each class as evenly as can be.

    A scene is in one list only: two folders of the same Sentinel-1 id, as below two folders of classes, are
    one scene, and stand on one line with a tab between. Writes train.txt, val.txt and test.txt (empty where
    the share is 0), and last split.json with what each holds.

    \b
    Example:
      python -m pipelines.cerulean.split_scenes --list=sea/scenes.txt --dst=splits --val=0.2 --test=0.2
    """
    from pipelines.cerulean import scenes as scene_files
    from pipelines.processes import each

    folder = Path(dst)
    if Path(list_path).resolve() in {(folder / f"{part}.txt").resolve() for part in PARTS}:
        raise BadInput("is the list to split and one to write", where=list_path, hint="name another --dst")
    scenes = {scene.id: scene for scene in scene_files.read_list(Path(list_path), joined=True)}
    wanted = sizes(len(scenes), val, test)
    found = each(slicks, list(scenes.values()), workers, "layers", "scene")
    counts = dict(zip(scenes, found, strict=True))
    classes = {scene: frozenset(counts[scene]) for scene in scenes}
    parts = stratified(classes, {part: wanted[part] for part in PARTS}, seed)
    with staged(folder, last=folder / "split.json") as hidden:
        for part, chosen in parts.items():
            scene_files.write_list(hidden / f"{part}.txt", [scenes[scene] for scene in chosen])
        write_json(hidden / "split.json", report(parts, counts, seed))
    click.echo(", ".join(f"{part} {len(chosen)}" for part, chosen in parts.items()) + f" scenes: {folder}")


if __name__ == "__main__":
    run(command)
