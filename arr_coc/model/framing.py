"""The pixels that a picture tower of fixed size sees, with the arithmetic of the family's own processor.

Owns the reading of a model's ``preprocessor_config.json``: what would make other pixels is refused, never
ignored. Knows nothing of tensors or towers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from arr_coc.errors import ModelLoadError
from arr_coc.types import Pixels

Size = tuple[int, int]  # width and height


@dataclass(frozen=True, slots=True)
class Framing:
    """Resampled to what ``resized`` makes of a picture's size, then, where ``cropped`` says so, the middle
    of that size cut out. ``mean`` and ``std`` are the model's, of values 0..1."""

    resized: Callable[[Size], Size]
    cropped: Size | None
    resample: Image.Resampling
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, processor: Any, resized: Callable[[Size], Size] | None = None) -> Self:
        """As transformers' image ``processor`` over Pillow does it; ``resized`` goes before its ``size``.

        Raises ModelLoadError where it does something else besides."""
        _require(processor, "do_resize", True)
        _require(processor, "do_rescale", True)
        _require(processor, "do_normalize", True)
        _require(processor, "rescale_factor", 1 / 255)
        _require(processor, "do_pad", None, False)
        crop = processor.crop_size if processor.do_center_crop else None
        return cls(
            resized or _resizing(processor.size),
            None if crop is None else (crop.width, crop.height),
            Image.Resampling(processor.resample),
            tuple(processor.image_mean),
            tuple(processor.image_std),
        )

    def __call__(self, picture: Image.Image) -> Pixels:
        """uint8 [height, width, 3] of an RGB picture of any size."""
        seen = picture.resize(self.resized(picture.size), self.resample)
        if self.cropped is not None:
            width, height = self.cropped
            left, top = (seen.width - width) // 2, (seen.height - height) // 2
            seen = seen.crop((left, top, left + width, top + height))
        return np.asarray(seen)

    def require_square(self, side: int) -> None:
        """Raises ModelLoadError where pictures of some size become anything but a square of ``side`` pixels."""
        made = self(Image.new("RGB", (2 * side, 3 * side))).shape[:2]
        fits = self.cropped is None or min(self.resized((side, side))) >= max(self.cropped)
        if made != (side, side) or not fits:
            raise ModelLoadError(
                f"the preprocessor makes views of {made[1]} x {made[0]} pixels; the model sees {side} x {side}"
            )


def processor_of(kind: Any, directory: Path) -> Any:
    """The image processor of class ``kind`` with the settings in ``directory``. Raises ModelLoadError."""
    try:
        return kind.from_pretrained(directory)
    except (OSError, ValueError, TypeError) as error:
        raise ModelLoadError(f"no usable preprocessor_config.json at {directory}") from error


def _resizing(size: Any) -> Callable[[Size], Size]:
    if size.height and size.width:
        fixed = (int(size.width), int(size.height))
        return lambda _: fixed
    if not size.shortest_edge or size.longest_edge:
        raise ModelLoadError("the preprocessor's size must be height and width, or shortest_edge alone")
    short = int(size.shortest_edge)

    def shortest(picture: Size) -> Size:
        width, height = picture
        long = int(short * max(picture) / min(picture))
        return (short, long) if width <= height else (long, short)

    return shortest


def _require(processor: Any, name: str, *allowed: object) -> None:
    if getattr(processor, name, None) not in allowed:
        raise ModelLoadError(f"only a preprocessor with {name} = {allowed[0]} is served for this model")
