"""SlotCache: the keys and values of all running sequences, one slot each.

Owns the tensors and the two ways a forward may see them. Does not know which
sequence sits in a slot nor how long it is: the runner tells it before each forward.
"""

from typing import Any

import torch
from transformers import Cache

from arr_coc.model.adapter import KVShape


class SlotCache(Cache):
    """Per layer two tensors ``[slots, kv_heads, max_length + 1, head_dim]``.

    A row is written at its own length and masked by it, so joining, leaving and cutting back change
    numbers, not tensors. The last column is scratch: padding that would fall behind the end of a
    slot is written there and never attended.
    """

    def __init__(self, shape: KVShape, slots: int, max_length: int) -> None:
        super().__init__(layers=[])
        size = (slots, shape.kv_heads, max_length + 1, shape.head_dim)
        self.max_length = max_length
        self.keys = [torch.zeros(size, dtype=shape.dtype, device=shape.device) for _ in range(shape.layers)]
        self.values = [torch.zeros_like(k) for k in self.keys]
        self._view: _Rows | _Slots | _Fresh

    def view_rows(self, first: int, lengths: torch.Tensor, kv_length: int) -> None:
        """Decode: rows ``first .. first + len(lengths)`` append one token each at ``lengths`` [rows]."""
        self._view = _Rows(first, lengths, kv_length)

    def view_slots(self, slots: torch.Tensor, columns: torch.Tensor, kv_length: int, fresh: bool) -> None:
        """Prefill: write ``slots`` [rows] at ``columns`` [rows, length]; attend ``kv_length`` tokens,
        or only the new ones where every row is ``fresh`` (starts at column 0)."""
        self._view = _Fresh(slots, columns) if fresh else _Slots(slots, columns, kv_length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store [rows, kv_heads, length, head_dim] and return what the rows attend to."""
        return (
            self._view.store(self.keys[layer_idx], key_states),
            self._view.store(self.values[layer_idx], value_states),
        )

    def states(self, slot: int, length: int) -> list[torch.Tensor]:
        """The first ``length`` tokens of a slot, to read or write: of each layer its keys and its values,
        [kv_heads, length, head_dim]."""
        return [tensor[slot, :, :length] for tensor in (*self.keys, *self.values)]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` tokens of a slot to another."""
        for to, of in zip(self.states(target, length), self.states(source, length), strict=True):
            to.copy_(of)

    def clear(self, slot: int) -> None:
        """Zero a slot whose contents are not finite: masked NaN would still poison attention."""
        for tensor in (*self.keys, *self.values):
            tensor[slot].zero_()

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0  # positions and masks are always passed explicitly

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        return query_length, 0

    def get_max_cache_shape(self, layer_idx: int = 0) -> int:
        return self.max_length


class _Rows:
    def __init__(self, first: int, lengths: torch.Tensor, kv_length: int) -> None:
        self.rows = slice(first, first + len(lengths))
        self.index = torch.arange(first, first + len(lengths), device=lengths.device)
        self.lengths, self.kv_length = lengths, kv_length

    def store(self, tensor: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        tensor[self.index, :, self.lengths] = states[:, :, 0]
        return tensor[self.rows, :, : self.kv_length]


class _Slots:
    def __init__(self, slots: torch.Tensor, columns: torch.Tensor, kv_length: int) -> None:
        self.slots, self.columns, self.kv_length = slots, columns, kv_length

    def store(self, tensor: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        tensor[self.slots[:, None], :, self.columns] = states.transpose(1, 2)
        return tensor[self.slots, :, : self.kv_length]


class _Fresh:
    def __init__(self, slots: torch.Tensor, columns: torch.Tensor) -> None:
        self.slots, self.columns = slots, columns

    def store(self, tensor: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        tensor[self.slots[:, None], :, self.columns] = states.transpose(1, 2)
        return states
