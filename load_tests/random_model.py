"""A model directory of the demo model's family and any size, with random weights: load without sense."""

import json
import shutil
from pathlib import Path

from arr_coc.model.source import resolve

KEPT = ("chat_template.jinja", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def write_random_model(directory: Path, *, layers: int, hidden_size: int) -> int:
    """Write a Qwen3-VL whose decoder has so many layers and so wide ones, in bfloat16; its parameters."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    demo = resolve("demo")
    config = json.loads((demo / "config.json").read_text())
    config["text_config"].update(
        num_hidden_layers=layers,
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 8 // 3,
        num_attention_heads=hidden_size // 64,
        num_key_value_heads=hidden_size // 192,
    )
    config["vision_config"]["out_hidden_size"] = hidden_size
    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig.from_dict(config)).to(torch.bfloat16)
    model.save_pretrained(directory)
    for name in KEPT:
        shutil.copy(demo / name, directory)
    (directory / "arr_coc.json").write_text(json.dumps({"direct_max_tokens": 576}))
    return sum(each.numel() for each in model.parameters())
