"""How many bytes the weights of a model take, by how they are held. Knows names and numbers, no tensors.

Only the matrices of the language model's layers are held in fewer bits: they are nearly all of a large
model, while embeddings, head and vision tower lose more than they save.
"""

import re
from typing import Literal

Quantization = Literal["int8", "int4"]

KEPT_WHOLE = r".*(?:visual|vision|qformer|projector|projection|embed|lm_head)[^.]*"
"""Begins the names of what is never quantized, whatever the family calls its parts."""

GROUPS = (128, 64, 32)
"""Numbers that share a scale at 4 bits, the best first; the kernels of the CPU and of CUDA take these."""

_MATRIX = re.compile(rf"(?!{KEPT_WHOLE}).*\.layers\..*\.weight")
_SCALES = 4  # bytes of a group's scale and zero point, or more than a row's scale of an 8-bit matrix


def is_quantizable(name: str, shape: list[int]) -> bool:
    """Whether the tensor of this name in a checkpoint is a matrix of the language model's layers."""
    return len(shape) == 2 and _MATRIX.fullmatch(name) is not None


def group_size(columns: frozenset[int]) -> int | None:
    """The largest group that all rows of these lengths divide into; None where there is none."""
    return next((size for size in GROUPS if all(length % size == 0 for length in columns)), None)


def held_bytes(whole: int, matrices: int, itemsize: int, quantization: Quantization | None) -> int:
    """Bytes of ``whole`` numbers of ``itemsize`` bytes and of ``matrices`` more that may be quantized."""
    if quantization is None:
        return (whole + matrices) * itemsize
    halves, group = (2, min(GROUPS) * 4) if quantization == "int8" else (1, min(GROUPS))
    return whole * itemsize + matrices * halves // 2 + matrices // group * _SCALES
