"""Scenes with slicks and folders of `merge`, made by hand, for the tests of `evaluate`."""

from __future__ import annotations

import json

import numpy as np
import shapely

from pipelines.cerulean import classes, georeference
from pipelines.cerulean.polygons import on_earth
from tests.pipelines.cerulean import scene_folders

SHAPE = (130, 210)  # of 40 m: not square, so that height and width cannot be mixed up
USUAL = classes.named("usual")
NAMES = list(USUAL.names)


def box(rows, cols):
    mask = np.zeros(SHAPE, bool)
    mask[slice(*rows), slice(*cols)] = True
    return mask


def write_scene(parent, layers, name=scene_folders.ID, pixels=None):
    vv = np.full(SHAPE, 90, np.uint8) if pixels is None else pixels
    files = {f"{place}_{kind}.png": (classes.IDS[kind], mask) for place, (kind, mask) in enumerate(layers)}
    return scene_folders.write_scene(parent, vv, files, name)


def write_merged(folder, found, remap=USUAL):
    """As `merge` does: for each scene's folder the class, score and (left, top, right, bottom)."""
    folder.mkdir(parents=True)
    for scene, polygons in found.items():
        place = georeference.read(scene / "Background.png")
        features = []
        for name, score, corners in polygons:
            shape = shapely.box(*corners)
            features.append({
                "type": "Feature", "geometry": shapely.geometry.mapping(on_earth(shape, place)),
                "pixels": shapely.geometry.mapping(shape), "properties": {"class": name, "score": score},
            })  # fmt: skip
        document = {"type": "FeatureCollection", "features": features}
        (folder / f"{scene.name}.geojson").write_text(json.dumps(document))
    record = {
        "classes": list(remap.names), "numbers": list(remap.numbers), "dropped": sorted(remap.dropped),
        "scenes": [{"id": one.name, "folder": str(one), "height": SHAPE[0], "width": SHAPE[1]}
                   for one in found],
        "georeference": "polynomial",
    }  # fmt: skip
    (folder / "merge.json").write_text(json.dumps(record))
    return folder


def two_scenes(folder):
    """Slicks of all kinds: some found, one as another class, one missed, one found that is not there."""
    one = write_scene(folder / "scenes", [
        ("infra_slick", box((20, 40), (20, 80))),
        ("old_vessel", box((60, 70), (20, 120))),
        ("natural_seep", box((100, 110), (150, 170))),
        ("ambiguous", box((20, 40), (150, 190))),
    ])  # fmt: skip
    other = write_scene(folder / "scenes", [("recent_vessel", box((50, 60), (50, 150)))], scene_folders.OTHER)
    write_merged(folder / "merged", {
        one: [
            ("infra_slick", 0.9, (20, 20, 80, 38)),
            ("infra_slick", 0.8, (20, 60, 110, 70)),
            ("natural_seep", 0.7, (155, 22, 185, 40)),  # in the ambiguous one
        ],
        other: [("recent_vessel", 0.6, (60, 52, 155, 60)), ("natural_seep", 0.5, (20, 100, 40, 110))],
    })  # fmt: skip
    return folder
