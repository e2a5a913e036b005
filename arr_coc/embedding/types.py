"""What is asked of an embedding model, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arr_coc.status import EngineStatus

Kind = Literal["text", "picture"]


@dataclass(frozen=True, slots=True)
class EmbeddingAsk:
    """Texts, and pictures as the bytes of their files. ``names`` are what the client calls each of them,
    for errors."""

    request_id: str
    inputs: tuple[str | bytes, ...]
    names: tuple[str, ...]
    remaining_s: float = 60.0
    tenant: str = ""
    trace_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Embedded:
    """``vectors`` float32 [inputs, dimensions], each of length one; ``tokens`` of texts and patches of
    pictures together."""

    vectors: NDArray[np.float32]
    tokens: int
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Labelled:
    """How likely each label is of the picture, 0..1, in the order they were asked. ``independent``: each by
    itself; otherwise they sum to one."""

    likelihoods: NDArray[np.float64]
    independent: bool
    tokens: int
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddingStatus(EngineStatus):
    """A snapshot; ``running`` and ``waiting`` are texts and pictures, ``slots`` how many one forward takes."""

    dimensions: int = 0  # of a vector; 0 until the model is loaded
