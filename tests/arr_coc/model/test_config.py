"""What a model is called, and how precise it is."""

import pytest
from pydantic import ValidationError

from arr_coc.model.config import ModelConfig


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (ModelConfig(), "demo"),
        (ModelConfig(source="/models/qwen3-vl-4b/"), "qwen3-vl-4b"),
        (ModelConfig(source="/models/qwen3-vl-4b", name="qwen"), "qwen"),
        (ModelConfig(source="."), "."),
        (ModelConfig(source="Qwen/Qwen3-VL-2B-Instruct@main"), "Qwen3-VL-2B-Instruct"),
        (ModelConfig(source="gs://bucket/models/qwen#17"), "qwen"),
        (ModelConfig(source="gs://bucket"), "bucket"),
        (ModelConfig(source="vertex://project/us-central1/qwen@3"), "qwen"),
    ],
)
def test_clients_see_the_name_or_the_end_of_the_source(config: ModelConfig, name: str) -> None:
    assert config.served_name == name


@pytest.mark.parametrize(
    ("config", "on_cpu", "on_gpu"),
    [
        (ModelConfig(), "float32", "bfloat16"),
        (ModelConfig(dtype="float16"), "float16", "float16"),
        (ModelConfig(quantization="int8"), "float32", "bfloat16"),
        (ModelConfig(quantization="int4"), "bfloat16", "bfloat16"),
        (ModelConfig(quantization="int8", dtype="float16"), "float16", "float16"),
    ],
)
def test_what_is_not_quantized_has_the_dtype_of_the_device(
    config: ModelConfig, on_cpu: str, on_gpu: str
) -> None:
    assert (config.chosen_dtype(on_gpu=False), config.chosen_dtype(on_gpu=True)) == (on_cpu, on_gpu)


def test_4_bits_compute_in_bfloat16_alone() -> None:
    with pytest.raises(ValidationError, match="int4 computes in bfloat16"):
        ModelConfig(quantization="int4", dtype="float32")
