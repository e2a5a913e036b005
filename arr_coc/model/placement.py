"""Where a model is loaded to, how precisely, and whether it fits there. Does not know families."""

from pathlib import Path

import torch

from arr_coc.errors import ModelLoadError
from arr_coc.model.config import ModelConfig
from arr_coc.model.precision import held_bytes
from arr_coc.model.sources.room import in_memory, require_memory
from arr_coc.model.weights import Weights


def placement(config: ModelConfig) -> tuple[torch.device, torch.dtype]:
    """Device and dtype of ``config``. Raises ModelLoadError where cuda is asked for and there is none."""
    has_cuda = torch.cuda.is_available()
    if config.device == "cuda" and not has_cuda:
        raise ModelLoadError("device 'cuda' is asked for, and there is no usable GPU")
    device = torch.device("cuda" if has_cuda and config.device != "cpu" else "cpu")
    return device, getattr(torch, config.chosen_dtype(device.type == "cuda"))


def require_weights_fit(directory: Path, weights: Weights, dtype: torch.dtype, config: ModelConfig) -> None:
    """Raises NoRoom where the weights do not fit beside what lies in memory already."""
    whole = weights.parameters - weights.matrices
    loaded = held_bytes(whole, weights.matrices, dtype.itemsize, config.quantization)
    if loaded != weights.bytes or not in_memory(directory):
        require_memory(loaded)
