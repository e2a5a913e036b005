"""Phrases that fit one object of a scene and no other.

Owns when a reference is unambiguous: by looks, or by place. Does not know questions.
"""

import random
from collections.abc import Callable

from arr_coc.demo.world import Scene, spot_of


def _alone(scene: Scene, color: str | None, shape: str | None) -> bool:
    """Whether exactly one object has this colour and this shape."""
    return sum(color in (None, o.color) and shape in (None, o.shape) for o in scene.objects) == 1


def sole_in(scene: Scene, spot: str) -> int | None:
    """The object clearly in ``spot``, where no other is even near being in it."""
    near = [i for i in range(len(scene.objects)) if _near(scene, i, spot)]
    return near[0] if len(near) == 1 and scene.spot(near[0]) == spot else None


def _near(scene: Scene, index: int, spot: str) -> bool:
    x, y = scene.objects[index].center[0] / scene.width, scene.objects[index].center[1] / scene.height
    if spot == "middle":
        return spot_of(x, y, middle=0.2) == "middle"
    return spot_of(x, y, reach=0.44, middle=0.0) == spot


def reference_to(scene: Scene, rng: random.Random, index: int, saying: str = "color shape") -> str | None:
    """A phrase for one object that fits no other, using only the attributes in ``saying``."""
    thing = scene.objects[index]
    ways = []
    if saying == "color shape" and _alone(scene, thing.color, thing.shape):
        ways += [f"the {thing.name}"] * 3
    if "color" in saying and _alone(scene, thing.color, None):
        ways.append(f"the {thing.color} one")
    if "shape" in saying and _alone(scene, None, thing.shape):
        ways.append(f"the {thing.shape}")
    return rng.choice(ways) if ways else None


def pick(
    scene: Scene, rng: random.Random, allowed: Callable[[int], bool], saying: str = "color shape"
) -> tuple[int, str] | None:
    """An allowed object that can be referred to, with its reference."""
    found = [
        (i, ref)
        for i in range(len(scene.objects))
        if allowed(i) and (ref := reference_to(scene, rng, i, saying)) is not None
    ]
    return rng.choice(found) if found else None
