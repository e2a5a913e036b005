"""From a model directory to an adapter on its device."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.utils.constants import (
    IMAGENET_STANDARD_MEAN,
    IMAGENET_STANDARD_STD,
    OPENAI_CLIP_MEAN,
    OPENAI_CLIP_STD,
)

from arr_coc.errors import ModelLoadError
from arr_coc.geometry import PREPROCESSOR_FILE
from arr_coc.model.adapter import Adapter
from arr_coc.model.blip2 import Blip2
from arr_coc.model.config import ModelConfig
from arr_coc.model.llava import Llava
from arr_coc.model.placement import placement, require_weights_fit
from arr_coc.model.quantizing import arguments
from arr_coc.model.qwen_vl import QwenVL
from arr_coc.model.sources.files import require_family
from arr_coc.model.weights import measure

_ADAPTERS: dict[str, type[Blip2] | type[Llava] | type[QwenVL]] = {
    "qwen2_vl": QwenVL,
    "qwen2_5_vl": QwenVL,
    "qwen3_vl": QwenVL,
    "llava": Llava,
    "blip-2": Blip2,
}


def load(directory: Path, config: ModelConfig) -> Adapter:
    """Load the weights, mapped from their files where they keep their dtype, so that they are in memory once.

    Quantized, they are so while they are read, one matrix after the other. Raises UnsupportedFamily,
    NotSafetensors, NoRoom, and ModelLoadError where this variant of the family is not served, cannot be
    quantized, or a file is broken.
    """
    family = require_family(directory)
    device, dtype = placement(config)
    weights = measure(directory)
    if device.type == "cpu":
        require_weights_fit(directory, weights, dtype, config)
    more = arguments(config.quantization, weights, device) if config.quantization else {}
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        model: Any = AutoModelForImageTextToText.from_pretrained(
            directory, dtype=dtype, use_safetensors=True, trust_remote_code=False, **more
        )
        tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelLoadError(f"the model at {directory} cannot be loaded: {error}") from error
    mean, std = _normalisation(directory, family)
    return _ADAPTERS[family](config.served_name, model.to(device).eval(), tokenizer, mean, std)


def _normalisation(directory: Path, family: str) -> tuple[list[float], list[float]]:
    """Mean and deviation of the model's image processor; the family's own where it is not told."""
    path = directory / PREPROCESSOR_FILE
    if not path.is_file():
        if family == "qwen3_vl":
            return IMAGENET_STANDARD_MEAN, IMAGENET_STANDARD_STD
        return OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
    settings = _read_json(path)
    return settings["image_mean"], settings["image_std"]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path} cannot be read: {error}") from error
    return content
