"""Asks about scenes: questions with one right answer, in canonical wording.

Owns when a question is unambiguous. A kind that the scene does not allow gives None. Does not know other
wordings (``wording.py``) nor pixels.
"""

import random
from collections.abc import Callable, Sequence

from arr_coc.demo.outlines import area
from arr_coc.demo.phrasing import CANONICAL, fill, with_article
from arr_coc.demo.referring import pick, reference_to, sole_in
from arr_coc.demo.world import COLORS, KINDS, SHAPES, SPOTS, Question, Scene
from arr_coc.types import Box

RELATION_MARGIN = 0.1  # of the picture's side, between centres
LARGER_BY = 1.18  # the largest's lead, in box side and in the root of its area
READINGS_A_PICTURE = 4
OTHERS_PER_READING = 1.4  # keeps number and word questions above 40 %


def ask(scene: Scene, rng: random.Random, kind: str) -> Question | None:
    """One question of ``kind`` (see KINDS), or None where the scene allows no unambiguous one."""
    return _ASKERS[kind](scene, rng)


def questions(scene: Scene, seed: int) -> list[Question]:
    """Up to nine different questions about one picture, more than 40 % of them ``number`` or ``word``."""
    rng = random.Random(f"questions {seed}")
    readings: dict[tuple[int, ...], Question] = {}
    for _ in range(4 * READINGS_A_PICTURE):
        asked = ask(scene, rng, rng.choice(("number", "word")))
        if asked is not None and len(readings) < READINGS_A_PICTURE:
            readings.setdefault(asked.targets, asked)
    kinds = [kind for kind in KINDS if kind not in ("number", "word")]
    rng.shuffle(kinds)
    others = [asked for kind in kinds if (asked := ask(scene, rng, kind)) is not None]
    return [*readings.values(), *others[: int(OTHERS_PER_READING * len(readings)) or 2]]


def _phrase(
    scene: Scene,
    rng: random.Random,
    kind: str,
    form: str,
    slots: Sequence[str],
    answer: str,
    targets: Sequence[int] = (),
) -> Question:
    text, spans = fill(rng.choice(CANONICAL[form]), slots)
    order = sorted(range(len(targets)), key=lambda k: spans[k])
    return Question(
        text=text,
        answer=answer,
        kind=kind,
        box=_union([scene.objects[i].box for i in targets]) if targets else scene.box,
        targets=tuple(targets[k] for k in order),
        mentions=tuple(spans[k] for k in order),
        form=form,
        slots=tuple(slots[k] for k in order) if targets else tuple(slots),
    )


def _union(boxes: Sequence[Box]) -> Box:
    return Box(
        min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes)
    )


def _ask_color(scene: Scene, rng: random.Random) -> Question | None:
    """By the shape, or by the place."""
    picked = pick(scene, rng, lambda i: True, "shape")
    placed = [(i, f"the shape in the {spot}") for spot in SPOTS if (i := sole_in(scene, spot)) is not None]
    if placed and (picked is None or rng.random() < 0.15):
        picked = rng.choice(placed)
    if picked is None:
        return None
    index, reference = picked
    return _phrase(scene, rng, "color", "color", [reference], scene.objects[index].color, [index])


def _ask_shape(scene: Scene, rng: random.Random) -> Question | None:
    """By the color alone: a place would ask for the whole thing."""
    picked = pick(scene, rng, lambda i: True, "color")
    if picked is None:
        return None
    index, reference = picked
    return _phrase(scene, rng, "shape", "shape", [reference], scene.objects[index].shape, [index])


def _ask_number(scene: Scene, rng: random.Random) -> Question | None:
    return _ask_print(scene, rng, "number")


def _ask_word(scene: Scene, rng: random.Random) -> Question | None:
    return _ask_print(scene, rng, "word")


def _ask_print(scene: Scene, rng: random.Random, kind: str) -> Question | None:
    prints = [thing.print for thing in scene.objects]
    picked = pick(scene, rng, lambda i: (p := prints[i]) is not None and p.isdigit() == (kind == "number"))
    if picked is None:
        return None
    index, reference = picked
    return _phrase(scene, rng, kind, kind, [reference], prints[index] or "", [index])


def _ask_count(scene: Scene, rng: random.Random) -> Question | None:
    if rng.random() < 0.88:
        thing = rng.choice(scene.objects)
        color, shape = thing.color, thing.shape
    else:
        color, shape = rng.choice(COLORS), rng.choice(SHAPES)
    kind = rng.choice(("all", "shape", "shape", "color", "color", "both"))
    color = color if kind in ("color", "both") else ""
    shape = shape if kind in ("shape", "both") else ""
    counted = [o for o in scene.objects if color in (o.color, "") and shape in (o.shape, "")]
    return _phrase(scene, rng, "count", "count", [_noun(color, shape)], str(len(counted)))


