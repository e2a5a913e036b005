"""What a model will take is known from its files, and given back when it is let go."""

import weakref
from pathlib import Path

import pytest
import torch

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.memory import HEADROOM, plan
from arr_coc.engine.observer import Silent
from arr_coc.errors import UnsupportedFamily
from arr_coc.model.config import ModelConfig
from arr_coc.model.families import FAMILIES, PROMPTS
from arr_coc.model.loading import load
from arr_coc.model.sources.room import free_memory
from arr_coc.sizing import give_back, held_bytes, memory_limit, resident_bytes, weight_bytes
from arr_coc.vlm import VisionLanguageModel
from tests.arr_coc import tiny

ENGINE = EngineConfig(slots=3, max_length=256, shared_mib=2)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_model_holds_is_known_from_its_files(tmp_path: Path, family: str) -> None:
    tiny.model(family, torch.float32).save_pretrained(str(tmp_path))
    tokenizer = tiny.tokenizer()
    if family in PROMPTS:
        tokenizer.chat_template = None
    tokenizer.save_pretrained(str(tmp_path))
    model = ModelConfig(source=str(tmp_path), device="cpu")
    adapter = load(tmp_path, model)
    planned = plan(adapter.kv, adapter.footprint, ENGINE)  # of the model as it was loaded
    rest = planned.slots + planned.shared + planned.activations
    assert resident_bytes(tmp_path, model, ENGINE) == weight_bytes(tmp_path, model) + rest
    assert weight_bytes(tmp_path, model) == pytest.approx(planned.weights, rel=0.02)  # and a few buffers
    half = model.model_copy(update={"dtype": "bfloat16"})
    assert 2 * weight_bytes(tmp_path, half) == weight_bytes(tmp_path, model)


def test_a_family_that_is_not_served_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UnsupportedFamily):
        resident_bytes(tmp_path, ModelConfig(source=str(tmp_path)), ENGINE)


def test_models_may_hold_what_is_free_less_what_forwards_need() -> None:
    assert memory_limit(ModelConfig(device="cpu")) == pytest.approx(free_memory() * (1 - HEADROOM), rel=0.2)


def test_a_model_that_is_let_go_is_gone_and_so_is_its_memory() -> None:
    engine = EngineConfig(slots=32, max_length=2048, shared_mib=1)
    config = ModelConfig(device="cpu", threads=1)
    vlm = VisionLanguageModel.load(config, engine, Silent())
    before = held_bytes(config)
    slots = vlm._engine._runner._cache
    known = [weakref.ref(each) for each in (vlm, vlm._engine, vlm._adapter, slots.keys[0])]
    cache = sum(tensor.nbytes for tensor in (*slots.keys, *slots.values))
    vlm.close()
    del vlm, slots
    give_back()
    assert [each() for each in known] == [None] * 4
    assert before - held_bytes(config) > cache / 2  # of what was never touched nothing has to come back
