"""What the engine needs of a model: the whole contract between the two.

Owns the shapes that cross it. Does not know scheduling, slots' bookkeeping, or HTTP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import Cache

from arr_coc.geometry import FixedView
from arr_coc.types import Grid, Message, Pixels

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Prompt:
    """A tokenised prompt with the places of its pictures.

    Placeholders come from the chat template, never from a search in the user's text; their places
    are ``spans`` of (start, length), one a picture, in order.
    """

    token_ids: Ids  # [length]
    positions: Ids  # [axes, length], axes = 3 for M-RoPE
    spans: tuple[tuple[int, int], ...] = ()
    pictures: tuple[Pixels, ...] = ()  # uint8 [rows * side, cols * side, 3]
    digests: tuple[bytes, ...] = ()  # what each picture is known by; empty: nothing is kept of them

    def __len__(self) -> int:
        return len(self.token_ids)

    @cached_property
    def next_position(self) -> int:
        """Rotary position of the first generated token: one past the largest so far."""
        return int(self.positions.max()) + 1

    @property
    def visual_tokens(self) -> int:
        return sum(length for _, length in self.spans)

    @property
    def prefix_length(self) -> int:
        """Tokens up to the end of the first picture: what all questions about it begin with."""
        return sum(self.spans[0])

    @cached_property
    def prefix_key(self) -> bytes:
        """What the prefix is known by: its tokens, and what its picture shows."""
        digest = sha256(self.token_ids[: self.prefix_length].tobytes())
        digest.update(self.digests[0])
        return digest.digest()


@dataclass(frozen=True, slots=True)
class Features:
    """One picture as the language model takes it.

    ``tokens`` is [visual_tokens, hidden]; ``deepstack`` holds one tensor of that shape for each of
    the first decoder layers that visual features are added to (Qwen3-VL), else is empty.
    """

    tokens: torch.Tensor
    deepstack: tuple[torch.Tensor, ...] = ()

    def part(self, first: int, end: int) -> "Features":
        """Those of the tokens from ``first`` to before ``end``."""
        return Features(self.tokens[first:end], tuple(layer[first:end] for layer in self.deepstack))


@dataclass(slots=True)
class Readout:
    """Collects the attention of one query position a row during a forward.

    Afterwards ``maps`` holds, for each listed layer, float32 [rows, heads, kv_length].
    """

    heads: Mapping[int, Sequence[int]]  # layer -> query heads
    last: torch.Tensor  # [rows] index of the query position within this forward
    maps: list[torch.Tensor] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """One forward of the language model, padded on the right."""

    token_ids: torch.Tensor  # [rows, length]
    positions: torch.Tensor  # [axes, rows, length]
    mask: torch.Tensor  # [rows, 1, length, kv_length], additive, in the model's dtype
    last: torch.Tensor | None = None  # [rows] index whose logits are wanted; None: length is 1
    visual: torch.Tensor | None = None  # [rows, length] bool, where ``features`` go
    features: Sequence[Features] = ()
    readout: Readout | None = None
    bands: Sequence[tuple[int, int, int]] = ()  # rows from, before, and the tokens that they attend to


@dataclass(frozen=True, slots=True)
class KVShape:
    """What a slot cache must hold for the model."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True, slots=True)
class Footprint:
    """What memory is reckoned from: the bytes of all weights, and how wide the model is."""

    weight_bytes: int
    layer_numbers: int  # that one token, or the picture patches of one, take in the widest layer
    vocabulary: int


class Adapter(Protocol):
    """A vision-language model of one family, loaded and ready to run."""

    name: str
    kv: KVShape
    footprint: Footprint
    heads: int  # query heads a layer; 0 where visual tokens have no places that attention could point at
    axes: int  # position axes
    max_positions: int  # positions that the language model knows
    token_side: int  # pixels a cell of a view spans on each side
    fixed_view: FixedView | None  # the one view it takes; None: of any size
    eos_ids: frozenset[int]
    banned_ids: tuple[int, ...]  # control and placeholder ids that no answer may contain
    tokenizer: Tokenizer

    def prompt(self, grids: Sequence[Grid], query: str) -> Prompt:
        """Tokenise ``query`` about pictures seen in views of ``grids``; ``pictures`` is left empty."""

    def chat(self, messages: Sequence[Message], views: Sequence[Sequence[Grid]]) -> Prompt:
        """Tokenise a conversation whose pictures are each shown in these ``views``;
        ``pictures`` is left empty. Raises InvalidRequest where the chat template cannot show it."""

    def look(self, pictures: Sequence[Pixels]) -> list[Features]:
        """Run the vision tower over pictures of any sizes, in one pass."""

    def forward(self, batch: Batch, cache: Cache) -> torch.Tensor:
        """Run the language model; returns logits [rows, vocab] at ``last``."""
