"""The outlines of the shapes, and how much print fits on each.

Owns geometry in units of an object's ``across``, around its centre, y downwards. Does not know pixels.
"""

from math import cos, pi, radians, sin

Point = tuple[float, float]


def _ring(corners: int, start: float, outer: float, inner: float | None = None) -> tuple[Point, ...]:
    """Points around the centre; with ``inner``, every second one is drawn in."""
    radii = [outer if inner is None or k % 2 == 0 else inner for k in range(corners)]
    angles = [start + 2 * pi * k / corners for k in range(corners)]
    return tuple((r * cos(a), r * sin(a)) for r, a in zip(radii, angles, strict=True))


_ARM = 0.18
OUTLINES: dict[str, tuple[Point, ...]] = {
    "circle": _ring(64, 0.0, 0.5),
    "square": ((-0.45, -0.45), (0.45, -0.45), (0.45, 0.45), (-0.45, 0.45)),
    "triangle": ((0.0, -0.47), (0.5, 0.43), (-0.5, 0.43)),
    "star": _ring(10, -pi / 2, 0.53, 0.24),
    "diamond": ((0.0, -0.5), (0.41, 0.0), (0.0, 0.5), (-0.41, 0.0)),
    "cross": (
        (-_ARM, -0.5), (_ARM, -0.5), (_ARM, -_ARM), (0.5, -_ARM), (0.5, _ARM), (_ARM, _ARM),
        (_ARM, 0.5), (-_ARM, 0.5), (-_ARM, _ARM), (-0.5, _ARM), (-0.5, -_ARM), (-_ARM, -_ARM),
    ),
}  # fmt: skip

PRINT_DROP = {"triangle": 0.14}
"""How far below the centre the print stands, where it does not stand in it."""

BARE_ROOM = {
    "circle": (0.74, 0.50), "square": (0.80, 0.60), "triangle": (0.46, 0.24), "star": (0.40, 0.30),
    "diamond": (0.52, 0.30), "cross": (0.90, 0.28),
}  # fmt: skip
"""Width and height of the rectangle that lies inside the shape, around the print's centre."""

PLATE_ROOM = {
    "circle": (0.86, 0.50), "square": (0.84, 0.56), "triangle": (0.70, 0.36), "star": (0.68, 0.34),
    "diamond": (0.70, 0.36), "cross": (0.70, 0.34),
}  # fmt: skip
"""The largest plate that leaves the shape recognisable."""


def turn(point: Point, degrees: float) -> Point:
    """``point`` turned clockwise (y downwards) around the centre."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return (point[0] * c - point[1] * s, point[0] * s + point[1] * c)


def outline(shape: str, degrees: float) -> tuple[Point, ...]:
    """The corners of ``shape``, turned clockwise."""
    return tuple(turn(p, degrees) for p in OUTLINES[shape])


def area(shape: str) -> float:
    """The share of the ``across`` square that the shape fills (shoelace formula)."""
    points = OUTLINES[shape]
    pairs = zip(points, points[1:] + points[:1], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2
