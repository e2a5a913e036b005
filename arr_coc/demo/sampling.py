"""Makes scenes from seeds.

Owns what is in a picture and where: sizes, colours, print, places. Does not know how it is drawn or asked
about. The same seed and arguments give the same scene on every machine.
"""

import random
from dataclasses import replace
from math import exp, log

from arr_coc.demo.drawing import plate_size, print_center, shape_points
from arr_coc.demo.lettering import FONTS, SCALE, cap_height, lay_out, pixels_for, width_of
from arr_coc.demo.outlines import BARE_ROOM, PLATE_ROOM, turn
from arr_coc.demo.words import COMMON_WORDS
from arr_coc.demo.world import COLORS, SHAPES, Color, Glyph, Scene, SceneObject, spot_of
from arr_coc.errors import ConfigError
from arr_coc.types import Box

SMALLEST_SIDE = 256
ASPECTS = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))
PRINT_HEIGHTS = (12.0, 34.0)
PRINTED_SHARE = 0.66
RANDOM_LETTERS_SHARE = 0.55
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_OBJECTS = 12
RGB: dict[str, Color] = {
    "red": (214, 34, 36), "green": (34, 150, 62), "blue": (38, 84, 214), "yellow": (246, 218, 40),
    "purple": (132, 46, 172), "orange": (246, 134, 18), "black": (20, 20, 22), "white": (248, 248, 248),
}  # fmt: skip
LIGHT = ("yellow", "white", "orange")


def sample_scene(seed: int, *, size: int | None = None, fine: bool = False) -> Scene:
    """A scene of 2-12 objects that do not touch.

    ``size`` is the longer side in pixels (at least 256; drawn from 256..1024 where None). Objects measure
    6-20 % of the shorter side (up to 30 % below 512 px, so that print fits); ``fine`` goes down to 2 %.
    Raises ConfigError where ``size`` is too small.
    """
    if size is not None and size < SMALLEST_SIDE:
        raise ConfigError(f"size must be at least {SMALLEST_SIDE}", param="size")
    rng = random.Random(f"scene {seed} {size} {fine}")
    width, height = _sides(rng, size)
    wanted = _objects(rng, min(width, height), fine)
    return Scene(
        width=width,
        height=height,
        background=_background(rng),
        objects=_place(rng, wanted, width, height),
        texture=rng.choice(("plain", "plain", "gradient", "noise")),
        texture_seed=rng.getrandbits(32),
    )


def _sides(rng: random.Random, size: int | None) -> tuple[int, int]:
    longer = size if size is not None else rng.randrange(SMALLEST_SIDE, 1024 + 1, 32)
    sides = [(_side(longer, w, h), _side(longer, h, w)) for w, h in ASPECTS]
    return rng.choice([side for side in sides if min(side) >= SMALLEST_SIDE])


def _side(longer: int, mine: int, other: int) -> int:
    """A side in the ratio ``mine : other``; the shorter one is a multiple of 32."""
    return longer if mine >= other else round(longer * mine / other / 32) * 32


def _background(rng: random.Random) -> Color:
    """A muted tone, dark enough for white objects and light enough for black ones."""
    grey, tint = rng.uniform(105, 205), rng.choice((4, 22))
    red, green, blue = (round(grey + rng.uniform(-tint, tint)) for _ in range(3))
    return (red, green, blue)


