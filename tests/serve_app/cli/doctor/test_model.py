"""A model's directory and its memory, whole and damaged."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from arr_coc.engine.memory import slot_bytes
from arr_coc.model.config import ModelConfig
from arr_coc.model.families import FAMILIES
from arr_coc.model.loading import load
from arr_coc.model.source import DEMO
from arr_coc.model.weights import measure
from serve_app.cli.doctor.finding import Finding
from serve_app.cli.doctor.model import check_models
from serve_app.cli.doctor.weights import slots_bytes
from serve_app.config import AppConfig
from tests.arr_coc import tiny, tiny_clip
from tests.serve_app.cli.doctor.test_accelerator import L4, NONE

PLENTY = 2**40


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


def examine(directory: Path, free: int = PLENTY, **settings: object) -> dict[str, Finding]:
    app = AppConfig.model_validate({"model": {"source": str(directory)}, **settings})
    return {finding.check: finding for finding in check_models(app, NONE, free)}


def test_the_bundled_model_is_whole(directory: Path) -> None:
    found = examine(directory)
    assert {name: finding.level for name, finding in found.items()} == dict.fromkeys(
        ("model", "tokenizer", "memory"), "ok"
    )
    assert "qwen3_vl, 4.3 million" in found["model"].told


def test_parameters_and_slots_are_as_the_loaded_model_counts_them(directory: Path) -> None:
    adapter = load(directory, ModelConfig(device="cpu"))
    model = torch.nn.ModuleList([adapter._vision])  # type: ignore[attr-defined]
    assert measure(directory).parameters == sum(each.numel() for each in model.parameters())
    config = json.loads((directory / "config.json").read_text())
    expected = 3 * slot_bytes(adapter.kv, 128)
    assert slots_bytes(config, 3, 128, adapter.kv.dtype.itemsize) == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_slots_of_every_family(family: str, tmp_path: Path) -> None:
    tiny.model(family, torch.float32).config.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert slots_bytes(config, 2, 128, 8) == 2 * slot_bytes(tiny.adapter(family).kv, 128)


@pytest.mark.parametrize("config", [{}, {"text_config": None}, {"text_config": {"hidden_size": 8}}])
def test_slots_of_an_unknown_configuration_are_not_counted(config: dict[str, object]) -> None:
    assert slots_bytes(config, 2, 128, 8) == 0


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def point(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 8600000\n")


def claim(path: Path) -> None:
    path.write_bytes((2**60).to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut, "should have"),
        (point, "not a safetensors file"),
        (claim, "not a safetensors file"),
        (lambda path: path.write_bytes(b""), "not a safetensors file"),
        (lambda path: path.write_bytes((4).to_bytes(8, "little") + b"[{}]"), "not a safetensors file"),
        (lambda path: path.unlink(), "no safetensors"),
        (lambda path: (path.parent / "tokenizer.json").unlink(), "no tokenizer.json"),
        (lambda path: (path.parent / "config.json").write_text("{"), "not a model's configuration"),
    ],
)
def test_what_is_damaged_is_told(directory: Path, damage: object, told: str) -> None:
    damage(directory / "model.safetensors")  # type: ignore[operator]
    found = examine(directory)
    assert found["model"].level == "problem"
    assert told in found["model"].told
    assert found["model"].remedy


def test_a_family_that_is_not_served_is_told(directory: Path) -> None:
    (directory / "config.json").write_text('{"model_type": "bert"}')
    assert "bert is not served" in examine(directory)["model"].told


def test_a_broken_tokenizer_and_a_missing_template_are_told(directory: Path) -> None:
    (directory / "chat_template.jinja").unlink()
    assert "chat template" in examine(directory)["tokenizer"].told
    cut(directory / "tokenizer.json")
    (directory / "tokenizer.json").write_text("{}")
    assert "cannot be read" in examine(directory)["tokenizer"].told


@pytest.mark.parametrize(("share", "level"), [(0.9, "problem"), (1.1, "warning"), (1.5, "ok")])
def test_memory_by_what_is_free(directory: Path, share: float, level: str) -> None:
    config = json.loads((directory / "config.json").read_text())
    engine = AppConfig().engine
    slots = slots_bytes(config, engine.slots, engine.max_length, 4)
    needed = 4 * measure(directory).parameters + slots + engine.shared_bytes
    assert examine(directory, int(share * needed))["memory"].level == level


def test_on_a_gpu_its_own_memory_counts_and_numbers_are_half_as_long(directory: Path) -> None:
    settings = {"model": {"source": str(directory), "device": "cuda"}, "generation": {"num_gpus": 1}}
    *_, on_gpu = check_models(AppConfig.model_validate(settings), L4, 0)
    assert on_gpu.level == "ok"
    assert "23.0 GiB of the GPU" in on_gpu.told
    assert "0.01 GiB of weights" in on_gpu.told


def test_a_family_with_a_prompt_of_its_own_needs_no_template(tmp_path: Path) -> None:
    tiny.model("blip-2", torch.float32).save_pretrained(str(tmp_path))
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(str(tmp_path))
    found = examine(tmp_path)
    assert {name: finding.level for name, finding in found.items()} == dict.fromkeys(
        ("model", "tokenizer", "memory"), "ok"
    )


def embedding(directory: Path, **settings: object) -> dict[str, Finding]:
    app = AppConfig.model_validate({"embedding": {"source": str(directory), "alone": True, **settings}})
    return {finding.check: finding for finding in check_models(app, NONE, PLENTY)}


def test_a_model_that_embeds_alone_is_looked_at(tmp_path: Path) -> None:
    tiny_clip.write("siglip2", tmp_path)
    found = embedding(tmp_path)
    assert list(found) == ["embedding"]
    assert found["embedding"].level == "ok"
    assert "siglip2, 0." in found["embedding"].told


def test_what_is_wrong_with_a_model_that_embeds_is_told(tmp_path: Path, directory: Path) -> None:
    assert "qwen3_vl" in embedding(directory)["embedding"].told
    assert embedding(tmp_path / "nothing")["embedding"].level == "problem"
    tiny_clip.write("clip", tmp_path / "clip")
    (tmp_path / "clip" / "tokenizer.json").write_text("{}")
    broken = embedding(tmp_path / "clip", alone=False)
    assert broken["model"].level == "ok"
    assert "cannot be read" in broken["embedding"].told


def test_an_encoder_decoder_is_told(directory: Path) -> None:
    (directory / "config.json").write_text(
        json.dumps({"model_type": "blip-2", "text_config": {"model_type": "t5"}})
    )
    assert "t5" in examine(directory)["model"].told
