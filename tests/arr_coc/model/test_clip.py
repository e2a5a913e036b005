"""CLIP, SigLIP and SigLIP 2 give what transformers' own models give, at every size of batch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from arr_coc.errors import ModelLoadError, UnsupportedFamily
from arr_coc.model.clip import Clip, load_clip
from arr_coc.model.config import ModelConfig
from arr_coc.model.families import EMBEDDING_FAMILIES
from arr_coc.model.loading import load
from arr_coc.model.source import resolve
from tests.arr_coc import tiny_clip

SIZES = [(56, 56), (20, 30), (131, 57), (57, 131), (640, 333), (9, 700), (56, 57)]
TEXTS = {
    family: [text[: most - 4] for text in tiny_clip.TEXTS] for family, most in tiny_clip.MAX_TOKENS.items()
}
ROUNDING = 2e-6


@pytest.fixture(scope="module", params=EMBEDDING_FAMILIES)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Clip, Any]]:
    """A family, its model as it is served, and as transformers has it."""
    directory = tiny_clip.write(request.param, tmp_path_factory.mktemp(request.param))
    yield request.param, _loaded(directory), tiny_clip.Theirs(request.param, directory)


def _loaded(directory: Path) -> Clip:
    return load_clip(directory, ModelConfig(source=str(directory), device="cpu"))


@pytest.mark.parametrize("rows", [1, 2, 5, 16])
def test_vectors_equal_transformers_at_every_batch_size(pair: tuple[str, Clip, Any], rows: int) -> None:
    family, ours, theirs = pair
    texts = (TEXTS[family] * 3)[:rows]
    pictures = [tiny_clip.picture(*size) for size in (SIZES * 3)[:rows]]
    alone = [theirs([text], [picture]) for text, picture in zip(texts, pictures, strict=True)]
    vectors = ours.embed_texts(ours.tokenise(texts)), ours.embed_pictures([*map(ours.frame, pictures)])
    for found, name in zip(vectors, ("text_embeds", "image_embeds"), strict=True):
        expected = torch.cat([each[name] for each in alone]).numpy()
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < ROUNDING


def test_likelihoods_equal_transformers(pair: tuple[str, Clip, Any]) -> None:
    family, ours, theirs = pair
    pictures = [tiny_clip.picture(*size) for size in SIZES]
    logits = theirs(TEXTS[family], pictures).logits_per_image
    expected = (logits.softmax(-1) if family == "clip" else logits.sigmoid()).numpy()
    labels = ours.embed_texts(ours.tokenise(TEXTS[family]))
    for vector, row in zip(ours.embed_pictures([*map(ours.frame, pictures)]), expected, strict=True):
        assert np.abs(ours.likelihoods(vector, labels) - row).max() < ROUNDING
    assert ours.independent == (family != "clip")


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_bit_equal_to_the_familys_processor(
    pair: tuple[str, Clip, Any], size: tuple[int, int]
) -> None:
    _, ours, theirs = pair
    picture = tiny_clip.picture(*size)
    expected = theirs.processor(images=[picture], return_tensors="pt")
    found = ours._stacked([ours.frame(picture)])
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert torch.equal(value, expected[name].to(value.dtype)), name


def test_tokens_equal_the_tokenizers_whatever_is_typed(pair: tuple[str, Clip, Any]) -> None:
    _, ours, theirs = pair
    texts = [*tiny_clip.TEXTS, "long " * 100, " spaces  and\nlines ", "\u202e\x00"]
    assert [ids.tolist() for ids in ours.tokenise(texts)] == theirs.tokenizer(texts)["input_ids"]
    assert ours.tokenise([]) == []
    end = theirs.tokenizer.eos_token
    typed = ours.tokenise([f"a {end} b"])[0]
    plain = ours.tokenise(["a b"])[0]
    assert (typed == theirs.tokenizer.eos_token_id).sum() == (plain == theirs.tokenizer.eos_token_id).sum()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("masked", [True, False])
def test_texts_are_padded_as_the_tokenizer_says(tmp_path: Path, side: str, masked: bool) -> None:
    directory = tiny_clip.write("siglip", tmp_path)
    file = directory / "tokenizer_config.json"
    told = json.loads(file.read_text())
    told |= {"padding_side": side, "model_input_names": ["input_ids", "attention_mask"][: 1 + masked]}
    file.write_text(json.dumps(told))
    ours, theirs = _loaded(directory), tiny_clip.Theirs("siglip", directory)
    texts = TEXTS["siglip"]
    expected = theirs(texts, [tiny_clip.picture()]).text_embeds.numpy()
    assert np.abs(ours.embed_texts(ours.tokenise(texts)) - expected).max() < ROUNDING


def test_older_configurations_that_misname_the_end_are_served_alike(tmp_path: Path) -> None:
    directory = tiny_clip.write("clip", tmp_path)
    file = directory / "config.json"
    told = json.loads(file.read_text())
    told["text_config"]["eos_token_id"] = 2
    file.write_text(json.dumps(told))
    ours, theirs = _loaded(directory), tiny_clip.Theirs("clip", directory)
    expected = theirs(tiny_clip.TEXTS, [tiny_clip.picture()]).text_embeds.numpy()
    assert np.abs(ours.embed_texts(ours.tokenise(tiny_clip.TEXTS)) - expected).max() < ROUNDING


@pytest.mark.parametrize(
    "settings",
    [
        {"resample": 2},
        {"size": {"shortest_edge": 64}},
        {"do_center_crop": False, "size": {"height": 56, "width": 56}},
    ],
)
def test_other_settings_of_the_processor_are_kept(tmp_path: Path, settings: dict[str, Any]) -> None:
    directory = tiny_clip.write("clip", tmp_path, **settings)
    ours, theirs = _loaded(directory), tiny_clip.Theirs("clip", directory)
    for size in SIZES:
        picture = tiny_clip.picture(*size)
        expected = theirs.processor(images=[picture], return_tensors="pt")["pixel_values"]
        assert torch.equal(ours._stacked([ours.frame(picture)])["pixel_values"], expected)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"do_normalize": False}, "do_normalize"),
        ({"do_resize": False}, "do_resize"),
        ({"rescale_factor": 1 / 127.5}, "rescale_factor"),
        ({"do_pad": True}, "do_pad"),
        ({"size": {"shortest_edge": 40}}, "56 x 56"),
        ({"crop_size": {"height": 28, "width": 28}}, "28 x 28"),
        ({"do_center_crop": False}, "56 x 84"),
    ],
)
def test_what_would_make_other_pixels_is_refused(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    directory = tiny_clip.write("clip", tmp_path, **settings)
    with pytest.raises(ModelLoadError, match=says):
        _loaded(directory)


def test_a_directory_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    directory = tiny_clip.write("clip", tmp_path)
    weights = directory / "model.safetensors"
    tensors = load_file(weights)
    save_file({k: v for k, v in tensors.items() if not k.startswith("vision_model")}, weights)
    with pytest.raises(ModelLoadError, match="vision_model"):
        _loaded(directory)
    weights.write_bytes(b"not a tensor")
    with pytest.raises(ModelLoadError):
        _loaded(directory)


def test_each_kind_of_model_tells_where_the_other_belongs(tmp_path: Path) -> None:
    clip, demo = tiny_clip.write("clip", tmp_path), resolve("demo")
    with pytest.raises(UnsupportedFamily, match=r"embedding\.source"):
        load(clip, ModelConfig(source=str(clip)))
    with pytest.raises(UnsupportedFamily, match=r"model\.source"):
        _loaded(demo)
