"""Which scenes train, validate and test: whole scenes, with each class shared out as evenly as can be.

Reading what a scene holds, and writing lists, does not belong here.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from pipelines.errors import BadInput

PARTS = ("train", "val", "test")
NOTHING = frozenset({"no slick"})  # scenes without a slick are shared out as evenly as those of a class


def sizes(count: int, val: float, test: float) -> dict[str, int]:
    """How many of ``count`` scenes each part has.

    A part that is asked for has one at least, as long as train keeps one; train has what is left.

    Raises:
        BadInput: a share outside [0, 1), or together 1 and more; too few scenes.

    >>> sizes(12, 0.2, 0.1)
    {'train': 9, 'val': 2, 'test': 1}
    """
    for name, share in (("val", val), ("test", test)):
        if not 0 <= share < 1:
            raise BadInput(f"is {share}, not a share in [0, 1)", where=name)
    if val + test >= 1:
        raise BadInput(f"val {val} and test {test} leave nothing to train with")
    found = {name: max(round(share * count), 1) if share else 0 for name, share in
             (("val", val), ("test", test))}  # fmt: skip
    train = count - sum(found.values())
    if train < 1:
        raise BadInput(f"{count} scenes are too few for train, val and test", hint="a share of 0 is none")
    return {"train": train, **found}


def stratified(
    classes: Mapping[str, frozenset[str]], wanted: Mapping[str, int], seed: int
) -> dict[str, list[str]]:
    """Share scenes out by iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011).

    The class with the fewest scenes left is dealt first, each of its scenes to the part that still wants
    that class most; of such parts to the one with the most room. Lots decide where that leaves a choice.

    Args:
        classes: those of each scene, by its id; none at all counts as a class of its own.
        wanted: how many scenes each part has, together as many as there are.

    Returns:
        ids of each part, sorted; the same for the same scenes and seed in whatever order they come.

    >>> stratified({"a": frozenset("x"), "b": frozenset("x")}, {"train": 1, "test": 1}, 4)
    {'train': ['a'], 'test': ['b']}
    """
    chooser = random.Random(seed)
    left = {scene: classes[scene] or NOTHING for scene in sorted(classes)}
    found: dict[str, list[str]] = {part: [] for part in wanted}
    names = sorted({name for some in left.values() for name in some})
    chooser.shuffle(names)  # of two classes that are as rare, which one trains is no matter of the alphabet
    share = {part: count / max(len(left), 1) for part, count in wanted.items()}
    wish = {
        (part, name): share[part] * sum(name in some for some in left.values())
        for part in wanted
        for name in names
    }
    while left:
        name = _rarest(left, names)
        scenes = [scene for scene, some in left.items() if name in some]
        chooser.shuffle(scenes)
        for scene in scenes:
            part = _neediest(name, wanted, found, wish, chooser)
            found[part].append(scene)
            for other in left.pop(scene):
                wish[part, other] -= 1
    return {part: sorted(scenes) for part, scenes in found.items()}


def _rarest(left: Mapping[str, frozenset[str]], names: Sequence[str]) -> str:
    counts = {name: sum(name in some for some in left.values()) for name in names}
    return min((name for name in names if counts[name]), key=lambda name: counts[name])


def _neediest(
    name: str,
    wanted: Mapping[str, int],
    found: Mapping[str, list[str]],
    wish: Mapping[tuple[str, str], float],
    chooser: random.Random,
) -> str:
    room = {part: count - len(found[part]) for part, count in wanted.items()}
    open_parts = [part for part in wanted if room[part] > 0]
    need = {part: (round(wish[part, name], 9), room[part]) for part in open_parts}
    most = max(need.values())
    return chooser.choice([part for part in open_parts if need[part] == most])
