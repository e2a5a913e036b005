"""Tiny random CLIP, SigLIP and SigLIP 2 directories with real tokenizers, and transformers' own answer."""

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AutoModel,
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    Siglip2Config,
    Siglip2Model,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipModel,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

SIDE = 56
MAX_TOKENS = {"clip": 32, "siglip": 16, "siglip2": 16}
TEXTS = ["a cat", "a dog on a mat", "x", "two cats, 3 dogs!", "Ünïcode \U0001f98a", "the cat sat on the mat"]
_TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip
_VISION: dict[str, Any] = {**_TEXT, "image_size": SIDE, "patch_size": 14}


def write(family: str, directory: Path, **settings: Any) -> Path:
    """A model directory of ``family`` as ``save_pretrained`` leaves one; ``settings`` go to its preprocessor."""
    torch.manual_seed(0)
    model, tokenizer, processor = _BUILD[family](settings)
    for parameter in model.parameters():  # as trained ones: nothing is zero or one
        torch.nn.init.normal_(parameter, std=0.2)
    model.logit_scale.data.fill_(1.0)
    for part in (model, tokenizer, processor):
        part.save_pretrained(directory)
    return directory


def picture(width: int = 90, height: int = 70, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng((seed, width, height))
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


class Theirs:
    """The model of a directory, called as transformers' documentation calls it."""

    def __init__(self, family: str, directory: Path) -> None:
        self._padding = "longest" if family == "clip" else "max_length"
        self.model: Any = AutoModel.from_pretrained(directory).eval()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(directory)
        self.processor: Any = _PROCESSORS[family].from_pretrained(directory)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str], pictures: Sequence[Image.Image]) -> Any:
        words = self.tokenizer(list(texts), padding=self._padding, return_tensors="pt")
        return self.model(**words, **self.processor(images=list(pictures), return_tensors="pt"))


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's own kind: bytes, and words that end."""
    letters = sorted(ByteLevel.alphabet())
    merges: Any = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>"), ("t", "h"), ("th", "e</w>")]
    pieces = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in merges)]
    vocab = {piece: i for i, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS["clip"])


def _gemma() -> Siglip2Tokenizer:
    """SigLIP 2's own kind: characters, bytes where there is none."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *string.printable]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    vocab |= {f"<0x{byte:02X}>": len(vocab) + byte for byte in range(256)}
    return Siglip2Tokenizer(vocab=vocab, merges=[], model_max_length=16, padding_side="right")


def _clip(settings: dict[str, Any]) -> tuple[Any, Any, Any]:
    tokenizer = clip_tokenizer()
    text = {
        **_TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": MAX_TOKENS["clip"],
        "eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=_VISION, projection_dim=24))
    square = {"height": SIDE, "width": SIDE}
    options = {"size": {"shortest_edge": SIDE}, "crop_size": square, **settings}
    return model, tokenizer, CLIPImageProcessorPil(**options)


def _siglip(settings: dict[str, Any]) -> tuple[Any, Any, Any]:
    tokenizer = _gemma()
    tokenizer.model_input_names = ["input_ids"]  # as the published checkpoints have it
    text = {**_TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": 16, "projection_size": 32}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=_VISION))
    options = {"size": {"height": SIDE, "width": SIDE}, **settings}
    return model, tokenizer, SiglipImageProcessorPil(**options)


def _siglip2(settings: dict[str, Any]) -> tuple[Any, Any, Any]:
    tokenizer = _gemma()
    text = {**_TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": 16, "projection_size": 32}
    vision = {**_TEXT, "patch_size": 14, "num_patches": 16}
    model = Siglip2Model(Siglip2Config(text_config=text, vision_config=vision))
    return model, tokenizer, Siglip2ImageProcessorPil(patch_size=14, max_num_patches=16, **settings)


_BUILD = {"clip": _clip, "siglip": _siglip, "siglip2": _siglip2}
_PROCESSORS: dict[str, Any] = {
    "clip": CLIPImageProcessorPil, "siglip": SiglipImageProcessorPil, "siglip2": Siglip2ImageProcessorPil,
}  # fmt: skip
