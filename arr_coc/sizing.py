"""What a model takes of memory, known before any of it is loaded, and what there is of it.

Knows the device and the engine's settings; not which models share it, nor when one is loaded.
"""

import ctypes
import gc
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.memory import HEADROOM, activation_bytes, slot_bytes
from arr_coc.errors import ModelLoadError
from arr_coc.geometry import geometry
from arr_coc.model import precision
from arr_coc.model.adapter import Footprint
from arr_coc.model.config import ModelConfig
from arr_coc.model.decoder import kv_shape, layer_numbers
from arr_coc.model.placement import placement
from arr_coc.model.sources.files import require_family
from arr_coc.model.sources.room import free_memory
from arr_coc.model.weights import measure

_STATM = Path("/proc/self/statm")
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class _Planned:
    """A model that is not there yet, as its cache sees it."""

    dtype: torch.dtype
    device: torch.device


def weight_bytes(directory: Path, model: ModelConfig) -> int:
    """Bytes of the weights once they are loaded. Raises NotSafetensors, and ModelLoadError where the device
    is not there."""
    weights, itemsize = measure(directory), placement(model)[1].itemsize
    whole = weights.parameters - weights.matrices
    return precision.held_bytes(whole, weights.matrices, itemsize, model.quantization)


def resident_bytes(directory: Path, model: ModelConfig, engine: EngineConfig) -> int:
    """Bytes that the model holds while it is loaded: weights, slots, what is kept of pictures, and what a
    forward takes, since models that are loaded run beside one another.

    Raises UnsupportedFamily, NotSafetensors and ModelLoadError.
    """
    require_family(directory)
    device, dtype = placement(model)
    try:
        config: Any = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"the model at {directory} cannot be read: {error}") from error
    text, weights = config.get_text_config(), weight_bytes(directory, model)
    shape = kv_shape(text, _Planned(dtype, device))
    one = Footprint(weights, layer_numbers(text, config.vision_config, _patches(config)), text.vocab_size)
    slots = engine.slots * slot_bytes(shape, engine.max_length)
    return weights + slots + engine.shared_bytes + activation_bytes(shape, one, engine)


def _patches(config: Any) -> float:
    """Patches of the vision tower for each visual token."""
    fixed = geometry(config.to_dict()).fixed
    if fixed is None:
        return float(config.vision_config.spatial_merge_size**2)
    return fixed.grid.cells / fixed.grid.tokens


def memory_limit(model: ModelConfig) -> int:
    """Bytes that models may hold on the device of ``model``: what is free now, less the headroom."""
    device, _ = placement(model)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    return int(free * (1 - HEADROOM))


def held_bytes(model: ModelConfig) -> int:
    """Bytes that this process holds now of the memory in which ``model`` will be."""
    if placement(model)[0].type == "cuda":
        return torch.cuda.memory_allocated()
    return int(_STATM.read_text().split()[1]) * _PAGE


def give_back() -> None:
    """Hand memory that nobody refers to any more back to the device, and to the machine."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
