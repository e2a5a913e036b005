"""Which weights may be quantized, by name, and what they take."""

import pytest

from arr_coc.model.precision import group_size, held_bytes, is_quantizable

MATRIX = [64, 64]


@pytest.mark.parametrize(
    "name",
    [
        "model.language_model.layers.0.self_attn.q_proj.weight",
        "model.layers.27.mlp.down_proj.weight",  # Qwen2.5-VL as it was first published
        "language_model.model.decoder.layers.3.fc1.weight",
    ],
)
def test_matrices_of_the_language_models_layers(name: str) -> None:
    assert is_quantizable(name, MATRIX)
    assert not is_quantizable(name, [64])


@pytest.mark.parametrize(
    "name",
    [
        "model.language_model.embed_tokens.weight",
        "lm_head.weight",
        "model.visual.blocks.0.mlp.linear_fc1.weight",
        "model.vision_tower.vision_model.encoder.layers.0.self_attn.k_proj.weight",
        "vision_model.encoder.layers.0.mlp.fc1.weight",
        "qformer.encoder.layer.0.attention.attention.query.weight",
        "model.language_model.layers.0.self_attn.q_proj.bias",
    ],
)
def test_all_else_is_kept_whole(name: str) -> None:
    assert not is_quantizable(name, MATRIX)


@pytest.mark.parametrize(
    ("columns", "size"), [({3584, 18944}, 128), ({256, 96}, 32), ({64}, 64), ({64, 90}, None)]
)
def test_the_largest_group_that_divides_all_rows(columns: set[int], size: int | None) -> None:
    assert group_size(frozenset(columns)) == size


def test_what_an_8_billion_model_takes() -> None:
    """Embeddings, head and vision tower of 1.8 billion numbers and 6.9 billion in matrices."""
    whole, matrices, gib = 1_800_000_000, 6_900_000_000, 2**30
    sizes = [held_bytes(whole, matrices, 2, kind) / gib for kind in (None, "int8", "int4")]
    assert [round(size, 1) for size in sizes] == [16.2, 10.0, 7.4]
