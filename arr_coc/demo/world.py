"""What a scene and a question about it are: plain frozen values.

Owns the names of colours, shapes, kinds and places. Does not know how scenes are made, drawn or asked about.
All coordinates are pixels of the picture, y downwards.
"""

from dataclasses import dataclass

from arr_coc.types import Box

COLORS = ("red", "green", "blue", "yellow", "purple", "orange", "black", "white")
SHAPES = ("circle", "square", "triangle", "star", "diamond", "cross")
KINDS = ("color", "shape", "count", "place", "relation", "exists", "number", "word", "describe")
SPOTS = ("top left", "top right", "bottom left", "bottom right", "middle")
FIRST_HELD_OUT_SEED = 900_000
"""Scenes with seeds from here on are for evaluation only."""

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Glyph:
    """One printed character and the axis-aligned box of its ink."""

    char: str
    box: Box


@dataclass(frozen=True)
class SceneObject:
    """One shape, with what is printed on it.

    ``box`` is the tight box of the shape; ``across`` the side of the square that its outline is defined in;
    ``angle`` turns shape and print clockwise, in degrees; ``print_height`` is the cap height in pixels.
    Without print: ``print`` is None, ``glyphs`` empty, ``print_height`` 0. ``plate`` is None where the
    print stands straight on the shape.
    """

    shape: str
    color: str
    box: Box
    print: str | None
    glyphs: tuple[Glyph, ...]
    print_height: float
    rgb: Color
    center: tuple[float, float]
    across: float
    angle: float
    font: str
    font_pixels: int
    ink: Color
    plate: Color | None

    @property
    def name(self) -> str:
        """Colour and shape."""
        return f"{self.color} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """A picture before it is drawn.

    ``texture`` is "plain", "gradient" or "noise", and ``texture_seed`` its detail.
    """

    width: int
    height: int
    background: Color
    objects: tuple[SceneObject, ...]
    texture: str
    texture_seed: int

    @property
    def box(self) -> Box:
        """The whole picture."""
        return Box(0, 0, self.width, self.height)

    def spot(self, index: int, reach: float = 0.34, middle: float = 0.1) -> str | None:
        """The place an object's centre is clearly in, or None between places.

        Corners reach ``reach`` of each side inwards; the middle lies within ``middle`` of the centre.
        """
        x, y = self.objects[index].center
        return spot_of(x / self.width, y / self.height, reach, middle)


def spot_of(x: float, y: float, reach: float = 0.34, middle: float = 0.1) -> str | None:
    """The place of a point given in fractions of the picture; see ``Scene.spot``."""
    if abs(x - 0.5) <= middle and abs(y - 0.5) <= middle:
        return "middle"
    row = "top" if y <= reach else "bottom" if y >= 1 - reach else None
    column = "left" if x <= reach else "right" if x >= 1 - reach else None
    return f"{row} {column}" if row and column else None


@dataclass(frozen=True)
class Question:
    """A question with its one right answer.

    ``targets`` are the objects the text refers to, in order of mention, and ``mentions`` the character
    spans of those phrases. ``box`` holds what must be seen: the asked object, both objects of a relation,
    or the whole picture. ``form`` and ``slots`` say the same question free of its wording: the family of
    wordings, and the phrases they are filled with (aligned with the targets where there are any).
    """

    text: str
    answer: str
    kind: str
    box: Box
    targets: tuple[int, ...]
    mentions: tuple[tuple[int, int], ...]
    form: str
    slots: tuple[str, ...]
