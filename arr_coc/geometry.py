"""Which views a model takes, by its ``config.json``: of any size, or always the same square.

Owns what differs between families before a weight is read, so that the texture stage, which has none, and
the model agree. Knows nothing of pictures or tensors.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from arr_coc.errors import ModelLoadError
from arr_coc.types import Grid

PREPROCESSOR_FILE = "preprocessor_config.json"
_BICUBIC = 3  # Pillow's number, as preprocessors tell it


class FixedView(BaseModel):
    """The one view of a model that sees every picture as a square of ``cells x cells``.

    A picture is ``whole`` in it, squeezed to a square, or its ``middle`` is cut out. ``closer`` says whether
    views of parts of the picture may follow, at the same price each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cells: int = Field(ge=1, description="along each side")
    queries: int | None = Field(default=None, ge=1, description="visual tokens that sum the view up")
    framing: Literal["whole", "middle"] = Field(description="what of a picture the square shows")
    closer: bool = Field(default=False, description="whether views of parts may follow")

    @property
    def grid(self) -> Grid:
        return Grid(self.cells, self.cells, self.queries)

    def check_preprocessor(self, path: Path, token_side: int) -> None:
        """Raises ModelLoadError where the model's ``preprocessor_config.json`` makes other pixels."""
        if not path.exists():
            return
        try:
            settings: dict[str, Any] = dict(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise ModelLoadError(f"{path} is not a preprocessor's configuration") from error
        for name, value in self._preprocessing(self.cells * token_side).items():
            if settings.get(name, value) != value:
                raise ModelLoadError(f"{path.name}: only {name} = {value} is served for this model")

    def _preprocessing(self, side: int) -> dict[str, Any]:
        """Settings of an image processor that makes this view, ``side`` pixels along."""
        square = {"height": side, "width": side}
        always = {"do_resize": True, "resample": _BICUBIC, "do_rescale": True, "do_normalize": True}
        if self.framing == "whole":
            return always | {"size": square}
        crop = {"size": {"shortest_edge": side}, "do_center_crop": True, "crop_size": square, "do_pad": False}
        return always | crop


@dataclass(frozen=True, slots=True)
class Geometry:
    """The side of a cell in pixels, None where the configuration does not tell; the ``fixed`` view, None
    where views of any size are taken."""

    token_side: int | None
    fixed: FixedView | None = None


def geometry(config: dict[str, Any]) -> Geometry:
    """The geometry of the model of this ``config.json``.

    Raises ModelLoadError where its family is served, but not in this variant.
    """
    return _BY_FAMILY.get(config.get("model_type", ""), _any_size())(config)


def _any_size(patch_side: int | None = None) -> Callable[[dict[str, Any]], Geometry]:
    """Of a family whose configurations may leave out that a patch has ``patch_side`` pixels."""

    def tell(config: dict[str, Any]) -> Geometry:
        vision = config.get("vision_config", {})
        patch = vision.get("patch_size", patch_side)
        return Geometry(None if patch is None else int(patch) * int(vision.get("spatial_merge_size", 2)))

    return tell


def _llava(config: dict[str, Any]) -> Geometry:
    _require(config, "LLaVA", "vision_config", "clip_vision_model")
    _require(config, "LLaVA", "text_config", "llama")
    if config.get("vision_feature_select_strategy", "default") != "default":
        raise ModelLoadError("LLaVA is served with vision_feature_select_strategy 'default' only")
    side, cells = _square(config, image_side=336)
    return Geometry(side, FixedView(cells=cells, framing="middle"))


def _blip_2(config: dict[str, Any]) -> Geometry:
    _require(config, "BLIP-2", "text_config", "opt")
    side, cells = _square(config, image_side=224)
    queries = int(config.get("num_query_tokens", 32))
    return Geometry(side, FixedView(cells=cells, queries=queries, framing="whole", closer=True))


def _require(config: dict[str, Any], family: str, part: str, kind: str) -> None:
    """Parts that a configuration leaves out are of the family's usual kind."""
    if (told := config.get(part, {}).get("model_type", kind)) != kind:
        raise ModelLoadError(f"{family} is served with {kind!r} as its {part}, and not with {told!r}")


def _square(config: dict[str, Any], image_side: int) -> tuple[int, int]:
    """Pixels of a patch's side, and patches along the picture's."""
    vision = config.get("vision_config", {})
    patch, whole = int(vision.get("patch_size", 14)), int(vision.get("image_size", image_side))
    if whole % patch:
        raise ModelLoadError(f"an image_size of {whole} is no multiple of the patch_size {patch}")
    return patch, whole // patch


_BY_FAMILY: dict[str, Callable[[dict[str, Any]], Geometry]] = {
    "qwen2_vl": _any_size(14),
    "qwen2_5_vl": _any_size(14),
    "qwen3_vl": _any_size(16),
    "llava": _llava,
    "blip-2": _blip_2,
}
