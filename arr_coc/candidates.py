"""Where a closer look may pay: candidate boxes over a map of scores.

Owns the shapes that are proposed, in *cells* of the map: regions that stand out, and the best
windows at two scales. Knows nothing of tokens, pixels or budgets.
"""

import numpy as np
from numpy.typing import NDArray

MAX_CANDIDATES = 200
STANDS_OUT = 0.2  # of the map's maximum
PADDING = 0.25  # of a region's size, on each side; at least LEAST_PADDING cells
LEAST_PADDING = 0.5
WINDOW_SCALES = (1.0, 1.5)  # of the smallest patch
STEP = 0.5  # cells between windows that are tried

Boxes = NDArray[np.float64]  # [..., 4]: y0, x0, y1, x1
Map = NDArray[np.float64]  # [rows, cols]


def candidates(score: Map, window: tuple[float, float]) -> Boxes:
    """At most 200 boxes ``[K, 4]`` (y0, x0, y1, x1 in cells) over ``score`` ``[rows, cols]``.

    ``window`` is the height and width, in cells, of the smallest patch. A map of zeros has none.
    """
    if not score.any():
        return np.empty((0, 4))
    found = _regions(score)[:MAX_CANDIDATES]
    for s in WINDOW_SCALES:
        windows = _windows(score, (window[0] * s, window[1] * s), MAX_CANDIDATES - len(found))
        found = np.concatenate([found, windows])
    return found


def integral(score: Map) -> Map:
    """Sums over all cells above and to the left: ``[..., rows + 1, cols + 1]``."""
    *outer, rows, cols = score.shape
    total = np.zeros((*outer, rows + 1, cols + 1))
    total[..., 1:, 1:] = score.cumsum(-2).cumsum(-1)
    return total


def mass(total: Map, boxes: Boxes, layer: NDArray[np.intp] | int = 0) -> NDArray[np.float64]:
    """Sum of the scores inside each box, cells cut by an edge counting by their share.

    ``total`` is an ``integral`` of one map or, where ``layer`` says which a box is for, of several.
    """
    y0, x0, y1, x1 = np.moveaxis(boxes, -1, 0)
    sums = _at(total, layer, np.stack([y1, y0, y1, y0]), np.stack([x1, x1, x0, x0]))
    return np.asarray(sums[0] - sums[1] - sums[2] + sums[3])


def _at(
    total: Map, layer: NDArray[np.intp] | int, y: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``total`` between its points, which is exact while scores are flat within a cell."""
    rows, cols = total.shape[-2:]
    row = np.minimum(y.astype(np.intp), rows - 2)
    col = np.minimum(x.astype(np.intp), cols - 2)
    down, right = y - row, x - col
    flat, corner = total.ravel(), (layer * rows + row) * cols + col
    top = flat.take(corner) * (1 - right) + flat.take(corner + 1) * right
    bottom = flat.take(corner + cols) * (1 - right) + flat.take(corner + cols + 1) * right
    return np.asarray(top * (1 - down) + bottom * down)


def _regions(score: Map) -> Boxes:
    """Boxes around connected cells that stand out, padded, merged where they overlap."""
    rows, cols = score.shape
    boxes = np.array([_padded(box) for box in _components(score > STANDS_OUT * score.max())])
    boxes = np.clip(boxes, 0, (rows, cols, rows, cols))
    merged: list[NDArray[np.float64]] = []
    for box in boxes:
        while touching := [other for other in merged if _overlap(box, other)]:
            merged = [other for other in merged if not _overlap(box, other)]
            both = np.stack([box, *touching])
            box = np.concatenate([both[:, :2].min(0), both[:, 2:].max(0)])
        merged.append(box)
    return np.stack(merged)


def _components(mask: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Bounding boxes of the 4-connected components, in reading order."""
    left = set(zip(*(axis.tolist() for axis in mask.nonzero()), strict=True))
    boxes = []
    for start in sorted(left):
        if start not in left:
            continue
        left.discard(start)
        component = [start]
        for y, x in component:  # grows while it is walked
            near = {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)} & left
            left -= near
            component.extend(near)
        ys, xs = zip(*component, strict=True)
        boxes.append((min(ys), min(xs), max(ys) + 1, max(xs) + 1))
    return boxes


def _padded(box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
    y0, x0, y1, x1 = box
    down, across = max(LEAST_PADDING, PADDING * (y1 - y0)), max(LEAST_PADDING, PADDING * (x1 - x0))
    return (y0 - down, x0 - across, y1 + down, x1 + across)


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool((np.minimum(a[2:], b[2:]) > np.maximum(a[:2], b[:2])).all())


def _windows(score: Map, size: tuple[float, float], most: int) -> Boxes:
    """At most ``most`` windows that hold more than those around them, best first, moved onto what they hold."""
    rows, cols = score.shape
    height, width = min(size[0], rows), min(size[1], cols)
    y0 = np.linspace(0, rows - height, int((rows - height) / STEP) + 1)
    x0 = np.linspace(0, cols - width, int((cols - width) / STEP) + 1)
    y, x = np.meshgrid(y0, x0, indexing="ij")
    boxes = np.stack([y, x, y + height, x + width], axis=-1)
    held = mass(integral(score), boxes).round(9)
    peak = (held > 0) & (held >= _neighbours(held))
    return _recentred(score, boxes[peak][np.argsort(-held[peak], kind="stable")[:most]])


def _neighbours(held: Map) -> Map:
    """The largest of each value's 3 x 3 neighbourhood."""
    for axis in (0, 1):
        padded = np.pad(held, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        size = held.shape[axis]
        held = np.max([np.take(padded, np.arange(k, k + size), axis=axis) for k in range(3)], axis=0)
    return held


def _recentred(score: Map, boxes: Boxes) -> Boxes:
    """Each box moved so that its middle is the centre of gravity of what it holds."""
    rows, cols = score.shape
    y, x = np.mgrid[0.5:rows, 0.5:cols]
    total = integral(np.stack([score, score * y, score * x]))
    held, at_y, at_x = (mass(total, boxes, layer) for layer in range(3))
    size = boxes[:, 2:] - boxes[:, :2]
    middle = np.stack([at_y / held, at_x / held], axis=-1)
    start = np.clip(middle - size / 2, 0, np.array([rows, cols]) - size)
    return np.concatenate([start, start + size], axis=-1)
