"""CLIP, SigLIP and SigLIP 2 behind one contract: texts and pictures become unit vectors of one space.

Owns what differs between the families: how texts are padded, how pictures are cut, how likely a picture and
a text belong together. Rows of a batch do not see one another. Knows nothing of queues or requests.
"""

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import (
    Siglip2ImageProcessorPil,
    get_image_size_for_max_num_patches,
)

from arr_coc.errors import ModelLoadError
from arr_coc.model.config import ModelConfig
from arr_coc.model.families import EMBEDDING_FAMILIES
from arr_coc.model.framing import Framing, Size, processor_of
from arr_coc.model.pixels import Normaliser
from arr_coc.model.placement import placement, require_weights_fit
from arr_coc.model.sources.files import require_family
from arr_coc.model.weights import measure
from arr_coc.types import Pixels

TokenIds = NDArray[np.int64]
Vectors = NDArray[np.float32]
"""[rows, dimensions], each of length one."""


class Clip:
    """A loaded ``CLIPModel``: texts end where they end, pictures show their middle."""

    processor: Any = CLIPImageProcessorPil
    independent = False
    """Whether each label is likely or not by itself; otherwise the likelihoods of all sum to one."""

    def __init__(self, name: str, model: Any, tokenizer: Any, directory: Path) -> None:
        text = model.config.text_config
        self.name = name
        self.device, self.dtype = model.device, model.dtype
        self.max_tokens = min(text.max_position_embeddings, tokenizer.model_max_length)
        self._model = model
        self._tokenizer = tokenizer
        self._tokenising = threading.Lock()  # tokenizers of transformers change while they are called
        settings = processor_of(self.processor, directory)
        self.frame = self._framing(settings)
        self._normalise = Normaliser(self.frame.mean, self.frame.std, model.device)
        self._logit_scale = math.exp(model.logit_scale.item())
        self._logit_bias = model.logit_bias.item() if self.independent else 0.0

    @property
    def picture_tokens(self) -> int:
        """Positions that a picture takes in its tower, at most."""
        vision = self._model.config.vision_config
        return int((vision.image_size // vision.patch_size) ** 2)

    def tokenise(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids of each text, whole however long; special tokens that are typed are plain text."""
        if not texts:
            return []
        with self._tokenising:
            ids = self._tokenizer(list(texts), split_special_tokens=True)["input_ids"]
        return [np.asarray(each, np.int64) for each in ids]

    def price(self, ids: TokenIds) -> int:
        """Positions that a text takes in its tower by itself."""
        return len(ids)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[TokenIds]) -> Vectors:
        """Vectors of texts of at most ``max_tokens`` each."""
        seen = self._model.get_text_features(**self._padded(texts), return_dict=True)
        return _unit(seen.pooler_output)

    @torch.inference_mode()
    def embed_pictures(self, views: Sequence[Pixels]) -> Vectors:
        """Vectors of pictures, each as ``frame`` made it."""
        seen = self._model.get_image_features(**self._stacked(views), return_dict=True)
        return _unit(seen.pooler_output)

    def likelihoods(self, picture: NDArray[np.float32], labels: Vectors) -> NDArray[np.float64]:
        """How likely each label is of the picture: [labels], 0..1."""
        logits = labels.astype(np.float64) @ picture * self._logit_scale + self._logit_bias
        if self.independent:
            likely: NDArray[np.float64] = 1 / (1 + np.exp(-logits))
            return likely
        weights = np.exp(logits - logits.max())
        shares: NDArray[np.float64] = weights / weights.sum()
        return shares

    def _framing(self, processor: Any) -> Framing:
        framing = Framing.of(processor)
        framing.require_square(self._model.config.vision_config.image_size)
        return framing

    def _padded(self, texts: Sequence[TokenIds]) -> dict[str, torch.Tensor]:
        """To the longest: attention is causal, so that nothing sees the padding after it. Padded by an id
        that is never taken for the end, of which the model takes the first, or the highest id."""
        ids = np.zeros((len(texts), max(map(len, texts))), np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        return {"input_ids": torch.from_numpy(ids).to(self.device)}

    def _stacked(self, views: Sequence[Pixels]) -> dict[str, torch.Tensor]:
        pixels = torch.stack([self._normalise(view) for view in views])
        return {"pixel_values": pixels.to(self.dtype)}


class Siglip(Clip):
    """A loaded ``SiglipModel``: texts are padded as it was trained, pictures are squeezed to a square."""

    processor: Any = SiglipImageProcessorPil
    independent = True

    def price(self, ids: TokenIds) -> int:
        """Every text takes all positions."""
        return int(self.max_tokens)

    def _padded(self, texts: Sequence[TokenIds]) -> dict[str, torch.Tensor]:
        """To all positions, on the tokenizer's side; masked only where the tokenizer gives a mask."""
        tokenizer = self._tokenizer
        ids = np.full((len(texts), self.max_tokens), tokenizer.pad_token_id, np.int64)
        real = np.zeros_like(ids)
        for row, text in enumerate(texts):
            place = slice(len(text)) if tokenizer.padding_side == "right" else slice(-len(text), None)
            ids[row, place], real[row, place] = text, 1
        told = {"input_ids": ids}
        if "attention_mask" in tokenizer.model_input_names:
            told["attention_mask"] = real
        return {name: torch.from_numpy(each).to(self.device) for name, each in told.items()}


class Siglip2(Siglip):
    """A loaded ``Siglip2Model``: pictures keep their shape, in patches up to a number."""

    processor: Any = Siglip2ImageProcessorPil

    @property
    def picture_tokens(self) -> int:
        """All pictures are padded to this many patches."""
        return self._patches

    def _framing(self, processor: Any) -> Framing:
        self._side, self._patches = int(processor.patch_size), int(processor.max_num_patches)
        if self._side != self._model.config.vision_config.patch_size:
            raise ModelLoadError("the preprocessor's patch_size is not the model's")

        def fitted(picture: Size) -> Size:
            height, width = get_image_size_for_max_num_patches(
                picture[1], picture[0], self._side, self._patches
            )
            return width, height

        return Framing.of(processor, fitted)

    def _stacked(self, views: Sequence[Pixels]) -> dict[str, torch.Tensor]:
        """Patches [rows, patches, values], which of them are real, and each picture's rows and columns."""
        side = self._side
        shapes = [(view.shape[0] // side, view.shape[1] // side) for view in views]
        pixels = torch.zeros(len(views), self._patches, 3 * side**2, device=self.device)
        real = torch.zeros(len(views), self._patches, dtype=torch.int32, device=self.device)
        for row, (view, (rows, cols)) in enumerate(zip(views, shapes, strict=True)):
            cut = self._normalise(view).reshape(3, rows, side, cols, side).permute(1, 3, 2, 4, 0)
            pixels[row, : rows * cols] = cut.reshape(rows * cols, -1)
            real[row, : rows * cols] = 1
        return {
            "pixel_values": pixels.to(self.dtype),
            "pixel_attention_mask": real,
            "spatial_shapes": torch.tensor(shapes),
        }


_BY_FAMILY: dict[str, type[Clip]] = {"clip": Clip, "siglip": Siglip, "siglip2": Siglip2}


def load_clip(directory: Path, config: ModelConfig) -> Clip:
    """Load the weights. Raises UnsupportedFamily, NotSafetensors, NoRoom, and ModelLoadError where a file is
    broken or missing, or makes of pictures what the family's processor would not."""
    family = require_family(directory, EMBEDDING_FAMILIES)
    device, dtype = placement(config)
    if device.type == "cpu":
        require_weights_fit(directory, measure(directory), dtype, config)
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        model, told = AutoModel.from_pretrained(
            directory, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
        tokenizer = _tokenizer(directory)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelLoadError(f"the model at {directory} cannot be loaded: {error}") from error
    if told["missing_keys"]:  # they would be random: half of a model, such as its text tower alone
        raise ModelLoadError(f"weights of {directory} are missing: {sorted(told['missing_keys'])[0]}")
    return _BY_FAMILY[family](config.served_name, model.to(device).eval(), tokenizer, directory)


def _tokenizer(directory: Path) -> Any:
    """The tokenizer; where its class needs a library that is not here, as ``tokenizer.json`` describes it."""
    try:
        return AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    except ImportError:
        return PreTrainedTokenizerFast.from_pretrained(directory)


def _unit(vectors: torch.Tensor) -> Vectors:
    wide = vectors.float()
    scaled: Vectors = (wide / wide.norm(dim=-1, keepdim=True)).cpu().numpy()
    return scaled
