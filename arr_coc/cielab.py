"""From sRGB to CIELAB (IEC 61966-2-1, CIE 15), for many pixels at once.

L*, a* and b* are linear in the *responses* f(X/Xn), f(Y/Yn), f(Z/Zn), the white being D65; so means of
responses are all that means of colours need. Knows nothing of pictures.
"""

import numpy as np

from arr_coc.types import Floats, Pixels

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_XYZ = np.array(  # linear sRGB to XYZ
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_XYZ_OVER_WHITE = (_XYZ / _XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_KNEE = np.float32((6 / 29) ** 3)  # below, the cube root goes on as a straight line
_SLOPE, _FOOT = np.float32(841 / 108), np.float32(4 / 29)


def responses(planes: Pixels) -> Floats:
    """f(X/Xn), f(Y/Yn), f(Z/Zn) ``[3, ...]`` of gamma-encoded R, G, B ``[3, ...]``."""
    return _response(_XYZ_OVER_WHITE @ _linear(planes).reshape(3, -1)).reshape(planes.shape)


def lightness(pixels: Pixels) -> Floats:
    """L* / 100 ``[...]`` of gamma-encoded pixels ``[..., 3]``."""
    return lightness_of(_response(_linear(pixels) @ _XYZ_OVER_WHITE[1]))


def lightness_of(response: Floats) -> Floats:
    """L* / 100 of responses to Y."""
    light = response * np.float32(1.16)
    light -= np.float32(0.16)
    return light


def chroma_of(responses: Floats) -> Floats:
    """a*, b* ``[2, ...]`` of responses ``[3, ...]``."""
    x, y, z = responses
    return np.stack([500 * (x - y), 200 * (y - z)])


def _linear(levels: Pixels) -> Floats:
    return np.take(_LINEAR, levels, mode="clip")  # no level is out of range; looking for one takes time


def _response(tristimulus: Floats) -> Floats:
    response = np.maximum(tristimulus, _KNEE)
    # The cube root by log and exp: numpy's own is ten times slower without AVX-512.
    np.log(response, out=response)
    response *= np.float32(1 / 3)
    np.exp(response, out=response)
    dark = tristimulus < _KNEE
    if dark.any():
        np.copyto(response, tristimulus * _SLOPE + _FOOT, where=dark)
    return response
