"""A small station from its seed to its predictions, by the programs one after the other.

What is looked at in the end stands with the tests.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.pipelines.fpe.seed_cases import make_seed, station_folder, write
from tests.pipelines.programs import Ended, caller

call = caller("pipelines.fpe")

ODD = ("West Brook 0__2022-12-20__09-54-55(1).JPG", 'a, "b" (2).JPG', "ç %41#?+&;.JPG", " d' .JPG")
COUNT = 36
START = datetime(2023, 1, 2, 12, tzinfo=UTC)
SMALL = ("--device=cpu", "--input-size=16", "--epochs=1", "--unfreeze-after=0", "--workers=1")
STEPS = (
    ("rank_input", "-D", "DATA", "MODEL", "--min-hour=0", "--max-hour=23"),
    ("run_train", *SMALL),
    ("run_transform", "--device=cpu", "--workers=1"),
    ("run_transform_merge",),
    ("run_transform_predictions",),
    ("evaluate",),
)


def names() -> list[str]:
    return [*ODD, *(f"{number}.JPG" for number in range(COUNT - len(ODD)))]


def scene_seed(folder: Path, observed: bool = True) -> Path:
    """The seed of station 29: hourly scenes whose water rises, an answer for most pairs of near ones."""
    seed = make_seed(folder, stations=1, names=names())
    station = station_folder(seed)
    for number, name in enumerate(names()):
        picture(photograph(seed, name), number)
    groups = [range(start, start + 6) for start in range(0, COUNT, 6)]
    pairs = [(one, two) for group in groups for one in group for two in group if one != two]
    said = [
        {"left": {"imageId": 1001 + one}, "right": {"imageId": 1001 + two}, "rank": _rank(one, two)}
        for one, two in pairs
    ]
    write(station / "storage/annotations/answers-0.json", said)
    flows = [
        {"timestamp": (START + timedelta(hours=hour)).isoformat(), "value": hour + 1} for hour in range(COUNT)
    ]
    write(station / "db/datasets/data-0/series/FLOW_CFS.json", flows if observed else [])
    return seed


def _rank(one: int, two: int) -> str:
    return "LEFT" if one > two else "RIGHT"


def picture(path: Path, number: int, grey: bool = False) -> None:
    scene = np.random.default_rng(number).normal([90, 120, 70], 20, (24, 32, 3))
    scene[24 - number // 2 :] = (60, 80, 140)
    image = Image.fromarray(scene.clip(0, 255).astype(np.uint8))
    (image.convert("L") if grey else image).save(path, "JPEG")


def photograph(seed: Path, name: str) -> Path:
    """Where the seed has an image."""
    return station_folder(seed) / "storage/imagesets/set-0/images" / name


def import_and_collect(seed: Path, root: Path, *more: str) -> None:
    done(call("import_seed", "--data", seed, "--root", root, *more))
    done(call("rank_dataset", "-d", root, "-s", 29, "DATA", *more))


def chain(seed: Path, root: Path) -> tuple[Path, list[str]]:
    """The folder of the model, and what each step has said on stderr; each of them must end well."""
    import_and_collect(seed, root)
    return model_of(root), [done(step(root, *words)) for words in STEPS]


def step(root: Path, name: str, *more: str) -> Ended:
    model = () if name == "rank_input" else ("--model-code=MODEL",)
    return call(name, "-d", root, "-s", 29, *model, *more)


def done(ended: Ended) -> str:
    assert ended.code == 0, ended.err
    return ended.err


def model_of(root: Path) -> Path:
    return root / "29/models/MODEL"


def metrics(model: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((model / "evaluation.json").read_text())["result"]["metrics"]
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
