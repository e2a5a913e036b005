"""Weights in 8 or 4 bits, by torchao inside transformers: https://docs.pytorch.org/ao/stable/.

Owns which format runs on which device. Activations, keys and values keep the model's dtype.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from arr_coc.errors import ModelLoadError
from arr_coc.model.precision import GROUPS, KEPT_WHOLE, Quantization, group_size
from arr_coc.model.weights import Weights

if TYPE_CHECKING:
    from torchao.core.config import AOBaseConfig


def arguments(quantization: Quantization, weights: Weights, device: torch.device) -> dict[str, Any]:
    """What ``from_pretrained`` is to be told so that ``weights`` are quantized as they are read.

    Raises ModelLoadError where torchao is not installed, or the matrices cannot be held so.
    """
    if find_spec("torchao") is None:
        raise ModelLoadError(
            f"model.quantization {quantization} needs torchao: pip install 'arr-coc-serve[quantization]'"
        )
    from transformers import TorchAoConfig

    method = _int8() if quantization == "int8" else _int4(weights, device)
    settings = TorchAoConfig(method, modules_to_not_convert=[KEPT_WHOLE])
    # packed for the device's kernels, so there from the start
    placed = {"device_map": {"": device}} if device.type == "cuda" else {}
    return {"quantization_config": settings, **placed}


def _int8() -> "AOBaseConfig":
    from torchao.quantization import Int8WeightOnlyConfig

    return Int8WeightOnlyConfig(set_inductor_config=False)  # which are settings of the whole process


def _int4(weights: Weights, device: torch.device) -> "AOBaseConfig":
    size = group_size(weights.columns)
    if size is None:
        raise ModelLoadError(
            f"this model cannot be held in 4 bits: its rows are not multiples of {min(GROUPS)}; "
            "set model.quantization: int8"
        )
    if device.type == "cuda":
        from torchao.quantization import Int4WeightOnlyConfig

        return Int4WeightOnlyConfig(
            group_size=size, int4_packing_format="tile_packed_to_4d", set_inductor_config=False
        )
    # the CPU's kernel is in torch itself; torchao keeps its packing among its prototypes
    from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig

    return PrototypeInt4WeightOnlyConfig(group_size=size, set_inductor_config=False)
