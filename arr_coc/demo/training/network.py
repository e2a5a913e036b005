"""The demo model's architecture, its start values, and the heads that exist in training alone.

Owns shapes and initialisation. Knows nothing of data, losses or the optimiser.
"""

import math

import torch
from torch import Tensor, nn
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from arr_coc.demo.training import tokenizer as tk

TOKEN_SIDE = 32
POSITION_SIDE = 32


def demo_config(vocab_size: int) -> Qwen3VLConfig:
    """About 4.3 M parameters; one visual token is 32 x 32 px (patch 16, merge 2)."""
    text = {
        "vocab_size": vocab_size,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": 8192,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e5,
            "mrope_section": [12, 10, 10],
            "mrope_interleaved": True,
        },
        "tie_word_embeddings": True,
        "pad_token_id": tk.PAD,
        "bos_token_id": tk.IM_START,
        "eos_token_id": tk.IM_END,
    }
    vision = {
        "depth": 4,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_heads": 4,
        "patch_size": TOKEN_SIDE // 2,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 256,
        "num_position_embeddings": POSITION_SIDE**2,
        "deepstack_visual_indexes": [1],
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=tk.IMAGE,
        video_token_id=tk.VIDEO,
        vision_start_token_id=tk.VISION_START,
        vision_end_token_id=tk.VISION_END,
        tie_word_embeddings=True,
    )


def sinusoids_2d(side: int, width: int) -> Tensor:
    """A ``[side * side, width]`` table: half the channels tell the row, half the column.

    Learned from nothing, a position table stays far below the patch embeddings and positions are
    invisible; starting it at unit scale is what makes "top left" learnable.
    """
    steps = torch.arange(side, dtype=torch.float32) * (math.pi / side)  # [side]
    rates = 2.0 ** torch.linspace(-1, math.log2(side / 2), width // 4)  # [width / 4]
    angles = steps[:, None] * rates  # [side, width / 4]
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)  # [side, width / 2]
    rows = axis[:, None, :].expand(side, side, -1)
    cols = axis[None, :, :].expand(side, side, -1)
    return torch.cat([rows, cols], dim=-1).reshape(side * side, width)


def create_model(vocab_size: int, seed: int) -> Qwen3VLForConditionalGeneration:
    """A new model in float32, deterministic in ``seed``."""
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(demo_config(vocab_size))
    visual = model.model.visual
    with torch.no_grad():
        visual.pos_embed.weight.copy_(sinusoids_2d(POSITION_SIDE, visual.config.hidden_size))
        model.model.language_model.embed_tokens.weight.normal_(std=0.05)
        visual.patch_embed.proj.weight.normal_(std=0.02)
    return model


class DenseHeads(nn.Module):
    """What each merged visual token must tell in training; dropped from the checkpoint.

    ``classes``: colour, shape, first, second and third glyph, each a linear map into the word
    embeddings, scored against the embeddings of that class's words plus one learned "none".
    ``place``: the covering object's centre (x, y) in the view, and whether that centre is here.
    ``mention``: the (x, y) in the first picture of what a phrase of the question refers to.
    """

    def __init__(self, width: int, class_ids: tuple[tuple[int, ...], ...]) -> None:
        super().__init__()
        self.class_ids = [torch.tensor(ids) for ids in class_ids]
        self.maps = nn.ModuleList(nn.Linear(width, width) for _ in class_ids)
        self.none = nn.ParameterList(nn.Parameter(torch.randn(1, width) * 0.05) for _ in class_ids)
        self.place = nn.Linear(width, 3)
        self.mention = nn.Linear(width, 2)

    def class_logits(self, tokens: Tensor, embedding: Tensor) -> list[Tensor]:
        """``tokens`` [N, width] -> a [N, 1 + classes] tensor a head; class 0 is "none"."""
        seen = nn.functional.layer_norm(tokens.float(), tokens.shape[-1:])
        return [
            linear(seen) @ torch.cat([none, embedding[ids]]).T
            for linear, none, ids in zip(self.maps, self.none, self.class_ids, strict=True)
        ]


def glyph_class_ids(vocab: dict[str, int]) -> tuple[tuple[int, ...], ...]:
    """Word ids of first, second and third glyph: ``K``, ``##Q``, ``##Z``."""
    first = tuple(vocab[c] for c in tk.CHARACTERS)
    later = tuple(vocab["##" + c] for c in tk.CHARACTERS)
    return first, later, later
