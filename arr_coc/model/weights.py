"""How large a model's weights are, and whether their files are whole, by their headers alone.

The format: https://huggingface.co/docs/safetensors/index#format
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arr_coc.errors import ModelLoadError, NotSafetensors
from arr_coc.model.precision import is_quantizable

_LONGEST_HEADER = 100 * 2**20  # bytes, as the format has it


@dataclass(frozen=True, slots=True)
class Weights:
    """Numbers in all files, and the bytes that they take there.

    ``matrices`` of the numbers are in matrices that may be quantized, whose rows have these lengths
    (``columns``).
    """

    parameters: int
    bytes: int
    matrices: int = 0
    columns: frozenset[int] = frozenset()


def measure(directory: Path) -> Weights:
    """All safetensors files of ``directory`` together.

    Raises NotSafetensors where a file is not whole, ModelLoadError where it cannot be read.
    """
    each = [_measure(path) for path in sorted(directory.glob("*.safetensors"))]
    return Weights(
        sum(one.parameters for one in each),
        sum(one.bytes for one in each),
        sum(one.matrices for one in each),
        frozenset().union(*(one.columns for one in each)),
    )


def _measure(path: Path) -> Weights:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header: Any = json.loads(file.read(length)) if length <= min(size, _LONGEST_HEADER) else None
        header.pop("__metadata__", None)
        tensors = header.values()
        end: int = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
        count: int = sum(math.prod(tensor["shape"]) for tensor in tensors)
        shapes = [one["shape"] for name, one in header.items() if is_quantizable(name, one["shape"])]
    except OSError as error:
        raise ModelLoadError(f"{path.name} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise NotSafetensors(
            f"{path.name} is not a safetensors file; save the model again with save_pretrained(...)"
        ) from error
    if size != 8 + length + end:
        raise NotSafetensors(
            f"{path.name} has {size} bytes, and should have {8 + length + end}; copy it again"
        )
    return Weights(count, end, sum(map(math.prod, shapes)), frozenset(columns for _, columns in shapes))