def _noun(color: str, shape: str) -> str:
    """What is asked for, in the singular; an empty attribute is not asked for."""
    return f"{color} {shape or 'shape'}".strip()


def _ask_exists(scene: Scene, rng: random.Random) -> Question | None:
    kind = rng.choice(("both", "both", "both", "shape", "color"))
    by_color, by_shape = kind != "shape", kind != "color"
    every = [(c, s) for c in COLORS for s in SHAPES]
    matching = {
        look: [
            i
            for i, o in enumerate(scene.objects)
            if (not by_color or o.color == look[0]) and (not by_shape or o.shape == look[1])
        ]
        for look in every
    }
    yes = rng.random() < 0.5
    fitting = [look for look in every if bool(matching[look]) == yes]
    if not fitting:  # every colour, or every shape, is there
        return None
    seen_colors, seen_shapes = {o.color for o in scene.objects}, {o.shape for o in scene.objects}
    tricky = [look for look in fitting if look[0] in seen_colors and look[1] in seen_shapes]
    look = rng.choice(tricky if tricky and rng.random() < 0.6 else fitting)
    found = matching[look]
    noun = _noun(look[0] if by_color else "", look[1] if by_shape else "")
    targets = found if len(found) == 1 else []
    return _phrase(scene, rng, "exists", "exists", [noun], "yes" if yes else "no", targets)


def _ask_place(scene: Scene, rng: random.Random) -> Question | None:
    sole = [(spot, i) for spot in SPOTS if (i := sole_in(scene, spot)) is not None]
    where = pick(scene, rng, lambda i: scene.spot(i) is not None)
    if sole and (where is None or rng.random() < 0.5):
        spot, index = rng.choice(sole)
        answer = with_article(scene.objects[index].name)
        return _phrase(scene, rng, "place", "what at", [f"the {spot}"], answer, [index])
    if where is None:
        return None
    index, reference = where
    return _phrase(scene, rng, "place", "where", [reference], scene.spot(index) or "", [index])


def _ask_relation(scene: Scene, rng: random.Random) -> Question | None:
    refs = [reference_to(scene, rng, i) for i in range(len(scene.objects))]
    margins = (RELATION_MARGIN * scene.width, RELATION_MARGIN * scene.height)
    pairs = [
        (i, j, axis)
        for i, a in enumerate(scene.objects)
        for j, b in enumerate(scene.objects)
        for axis in (0, 1)
        if i != j and refs[i] and refs[j] and abs(a.center[axis] - b.center[axis]) >= margins[axis]
    ]
    if not pairs:
        return None
    i, j, axis = rng.choice(pairs)
    before = scene.objects[i].center[axis] < scene.objects[j].center[axis]
    answer = (("right", "left"), ("below", "above"))[axis][before]
    form = ("left or right", "above or below")[axis]
    return _phrase(scene, rng, "relation", form, [refs[i] or "", refs[j] or ""], answer, [i, j])


def _ask_describe(scene: Scene, rng: random.Random) -> Question | None:
    """The answer names the count, and the largest shape with its place, where both are clear."""
    order = sorted(range(len(scene.objects)), key=lambda i: -_extent(scene, i)[0])
    first, *rest = order
    spot = scene.spot(first)
    sizes = [_extent(scene, i) for i in rest]
    lead = _extent(scene, first)
    if spot is None or any(lead[k] < LARGER_BY * size[k] for size in sizes for k in (0, 1)):
        return None
    largest = with_article(scene.objects[first].name)
    answer = f"there are {len(order)} shapes. the largest is {largest} in the {spot}."
    return _phrase(scene, rng, "describe", "describe", [], answer)


def _extent(scene: Scene, index: int) -> tuple[float, float]:
    """An object's longer box side, and the root of the area it fills, in pixels."""
    thing = scene.objects[index]
    return max(thing.box.width, thing.box.height), thing.across * area(thing.shape) ** 0.5


_ASKERS: dict[str, Callable[[Scene, random.Random], Question | None]] = {
    "color": _ask_color,
    "shape": _ask_shape,
    "count": _ask_count,
    "place": _ask_place,
    "relation": _ask_relation,
    "exists": _ask_exists,
    "number": _ask_number,
    "word": _ask_word,
    "describe": _ask_describe,
}
