"""Weights in 8 and 4 bits: which of them, how many bytes, and that the model still answers right."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch

from arr_coc.decoding import PictureLimits
from arr_coc.demo.evaluate import grade, held_out, in_process
from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.errors import ModelLoadError, NoRoom
from arr_coc.model import loading
from arr_coc.model.config import ModelConfig
from arr_coc.model.families import FAMILIES
from arr_coc.model.precision import Quantization, held_bytes
from arr_coc.model.source import DEMO
from arr_coc.model.sources import room
from arr_coc.model.weights import measure
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.vlm import VisionLanguageModel
from tests.arr_coc import tiny

pytestmark = pytest.mark.system  # torchao is not part of a plain installation: it is slow to import
KINDS: list[Quantization] = ["int8", "int4"]


@pytest.fixture(params=FAMILIES)
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    tiny.model(request.param, torch.float32).save_pretrained(str(tmp_path))
    tokenizer = tiny.tokenizer()
    if request.param in ("llava", "blip-2"):
        tokenizer.chat_template = None
    tokenizer.save_pretrained(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_quantized_is_what_the_files_said_would_be(directory: Path, kind: Quantization) -> None:
    loaded = loading.load(directory, ModelConfig(source=str(directory), device="cpu", quantization=kind))
    model: Any = getattr(loaded, "_vision", None) or loaded._model  # type: ignore[attr-defined]
    quantized = {name: p for name, p in model.named_parameters() if hasattr(p, "__tensor_flatten__")}
    weights = measure(directory)
    assert sum(p.numel() for p in quantized.values()) == weights.matrices > 0
    assert all("language_model" in name and "layers." in name for name in quantized)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_what_was_reckoned(kind: Quantization) -> None:
    adapter = loading.load(DEMO, ModelConfig(device="cpu", quantization=kind))
    weights = measure(DEMO)
    itemsize = adapter.kv.dtype.itemsize
    planned = held_bytes(weights.parameters - weights.matrices, weights.matrices, itemsize, kind)
    assert 0.95 * planned < adapter.footprint.weight_bytes <= planned
    assert planned < weights.parameters * itemsize


@pytest.mark.parametrize(("kind", "wrong"), [("int8", 0), ("int4", 3)])
def test_the_demo_still_answers_right(kind: Quantization, wrong: int) -> None:
    """Next to the whole weights, which answer all of these right."""
    vlm = VisionLanguageModel.load(ModelConfig(quantization=kind), EngineConfig(slots=8), Silent())
    encoder = TextureEncoder(ModelProfile.load(DEMO), PictureLimits())
    work = held_out(6, FIRST_HELD_OUT_SEED, 384, fine=False)
    try:
        graded = asyncio.run(grade(in_process(vlm, encoder), work, None, 8))
    finally:
        vlm.close()
    assert sum(not one.right for one in graded) <= wrong, graded


def test_rows_that_no_group_divides_cannot_be_held_in_4_bits(tmp_path: Path) -> None:
    model = tiny.model("qwen3_vl", torch.float32)
    for layer in model.model.language_model.layers:
        layer.mlp.down_proj = torch.nn.Linear(90, 64, bias=False)
    model.save_pretrained(str(tmp_path))
    with pytest.raises(ModelLoadError, match="not multiples of 32"):
        loading.load(tmp_path, ModelConfig(source=str(tmp_path), device="cpu", quantization="int4"))


def test_memory_that_only_fewer_bits_fit_into_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = 4 * measure(DEMO).parameters
    monkeypatch.setattr(room, "free_memory", lambda: whole - 1)
    with pytest.raises(NoRoom, match=r"model\.quantization"):
        loading.load(DEMO, ModelConfig(device="cpu"))
    loading.load(DEMO, ModelConfig(device="cpu", quantization="int8"))
