from typing import Any

import pytest

from arr_coc.published import published_heads

# family, layers, hidden size, query heads, as the checkpoints' own config.json tell them
CHECKPOINTS = [
    ("qwen2_5_vl", 36, 2048, 16),
    ("qwen2_5_vl", 28, 3584, 28),
    ("qwen3_vl", 36, 2560, 32),
    ("qwen3_vl", 36, 4096, 32),
]


def config(family: str, layers: int, hidden: int, heads: int, nested: bool) -> dict[str, Any]:
    size = {"num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads}
    return {"model_type": family, **({"text_config": size} if nested else size)}


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize(("family", "layers", "hidden", "heads"), CHECKPOINTS)
def test_a_known_size_has_heads_that_it_has(
    family: str, layers: int, hidden: int, heads: int, nested: bool
) -> None:
    published = published_heads(config(family, layers, hidden, heads, nested))
    assert published is not None
    assert published.localising
    for layer, head in published.localising + published.sinks:
        assert 0 <= layer < layers
        assert 0 <= head < heads


def test_sizes_have_heads_of_their_own() -> None:
    sets = {published_heads(config(*checkpoint, nested=True)) for checkpoint in CHECKPOINTS}
    assert len(sets) == len(CHECKPOINTS)


@pytest.mark.parametrize(
    ("family", "layers", "hidden", "heads"),
    [("qwen2_vl", 28, 3584, 28), ("qwen3_vl", 28, 2048, 16), ("qwen3_vl", 35, 2560, 32)],
)
def test_any_other_has_none(family: str, layers: int, hidden: int, heads: int) -> None:
    assert published_heads(config(family, layers, hidden, heads, nested=True)) is None
    assert published_heads({"model_type": family}) is None
