"""Runs forwards: the only place that builds tensors from sequences.

``prefill`` and ``decode`` mirror each other: lay the rows out, point the cache at them, run the
model. Does not know queues, sampling, or what becomes of the results; changes no sequence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from arr_coc.engine.cache import SlotCache
from arr_coc.engine.layout import Layout, Part, Shown, unfinished
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.engine.shared import Shared
from arr_coc.engine.views import bands, bucketed
from arr_coc.model.adapter import Adapter, Batch, Features, Readout

Heads = Mapping[int, Sequence[int]]  # layer -> query heads


@dataclass(frozen=True, slots=True)
class Prefilled:
    """What a prefill gives: logits [rows, vocab] at each row's last prompt token and, of a probe,
    the attention of the listed heads over each row's first picture, float32 [heads, visual tokens].
    ``looked_at`` are the features of the pictures that it computed, by what they are known by;
    ``looking_at`` of each row those of the picture in whose midst it ended."""

    logits: torch.Tensor
    attention: list[NDArray[np.float32]]
    looked_at: Mapping[bytes, Features]
    looking_at: list[Features | None]
    padded_tokens: int


class Runner:
    """Forwards over one model and one cache."""

    def __init__(self, adapter: Adapter, cache: SlotCache, heads: Heads, shared: Shared) -> None:
        self._adapter = adapter
        self._cache = cache
        self._heads = heads
        self._shared = shared
        self._device = adapter.kv.device

    @torch.inference_mode()
    def prefill(self, rows: Sequence[Seq], most: int | None = None) -> Prefilled:
        """Run what is pending of each row's prompt, pictures included, or its next ``most`` tokens."""
        parts = [Part(row, row.next_part(most)) for row in rows]
        layout = Layout(parts, self._adapter.axes, self._cache.max_length)
        seen, looked_at = self._look(parts)
        features = [picture.part(*shown) for part in seen for picture, shown in part]
        slots, columns = self._tensor(layout.slots), self._tensor(layout.columns)
        self._cache.view_slots(slots, columns, layout.kv_length, layout.fresh)
        last = self._tensor(layout.last)
        readout = Readout(self._heads, last) if all(part.ends_probe for part in parts) else None
        batch = Batch(
            token_ids=self._tensor(layout.token_ids),
            positions=self._tensor(layout.positions),
            mask=self._mask(self._tensor(layout.reach), layout.kv_length),
            last=last,
            visual=self._tensor(layout.visual) if features else None,
            features=features,
            readout=readout,
        )
        logits = self._adapter.forward(batch, self._cache)
        attention = _over_first_picture(readout, rows) if readout else []
        looking_at = [unfinished(pictures) for pictures in seen]
        return Prefilled(logits, attention, looked_at, looking_at, layout.token_ids.size)

    @torch.inference_mode()
    def decode(self, rows: Sequence[Seq]) -> torch.Tensor:
        """Run the last token of rows in neighbouring slots; returns logits [rows, vocab].

        Rows that do not decode at the moment run along: what they write lies behind their length.
        """
        first = rows[0].slot
        state = np.array(
            [
                [row.output[-1] if row.output else 0 for row in rows],
                [row.length for row in rows],
                [row.position for row in rows],
            ],
            dtype=np.int64,
        )
        reached = (state[1] + 1).tolist()
        kv_length = bucketed(max(reached), self._cache.max_length)
        split = bands(reached, self._cache.max_length) if self._device.type == "cpu" else ()
        tokens, lengths, positions = self._tensor(state)
        self._cache.view_rows(first, lengths, kv_length)
        batch = Batch(
            token_ids=tokens[:, None],
            positions=positions.expand(self._adapter.axes, -1)[:, :, None],
            mask=self._mask(lengths[:, None], kv_length),
            bands=split if len(split) > 1 else (),
        )
        return self._adapter.forward(batch, self._cache)

    def _look(self, parts: Sequence[Part]) -> tuple[list[list[Shown]], Mapping[bytes, Features]]:
        """Of each part the pictures that it shows with the tokens that it shows of them, and those of
        them that were computed now, in one pass of the tower."""
        begun = [view for part in parts for view in part.begun]
        features, looked_at = self._shared.features(begun, self._adapter.look) if begun else ([], {})
        new = iter(features)
        return [part.shown(new) for part in parts], looked_at

    def _mask(self, reach: torch.Tensor, kv_length: int) -> torch.Tensor:
        """Additive mask [rows, 1, length, kv_length]: a query sees columns up to ``reach`` [rows, length]."""
        columns = torch.arange(kv_length, device=self._device)
        hidden = columns > reach[:, None, :, None]
        mask = torch.zeros(hidden.shape, dtype=self._adapter.kv.dtype, device=self._device)
        return mask.masked_fill_(hidden, torch.finfo(mask.dtype).min)

    def _tensor(self, array: NDArray[np.generic]) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self._device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)


def _over_first_picture(readout: Readout, rows: Sequence[Seq]) -> list[NDArray[np.float32]]:
    attention = torch.cat(readout.maps, dim=1)  # [rows, heads, kv_length]
    spans = [row.prompt.spans[0] for row in rows]
    end = max(start + length for start, length in spans)
    near = attention[:, :, :end].cpu().numpy()
    return [near[i, :, start : start + length] for i, (start, length) in enumerate(spans)]
