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
from arr_coc.engine.memory import HEADROOM, slot_bytes
from arr_coc.errors import ModelLoadError
from arr_coc.model.config import ModelConfig
from arr_coc.model.decoder import kv_shape
from arr_coc.model.loading import placement
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
    return measure(directory).parameters * placement(model)[1].itemsize


def resident_bytes(directory: Path, model: ModelConfig, engine: EngineConfig) -> int:
    """Bytes that the model holds while it is loaded: weights, slots, and what is kept of pictures.

    What forwards take while they run is not among them: that is the headroom of `memory_limit`. Raises
    UnsupportedFamily, NotSafetensors and ModelLoadError.
    """
    require_family(directory)
    device, dtype = placement(model)
    try:
        config: Any = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"the model at {directory} cannot be read: {error}") from error
    shape = kv_shape(config.get_text_config(), _Planned(dtype, device))
    slots = engine.slots * slot_bytes(shape, engine.max_length)
    return weight_bytes(directory, model) + slots + engine.shared_bytes


def memory_limit(model: ModelConfig) -> int:
    """Bytes that models may hold on the device of ``model``: what is free now, less what forwards need."""
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
