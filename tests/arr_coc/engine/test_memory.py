"""What memory is planned from is what is taken; slots that do not fit are refused before anything is."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from arr_coc.engine.cache import SlotCache
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.memory import HEADROOM, activation_bytes, plan, slot_bytes, token_bytes
from arr_coc.engine.observer import Silent
from arr_coc.engine.outcome import Outcome
from arr_coc.engine.runner import Runner
from arr_coc.engine.sequence import Sequence, Times
from arr_coc.engine.shared import Shared
from arr_coc.errors import ModelLoadError
from arr_coc.model.adapter import Footprint, KVShape
from arr_coc.types import Grid, Sampling
from tests.arr_coc import tiny

SHAPE = KVShape(layers=3, kv_heads=2, head_dim=8, dtype=torch.bfloat16, device=torch.device("cpu"))
FOOTPRINT = Footprint(weight_bytes=1000, layer_numbers=400, vocabulary=50)


def test_a_slot_is_as_large_as_the_cache_makes_it() -> None:
    cache = SlotCache(SHAPE, slots=5, max_length=64)
    assert 5 * slot_bytes(SHAPE, 64) == sum(t.nbytes for t in (*cache.keys, *cache.values))


def test_what_fits_is_taken_and_what_does_not_is_told() -> None:
    config = EngineConfig(slots=8, max_length=1024, shared_mib=3)
    needed = 8 * slot_bytes(SHAPE, 1024) + 3 * 2**20 + activation_bytes(SHAPE, FOOTPRINT, config)
    free = round(needed / (1 - HEADROOM)) + 8
    planned = plan(SHAPE, FOOTPRINT, config, free)
    assert planned.slots + planned.shared + planned.activations == needed
    assert free - needed - 16 < planned.headroom <= free - needed
    with pytest.raises(ModelLoadError, match="; 7 fit into"):
        plan(SHAPE, FOOTPRINT, config, free - 16)


def test_a_cpu_is_asked_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arr_coc.engine.memory.free_memory", lambda: 2**20)
    with pytest.raises(ModelLoadError, match="; 0 fit into"):
        plan(SHAPE, FOOTPRINT, EngineConfig())


class _Peak(TorchDispatchMode):
    """The most bytes that lived at once of what was made meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._living: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {storage._cdata for storage in _storages((args, kwargs))} - self._living.keys()
        made = func(*args, **(kwargs or {}))
        self._living = {key: held for key, held in self._living.items() if not held[0].expired()}
        for storage in _storages(made):
            if storage._cdata not in before:
                self._living[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.most = max(self.most, sum(size for _, size in self._living.values()))
        return made


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [value.untyped_storage() for value in tree_leaves(values) if torch.is_tensor(value)]


@pytest.mark.parametrize("family", ["qwen3_vl", "blip-2"])
async def test_a_full_prefill_stays_within_the_plan_and_is_not_far_below(family: str) -> None:
    adapter = tiny.adapter(family, torch.float32)
    config = EngineConfig(slots=2, max_length=128, prefill_token_budget=200, shared_mib=0)
    cache = SlotCache(adapter.kv, config.slots, config.max_length)
    runner = Runner(adapter, cache, {1: [0]}, Shared(cache, token_bytes(adapter.kv), 0, Silent()))
    rows = [_row(adapter, slot, config.prefill_token_budget // config.slots) for slot in range(config.slots)]
    with _Peak() as peak:
        runner.prefill(rows)
    planned = activation_bytes(adapter.kv, adapter.footprint, config)
    assert planned / 16 < peak.most <= planned


def _row(adapter: Any, slot: int, tokens: int) -> Sequence:
    grid = Grid(4, tokens // 5) if adapter.fixed_view is None else adapter.fixed_view.grid
    picture = tiny.picture(np.random.default_rng(slot), grid, adapter.token_side)
    room = tokens - len(adapter.prompt([grid], ""))
    prompt = tiny.shown(adapter.prompt([grid], "a " * room), [picture])
    return Sequence(
        id="x", prompt=prompt, sampling=Sampling(max_new_tokens=1), deadline=float("inf"),
        outcome=Outcome(), detokenizer=Detokenizer(adapter.tokenizer), times=Times(submitted=0.0), slot=slot,
    )  # fmt: skip
