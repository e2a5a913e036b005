"""From the bytes of a picture to upright RGB pixels.

Owns every check on a picture that comes from outside, and does them on the header, before a pixel
is decoded. Knows nothing of models, tokens or requests. Only the first frame of an animation is
ever read.
"""

import io
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import ExifTags, Image
from pydantic import BaseModel, ConfigDict, Field

from arr_coc.errors import InvalidImage

Format = Literal["JPEG", "PNG", "WEBP", "GIF"]

_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"})
_UPRIGHT = {  # EXIF orientation -> the transposition that undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = frozenset({5, 6, 7, 8})  # orientations that swap width and height
_PILLOW_WARNS_FROM = 89_478_485  # pixels; our own cap lies below, so the warning says nothing new
warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on a client's file are not the operator's


class PictureLimits(BaseModel):
    """What pictures are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(
        default=32 * 2**20, ge=1, description="size of a picture's file; no more than http.max_body_mib"
    )
    max_pixels: int = Field(
        default=24_000_000, ge=1, le=_PILLOW_WARNS_FROM, description="width times height, once decoded"
    )
    min_side: int = Field(default=8, ge=1, description="pixels of the shorter side")
    max_aspect: float = Field(default=200.0, ge=1, description="longer side over shorter side")
    max_source_side: int = Field(
        default=4096, ge=1024, description="longer side, in pixels, that patches are cut from"
    )


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture says of itself; ``width x height`` are upright pixels."""

    width: int
    height: int
    format: Format


def read_header(image: bytes, limits: PictureLimits) -> PictureHeader:
    """Check a picture without decoding it. Raises InvalidImage."""
    file = _open(image, limits)
    width, height = file.size if _orientation(file) not in _LYING else file.size[::-1]
    return PictureHeader(width, height, _sniff(image))


def decoded_bytes(image: bytes, limits: PictureLimits) -> int:
    """The most that ``image`` occupies once it is decoded and scaled as `decode` is asked to, in bytes.

    Raises InvalidImage.
    """
    header = read_header(image, limits)
    shrink = min(1.0, limits.max_source_side / max(header.width, header.height))
    return 3 * round(header.width * shrink) * round(header.height * shrink)


def decode(image: bytes, limits: PictureLimits, long_side: int) -> Image.Image:
    """Decode to upright sRGB on white, scaled down so that no side is longer than ``long_side`` pixels.

    JPEGs are decoded at a reduced scale where that leaves ``long_side`` pixels. Raises InvalidImage.
    """
    file = _open(image, limits)
    upright = _UPRIGHT.get(_orientation(file))
    shrink = min(1.0, long_side / max(file.size))
    size = (max(1, round(file.width * shrink)), max(1, round(file.height * shrink)))
    try:
        file.draft(None, size)
        file.load()
        picture = _on_white(file)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises whatever a broken file makes it stumble over
        raise InvalidImage("the picture cannot be decoded") from error
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return picture if upright is None else picture.transpose(upright)


def _open(image: bytes, limits: PictureLimits) -> Image.Image:
    if not image:
        raise InvalidImage("the picture is empty", code="image_empty")
    if len(image) > limits.max_bytes:
        raise InvalidImage(f"the picture is larger than {limits.max_bytes} bytes", code="image_too_large")
    try:
        file = Image.open(io.BytesIO(image), formats=(_sniff(image),))
    except InvalidImage:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(limits) from None
    except Exception as error:
        raise InvalidImage("the picture cannot be decoded") from error
    _check(file, limits)
    return file


def _sniff(image: bytes) -> Format:
    """The format by its first bytes, whatever a file name or a content type may say."""
    if image.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if image.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if image.startswith(b"RIFF") and image[8:12] == b"WEBP":
        return "WEBP"
    raise InvalidImage("only JPEG, PNG, WebP and GIF pictures are read", code="unsupported_image_format")


def _check(file: Image.Image, limits: PictureLimits) -> None:
    short, long = sorted(file.size)
    if short * long > limits.max_pixels:
        raise _too_many_pixels(limits)
    if short < limits.min_side:
        raise InvalidImage(
            f"the picture's shorter side is under {limits.min_side} pixels", code="image_too_small"
        )
    if long > limits.max_aspect * short:
        raise InvalidImage(
            f"the picture's sides differ by more than {limits.max_aspect:g} to 1", code="aspect_ratio"
        )
    if file.mode not in _MODES:
        raise InvalidImage("the picture's pixel type is not supported", code="unsupported_image_mode")


def _too_many_pixels(limits: PictureLimits) -> InvalidImage:
    return InvalidImage(f"the picture has more than {limits.max_pixels} pixels", code="image_too_many_pixels")


def _orientation(file: Image.Image) -> int:
    if file.format == "PNG" and "exif" not in file.info:
        return 1  # Pillow would decode the whole picture to look for one behind the pixels
    try:
        return int(file.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a broken EXIF block leaves the picture as it lies
        return 1


def _on_white(file: Image.Image) -> Image.Image:
    if file.mode == "I;16":
        levels = (np.asarray(file).astype(np.uint32) + 128) // 257  # 65535 -> 255
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if not file.has_transparency_data:
        return file if file.mode == "RGB" else file.convert("RGB")
    layer = file.convert("RGBA")
    picture = Image.new("RGB", file.size, "white")
    picture.paste(layer, mask=layer)
    return picture
