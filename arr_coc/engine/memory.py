"""What the model and the engine take of the device's memory: known, told and checked before anything of the
engine's is allocated."""

from dataclasses import asdict, dataclass

import torch

from arr_coc.engine.config import EngineConfig
from arr_coc.errors import ModelLoadError
from arr_coc.model.adapter import Footprint, KVShape
from arr_coc.model.sources.room import free_memory

HEADROOM = 0.1
"""Share of the free memory that is left to the allocator's fragments, and to other processes on a CPU."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes of one device. ``free`` is what the weights leave; the rest but them must fit into it."""

    weights: int
    slots: int
    shared: int  # kept of pictures for those who ask about them again
    activations: int
    headroom: int
    free: int

    def mib(self) -> dict[str, float]:
        """For a line of the log."""
        return {f"{what}_mib": round(size / 2**20, 1) for what, size in asdict(self).items()}


def token_bytes(shape: KVShape) -> int:
    """Keys and values of one token."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * shape.dtype.itemsize


def slot_bytes(shape: KVShape, max_length: int) -> int:
    """Keys and values of one slot."""
    return token_bytes(shape) * (max_length + 1)  # one column is scratch


def activation_bytes(shape: KVShape, footprint: Footprint, config: EngineConfig) -> int:
    """At most what one forward holds at once: a full prefill, or a step of all slots.

    One layer's numbers at a time, the keys and values of one layer that a prefill gathers, the additive
    mask, and the logits with their float32 copies.
    """
    tokens = max(config.prefill_token_budget, config.max_length)
    layer = tokens * footprint.layer_numbers * shape.dtype.itemsize
    gathered = config.slots * slot_bytes(shape, config.max_length) // shape.layers
    mask = tokens * config.max_length * (shape.dtype.itemsize + 1)  # and the booleans it is made of
    logits = config.slots * footprint.vocabulary * (shape.dtype.itemsize + 8)
    return layer + gathered + mask + logits


def plan(
    shape: KVShape, footprint: Footprint, config: EngineConfig, free_bytes: int | None = None
) -> MemoryPlan:
    """The memory of a loaded model's device. Raises ModelLoadError, with the number of slots that fit, where
    ``config`` needs more than is free beside the weights; that is asked of the device where it is None.
    """
    free = _free(shape.device) if free_bytes is None else free_bytes
    each = slot_bytes(shape, config.max_length)
    planned = MemoryPlan(
        weights=footprint.weight_bytes,
        slots=config.slots * each,
        shared=config.shared_bytes,
        activations=activation_bytes(shape, footprint, config),
        headroom=int(free * HEADROOM),
        free=free,
    )
    fitting = max(0, free - planned.headroom - planned.activations - planned.shared) // each
    if fitting < config.slots:
        raise ModelLoadError(
            f"{config.slots} slots of {config.max_length} tokens need {planned.slots / 2**30:.1f} GiB; "
            f"{fitting} fit into the {free / 2**30:.1f} GiB that the weights leave, "
            f"beside the {config.shared_mib:.0f} MiB of engine.shared_mib and "
            f"{planned.activations / 2**20:.0f} MiB for forwards. Lower engine.slots, engine.max_length, "
            "engine.prefill_token_budget or engine.shared_mib."
        )
    return planned


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_memory()
