"""Three ways of knowing where a picture matters, each a map over the first view's cells, 0..1.

Propositional: how much information a cell holds. Perspectival: how much it stands out.
Participatory: how strongly the question takes hold of it. Owns the scores; knows nothing of how
they are balanced nor of what is done with them.
"""

import numpy as np

from arr_coc.types import Floats

_LEAST_SPREAD = 0.05  # keeps a blank picture blank
_GAUSSIAN = np.exp(-0.5 * np.arange(-1, 2) ** 2) / np.exp(-0.5 * np.arange(-1, 2) ** 2).sum()  # sigma 1 cell


def ways_of_knowing(channels: Floats, attention: Floats | None) -> Floats:
    """All three maps ``[3, rows, cols]``, in the order of the module's first line.

    ``channels`` is the texture array ``[13, rows, cols]``; ``attention`` ``[rows, cols]`` the
    probe's, or None where nothing was asked.
    """
    asked = np.zeros(channels.shape[1:], np.float32) if attention is None else participatory(attention)
    return np.stack([propositional(channels), perspectival(channels), asked])


def propositional(channels: Floats) -> Floats:
    """Information: a cell's entropy, set against the rest of the picture."""
    return _against_picture(channels[12])


def perspectival(channels: Floats) -> Floats:
    """Salience: colour unlike the picture's own (Achanta et al., frequency-tuned saliency), edges, centre."""
    lab = np.stack([100 * channels[3], 255 * channels[4] - 128, 255 * channels[5] - 128])
    unlike = np.linalg.norm(lab - lab.mean(axis=(1, 2), keepdims=True), axis=0) / 100
    central = 1 - channels[11]
    edges = _against_picture(channels[8])
    return np.asarray(0.5 * _against_picture(unlike) + 0.4 * edges + 0.1 * central, np.float32)


def participatory(attention: Floats) -> Floats:
    """Coupling to the question: attention ``[rows, cols]``, smoothed, as a share of its maximum."""
    smooth = _smoothed(np.maximum(np.nan_to_num(attention, posinf=0.0), 0).astype(np.float64))
    peak = smooth.max()
    return np.asarray(smooth / peak if peak > 0 else smooth, np.float32)


def _against_picture(score: Floats) -> Floats:
    """Stretch between this picture's own 5th and 95th percentiles, clipped to 0..1."""
    low, high = np.percentile(score, (5, 95))
    return np.asarray(np.clip((score - low) / max(high - low, _LEAST_SPREAD), 0, 1), np.float32)


def _smoothed(plane: np.ndarray) -> np.ndarray:
    """3 x 3 Gaussian of sigma one cell; the border continues outward."""
    for axis in (0, 1):
        padded = np.pad(plane, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        size = plane.shape[axis]
        parts = [w * np.take(padded, np.arange(k, k + size), axis=axis) for k, w in enumerate(_GAUSSIAN)]
        plane = sum(parts[1:], parts[0])
    return plane
