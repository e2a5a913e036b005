"""Attention heads that others have published for known checkpoints.

From the Q-Zoom repository (Apache-2.0, ``standardized_pipeline/stage1/make_stage1_pseudo_labels.py``;
arXiv 2604.06912). Of its two sets this is the one for questions as they stand; the other is read after
an instruction to give a bounding box has been appended, which no probe here does. Knows nothing of files.
"""

from dataclasses import dataclass
from typing import Any

Heads = tuple[tuple[int, int], ...]  # (layer, head), counted from zero


@dataclass(frozen=True, slots=True)
class PublishedHeads:
    """``localising`` heads find what is asked for; ``sinks`` tell tokens that draw attention always."""

    checkpoint: str
    localising: Heads
    sinks: Heads = ()


_QWEN_2_5_3B = PublishedHeads("Qwen2.5-VL-3B", ((20, 1), (20, 4), (22, 14)))
_QWEN_2_5_7B = PublishedHeads("Qwen2.5-VL-7B", ((22, 1), (22, 4), (23, 6), (23, 11)))
_QWEN_3_4B = PublishedHeads("Qwen3-VL-4B", ((19, 24), (19, 27), (24, 21), (24, 23)), ((24, 6), (24, 10)))
_QWEN_3_8B = PublishedHeads(
    "Qwen3-VL-8B",
    ((19, 24), (19, 26), (19, 27), (24, 21), (24, 22), (24, 23)),
    ((24, 1), (24, 2)),
)
_BY_SIZE: dict[tuple[object, ...], PublishedHeads] = {  # family, layers, hidden size, query heads
    ("qwen2_5_vl", 36, 2048, 16): _QWEN_2_5_3B,
    ("qwen2_5_vl", 28, 3584, 28): _QWEN_2_5_7B,
    ("qwen3_vl", 36, 2560, 32): _QWEN_3_4B,
    ("qwen3_vl", 36, 4096, 32): _QWEN_3_8B,
}


def published_heads(config: dict[str, Any]) -> PublishedHeads | None:
    """The heads of the checkpoint whose family and size a ``config.json`` tells; None for any other."""
    text = config.get("text_config") or config  # older files tell the language model's size at the top
    size = (text.get(name) for name in ("num_hidden_layers", "hidden_size", "num_attention_heads"))
    return _BY_SIZE.get((config.get("model_type"), *size))
