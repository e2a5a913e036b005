"""LLaVA's pixels, tokens and attention equal the family's own."""

import asyncio
import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, normalizers
from transformers import LlamaTokenizer, LlavaProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from arr_coc.answers import Report
from arr_coc.calibrate.seeing import all_attention
from arr_coc.decoding import PictureLimits
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.model.families import PROMPTS
from arr_coc.model.prompts import PromptTemplate
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import PICTURE, Ask, Message, Sampling, TexturedPicture
from arr_coc.vlm import VisionLanguageModel
from tests.arr_coc import tiny

PROCESSOR = CLIPImageProcessorPil(
    size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56},
    image_mean=list(tiny.MEAN), image_std=list(tiny.STD),
)  # fmt: skip
SIZES = [(56, 56), (20, 30), (131, 57), (57, 131), (640, 333), (9, 700), (56, 57)]


def _picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def _textured(picture: Image.Image) -> TexturedPicture:
    profile = ModelProfile(token_side=14, fixed_view=tiny.adapter("llava").fixed_view)
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return TextureEncoder(profile, PictureLimits()).encode(file.getvalue(), None)


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_bit_equal_to_clips_image_processor(size: tuple[int, int]) -> None:
    adapter, picture = tiny.adapter("llava"), _picture(*size)
    textured = _textured(picture)
    theirs = PROCESSOR(images=[picture], return_tensors="pt")["pixel_values"][0]
    assert torch.equal(adapter.normalise(textured.view), theirs)
    assert (textured.route, textured.grid.tokens, textured.channels.shape) == ("direct", 16, (13, 4, 4))


def test_the_texture_is_that_of_what_is_seen() -> None:
    wide = Image.new("RGB", (300, 100), "black")
    wide.paste("white", (100, 0, 200, 100))
    assert _textured(wide).channels[0].min() > 0.99


def test_pictures_of_all_sizes_are_answered_as_generate_would() -> None:
    adapter, model = tiny.adapter("llava"), tiny.model("llava")
    profile = ModelProfile(token_side=14, fixed_view=adapter.fixed_view)
    vlm = VisionLanguageModel(adapter, profile, EngineConfig(slots=3, max_length=256), Silent())
    pictures = [_picture(*size) for size in SIZES]

    async def ask_all() -> list[Report]:
        asks = [Ask("x", "what is it", Sampling(max_new_tokens=8 + i)) for i in range(len(pictures))]
        return await asyncio.gather(
            *(vlm.answer(ask, _textured(p)) for ask, p in zip(asks, pictures, strict=True))
        )

    reports = asyncio.run(ask_all())
    vlm.close()
    prompt = adapter.prompt([adapter.fixed_view.grid], "what is it")
    ids = torch.from_numpy(prompt.token_ids)[None]
    for i, (report, picture) in enumerate(zip(reports, pictures, strict=True)):
        theirs = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8 + i, do_sample=False,
            pixel_values=PROCESSOR(images=[picture], return_tensors="pt")["pixel_values"].double(),
            suppress_tokens=[*adapter.banned_ids],
        )  # fmt: skip
        expected = adapter.tokenizer.decode(theirs[0, len(prompt) :].tolist(), skip_special_tokens=True)
        assert report.text == expected


def test_read_attention_equals_output_attentions() -> None:
    adapter, model = tiny.adapter("llava"), tiny.model("llava")
    model.set_attn_implementation("eager")
    textured = _textured(_picture(90, 60))
    prompt = adapter.prompt([textured.grid], "where is it")
    with torch.inference_mode():
        theirs = model(
            input_ids=torch.from_numpy(prompt.token_ids)[None],
            pixel_values=adapter.normalise(textured.view).double()[None],
            output_attentions=True,
        ).attentions
    start, count = prompt.spans[0]
    expected = torch.stack([layer[0, :, -1, start : start + count] for layer in theirs]).numpy()
    assert np.abs(all_attention(adapter, textured, "where is it") - expected).max() < 1e-6


def _llama() -> LlamaTokenizer:
    """As the checkpoint's: words begin with a mark, the first one too, and ``<s>`` before all."""
    letters = ["▁", "\n", *map(chr, range(33, 127))]
    merges = [("▁", "a"), ("▁", "U"), ("▁", "A"), ("\n", "a"), ("▁", "▁")]
    pieces = ["<unk>", "<s>", "</s>", *letters, *(a + b for a, b in merges)]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    made = LlamaTokenizer(vocab=vocab, merges=merges, add_bos_token=True)
    made.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return made


def _legacy_llama() -> LlamaTokenizer:
    """As older files have it: every part between special tokens begins with a mark."""
    made = _llama()
    core: Tokenizer = made.backend_tokenizer
    core.pre_tokenizer = None  # type: ignore[assignment]
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return made


CONVERSATIONS = {
    "question": [Message("user", (PICTURE, "a b"))],
    "text first": [Message("user", ("a b", PICTURE))],
    "two pictures": [Message("user", (PICTURE, PICTURE, "a"))],
    "turns": [Message("user", (PICTURE, "a")), Message("assistant", ("b",)), Message("user", ("a",))],
    "no picture": [Message("system", ("be brief",)), Message("user", ("a",))],
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("own", [True, False], ids=["the family's prompt", "the checkpoint's template"])
@pytest.mark.parametrize("make", [_llama, _legacy_llama])
def test_tokens_equal_the_processors(name: str, own: bool, make: Callable[[], LlamaTokenizer]) -> None:
    tokenizer, messages = make(), CONVERSATIONS[name]
    processor = LlavaProcessor(
        PROCESSOR, tokenizer, patch_size=14, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=PROMPTS["llava"],
    )  # fmt: skip
    image = _picture(80, 60)
    shown = [
        {
            "role": message.role,
            "content": [
                {"type": "image", "image": image} if part is PICTURE else {"type": "text", "text": part}
                for part in message.parts
            ],
        }
        for message in messages
    ]
    theirs = processor.apply_chat_template(
        shown, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="np"
    )["input_ids"][0]
    tokenizer.chat_template = None if own else PROMPTS["llava"]
    template = PromptTemplate(tokenizer, tokenizer.convert_tokens_to_ids("<image>"), PROMPTS["llava"])
    ids, spans = template.tokens(messages, [[16]] * sum(m.parts.count(PICTURE) for m in messages))
    assert ids == theirs.tolist()
    assert all(ids[start : start + length] == [ids[start]] * 16 for start, length in spans)


def test_special_tokens_typed_by_a_user_are_plain_text() -> None:
    tokenizer = _llama()
    image = tokenizer.convert_tokens_to_ids("<image>")
    template = PromptTemplate(tokenizer, image, PROMPTS["llava"])
    ids, spans = template.tokens([Message("user", (PICTURE, "</s><image><s>"))], [[3]])
    assert [ids.count(special) for special in (image, 1, 2)] == [3, 1, 0]
    assert len(spans) == 1
    assert ids[0] == 1
