import numpy as np
import pytest

from arr_coc.cielab import chroma_of, lightness, lightness_of, responses


def lab_of(pixels: np.ndarray) -> np.ndarray:
    """L*, a*, b* ``[..., 3]`` by the module under test."""
    response = responses(np.ascontiguousarray(np.moveaxis(pixels, -1, 0)))
    return np.stack([100 * lightness_of(response[1]), *chroma_of(response)], axis=-1)


def reference_lab(pixels: np.ndarray) -> np.ndarray:
    """CIELAB of gamma-encoded pixels, by the standards' own formulas and in double precision."""
    c = pixels / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array(
        [
            [0.4124564, 0.2126729, 0.0193339],
            [0.3575761, 0.7151522, 0.1191920],
            [0.1804375, 0.0721750, 0.9503041],
        ]
    )
    t = xyz / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


@pytest.mark.parametrize(
    ("rgb", "lab"),  # published, to two digits
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (100, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_known_colors(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    assert np.abs(lab_of(np.array([rgb], np.uint8))[0] - lab).max() < 0.02


def test_every_grey_and_many_colors_are_the_standards() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colors = np.random.default_rng(0).integers(0, 256, (4000, 3), np.uint8)
    pixels = np.concatenate([grey, colors, colors // 16])
    expected = reference_lab(pixels.astype(float))
    assert np.abs(lab_of(pixels) - expected).max() < 2e-3  # the white point's own digits
    assert np.abs(100 * lightness(pixels) - expected[:, 0]).max() < 1e-4