def _objects(rng: random.Random, side: int, fine: bool) -> list[SceneObject]:
    """Objects without a place yet, the largest first."""
    count = rng.randint(2, min(MOST_OBJECTS, side // 36))
    largest = side * (0.3 if side < 512 else 0.2)
    hero = rng.random() < 0.5  # one object clearly the largest
    limit = largest / 1.3 if hero else largest
    smallest = max(side * 0.02, 24.0) if fine else max(side * 0.06, 40.0)
    things = []
    for index, (color, shape) in enumerate(_looks(rng, count)):
        stands_out = hero and index == 0
        low, high = (largest, largest) if stands_out else (smallest, limit * (0.7 if fine else 1.0))
        across = _log_uniform(rng, low, max(low, high))
        printed = index in (1, 2) or rng.random() < PRINTED_SHARE
        thing = _bare(rng, shape, color, across)
        fits_print = not fine or index in (1, 2) or across >= 40
        if printed and fits_print:
            thing = _printed(rng, thing, largest if stands_out else limit)
        things.append(thing)
    return sorted(things, key=lambda thing: -thing.across)


def _looks(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Colour and shape of each object: all different, or from few colours or few shapes."""
    style = rng.choice(("different", "different", "different", "few colors", "few shapes"))
    if style == "different":
        return rng.sample([(c, s) for c in COLORS for s in SHAPES], count)
    few = rng.randint(1, 3)
    colors = rng.sample(COLORS, few) if style == "few colors" else COLORS
    shapes = rng.sample(SHAPES, few) if style == "few shapes" else SHAPES
    return [(rng.choice(colors), rng.choice(shapes)) for _ in range(count)]


def _bare(rng: random.Random, shape: str, color: str, across: float) -> SceneObject:
    spread = 4 if color in ("black", "white") else 12  # tinted black or white reads as another colour
    red, green, blue = (min(255, max(0, v + rng.randint(-spread, spread))) for v in RGB[color])
    return SceneObject(
        shape=shape,
        color=color,
        box=Box(0, 0, 0, 0),
        print=None,
        glyphs=(),
        print_height=0.0,
        rgb=(red, green, blue),
        center=(0.0, 0.0),
        across=across,
        angle=rng.uniform(-9, 9) if rng.random() < 0.4 else 0.0,
        font=rng.choices(FONTS, (0.6, 0.2, 0.2))[0],
        font_pixels=0,
        ink=(0, 0, 0),
        plate=None,
    )


def _printed(rng: random.Random, thing: SceneObject, limit: float) -> SceneObject:
    """``thing`` with print of 12-34 px on it, grown up to ``limit`` for it; bare where that is too small."""
    text = str(rng.randint(10, 99)) if rng.random() < 0.52 else _word(rng)
    plated = rng.random() < 0.65
    shade = rng.randint(196, 212) if thing.color == "white" else rng.randint(232, 255)
    for plate in (plated, True):
        need = _across_per_height(thing, text, plate)
        low, high = PRINT_HEIGHTS[0], min(PRINT_HEIGHTS[1], limit / need)
        if high >= low:
            pixels = pixels_for(_log_uniform(rng, low, high))
            return replace(
                thing,
                print=text,
                font_pixels=pixels,
                print_height=cap_height(pixels),
                across=max(thing.across, need * cap_height(pixels)),
                ink=_ink(rng, thing.color, plate),
                plate=(shade, shade, shade) if plate else None,
            )
    return thing


def _word(rng: random.Random) -> str:
    if rng.random() < RANDOM_LETTERS_SHARE:
        return "".join(rng.choice(LETTERS) for _ in range(3))
    return rng.choice(COMMON_WORDS)


def _ink(rng: random.Random, color: str, plate: bool) -> Color:
    shade = rng.randint(0, 30)
    if plate or color in LIGHT:
        return (shade, shade, shade)
    return (255 - shade, 255 - shade, 255 - shade)


def _across_per_height(thing: SceneObject, text: str, plate: bool) -> float:
    """How many times its cap height an object must measure to carry this print."""
    pixels = 100
    width = width_of(lay_out(text, thing.font, pixels)) / cap_height(pixels)
    room = PLATE_ROOM[thing.shape] if plate else BARE_ROOM[thing.shape]
    needs = plate_size(width, 1.0) if plate else (width, 1.0)
    return max(needs[0] / room[0], needs[1] / room[1])


def _place(rng: random.Random, things: list[SceneObject], width: int, height: int) -> tuple[SceneObject, ...]:
    """Each object at a free place; those that find none are left out, but never the first two."""
    placed: list[SceneObject] = []
    gap = 3 + 0.012 * min(width, height)
    for index, thing in enumerate(things):
        for attempt in range(400 if index < 2 else 40):
            here = _moved(rng, thing, width, height)
            spot = spot_of(here.center[0] / width, here.center[1] / height)
            hazy = index == 0 and attempt < 10 and spot is None  # descriptions name the largest one's place
            if not hazy and all(_apart(here.box, other.box, gap) for other in placed):
                placed.append(here)
                break
    assert len(placed) >= 2
    rng.shuffle(placed)
    return tuple(placed)


def _moved(rng: random.Random, thing: SceneObject, width: int, height: int) -> SceneObject:
    points = shape_points(thing.shape, (0.0, 0.0), thing.across, thing.angle)
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x = rng.uniform(2 - min(xs), width - 2 - max(xs))
    y = rng.uniform(2 - min(ys), height - 2 - max(ys))
    box = Box(x + min(xs), y + min(ys), x + max(xs), y + max(ys))
    moved = replace(thing, center=(x, y), box=box)
    return replace(moved, glyphs=_glyphs(moved)) if moved.print else moved


def _glyphs(thing: SceneObject) -> tuple[Glyph, ...]:
    assert thing.print is not None
    x, y = print_center(thing.shape, thing.center, thing.across, thing.angle)
    glyphs = []
    for letter in lay_out(thing.print, thing.font, thing.font_pixels):
        x0, y0, x1, y1 = (edge / SCALE for edge in letter.ink)
        corners = [turn(corner, thing.angle) for corner in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
        xs, ys = [c[0] for c in corners], [c[1] for c in corners]
        glyphs.append(Glyph(letter.char, Box(x + min(xs), y + min(ys), x + max(xs), y + max(ys))))
    return tuple(glyphs)


def _apart(a: Box, b: Box, gap: float) -> bool:
    return a.x1 + gap < b.x0 or b.x1 + gap < a.x0 or a.y1 + gap < b.y0 or b.y1 + gap < a.y0


def _log_uniform(rng: random.Random, low: float, high: float) -> float:
    return exp(rng.uniform(log(low), log(high)))
