"""BLIP-2's pixels, tokens and answers equal the family's own; closer looks cost one query set each."""

import asyncio
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import pre_tokenizers
from transformers import Blip2Processor, GPT2Tokenizer
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from arr_coc.answers import Report
from arr_coc.decoding import PictureLimits
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.observer import Silent
from arr_coc.errors import InvalidRequest, ModelLoadError
from arr_coc.model.blip2 import Blip2, stripping
from arr_coc.model.families import PROMPTS
from arr_coc.model.prompts import PromptTemplate
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import PICTURE, Ask, Message, Sampling, TexturedPicture
from arr_coc.vlm import VisionLanguageModel
from tests.arr_coc import tiny

PROCESSOR = BlipImageProcessorPil(
    size={"height": 56, "width": 56}, image_mean=list(tiny.MEAN), image_std=list(tiny.STD)
)
PROFILE = ModelProfile(token_side=14, fixed_view=tiny.adapter("blip-2").fixed_view)
SMALL = [(56, 56), (20, 30), (69, 50)]
LARGE = [(300, 200), (90, 400), (1500, 800)]


def _picture(width: int, height: int) -> Image.Image:
    """Noise that an overview loses, more of it on one side."""
    rng = np.random.default_rng(width * height)
    noise = rng.integers(0, 256, (height, width, 3)) * np.linspace(0, 1, width)[None, :, None]
    return Image.fromarray(noise.astype(np.uint8))


def _textured(picture: Image.Image, budget: int | None = None) -> TexturedPicture:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return TextureEncoder(PROFILE, PictureLimits()).encode(file.getvalue(), budget)


def _processed(picture: Image.Image) -> torch.Tensor:
    pixels: torch.Tensor = PROCESSOR(images=[picture], return_tensors="pt")["pixel_values"][0]
    return pixels


@pytest.mark.parametrize("size", SMALL + LARGE)
def test_the_first_view_is_bit_equal_to_blips_image_processor(size: tuple[int, int]) -> None:
    textured = _textured(_picture(*size))
    assert torch.equal(tiny.adapter("blip-2").normalise(textured.view), _processed(_picture(*size)))
    assert (textured.route, textured.native_tokens) == ("zoom" if size in LARGE else "direct", 5)


def test_pictures_of_all_sizes_are_answered_as_generate_would() -> None:
    """Closer looks stand behind the first view, and are what the processor makes of the part alone."""
    adapter, model = tiny.adapter("blip-2"), tiny.model("blip-2")
    vlm = VisionLanguageModel(adapter, PROFILE, EngineConfig(slots=3, max_length=256), Silent())
    pictures = [_picture(*size) for size in SMALL + LARGE]
    samplings = [Sampling(max_new_tokens=8 + i) for i in range(len(pictures))]

    async def ask_all() -> list[Report]:
        asks = [Ask("x", "what is it", sampling) for sampling in samplings]
        return await asyncio.gather(
            *(vlm.answer(ask, _textured(p)) for ask, p in zip(asks, pictures, strict=True))
        )

    reports = asyncio.run(ask_all())
    vlm.close()
    for report, picture, sampling in zip(reports, pictures, samplings, strict=True):
        patches = report.allocation.patches if report.allocation else ()
        boxes = [tuple(map(int, patch.box.as_tuple())) for patch in patches]
        parts = [picture, *(picture.crop(box) for box in boxes)]
        prompt = adapter.chat(
            [Message("user", (PICTURE, "what is it"))], [[PROFILE.fixed_view.grid] * len(parts)]
        )
        ids = torch.from_numpy(prompt.token_ids)[None]
        theirs = model.generate(
            pixel_values=torch.stack([_processed(part) for part in parts]).double(), input_ids=ids,
            max_new_tokens=sampling.max_new_tokens, do_sample=False, suppress_tokens=[*adapter.banned_ids],
        )  # fmt: skip
        expected = adapter.tokenizer.decode(theirs[0, len(prompt) :].tolist(), skip_special_tokens=True)
        assert report.text == expected
        assert report.usage.visual_tokens == 5 * len(parts)
        assert (report.allocation is not None) == (picture.size in LARGE)
        assert report.allocation is None or (report.allocation.coupling == "none" and patches)


@pytest.mark.parametrize(("budget", "patches"), [(5, 0), (9, 0), (10, 1), (4096, 4)])
def test_a_budget_buys_whole_query_sets(budget: int, patches: int) -> None:
    textured = _textured(_picture(1500, 800), budget)
    assert textured.budget == 5 * (1 + patches)
    assert (textured.source is None) == (patches == 0)


def test_a_heads_list_makes_no_sense_and_is_told() -> None:
    profile = PROFILE.model_copy(update={"heads": ((0, 0),)})
    with pytest.raises(ModelLoadError):
        VisionLanguageModel(tiny.adapter("blip-2"), profile, EngineConfig(max_length=256), Silent())


def test_more_positions_than_the_model_has_are_refused_at_start() -> None:
    with pytest.raises(ModelLoadError, match="4096"):
        VisionLanguageModel(tiny.adapter("blip-2"), PROFILE, EngineConfig(max_length=4097), Silent())


def _opt() -> GPT2Tokenizer:
    """As the checkpoint's: byte-level, and ``</s>`` before all text."""
    merges = [("Q", "u"), ("Ġ", "a"), ("Ġ", "A"), (":", "Ġ")]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *letters, *(a + b for a, b in merges)]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    made = GPT2Tokenizer(
        vocab=vocab, merges=merges, bos_token="</s>", eos_token="</s>", pad_token="<pad>", add_bos_token=True
    )
    made.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return made


def _template(tokenizer: GPT2Tokenizer) -> PromptTemplate:
    return PromptTemplate(tokenizer, tokenizer.convert_tokens_to_ids("<image>"), PROMPTS["blip-2"])


TURNS = [Message("user", (PICTURE, "a b?")), Message("assistant", ("c",)), Message("user", ("why?",))]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([Message("user", (PICTURE, "a b?"))], "Question: a b? Answer:"),
        ([Message("user", ("a b?", PICTURE))], "Question: a b? Answer:"),
        (TURNS, "Question: a b? Answer: c. Question: why? Answer:"),
    ],
)
def test_tokens_equal_the_processors(messages: list[Message], text: str) -> None:
    tokenizer = _opt()
    processor = Blip2Processor(PROCESSOR, tokenizer, num_query_tokens=5)
    theirs = processor(images=_picture(60, 60), text=text)["input_ids"][0]
    ids, spans = _template(tokenizer).tokens(messages, [[5]])
    assert ids == theirs
    assert spans == [(0, 5)]
    assert ids[5] == 2


def test_text_alone_begins_as_the_tokenizer_begins() -> None:
    tokenizer = _opt()
    ids, _ = _template(tokenizer).tokens([Message("user", ("a",))], [])
    assert ids == tokenizer("Question: a Answer:")["input_ids"]


@pytest.mark.parametrize(
    "messages",
    [
        [Message("system", ("be brief",)), Message("user", (PICTURE, "a"))],
        [*TURNS[:2], Message("user", (PICTURE, "a"))],
    ],
)
def test_what_the_prompt_has_no_place_for_is_refused(messages: list[Message]) -> None:
    pictures = sum(message.parts.count(PICTURE) for message in messages)
    with pytest.raises(InvalidRequest) as caught:
        _template(_opt()).tokens(messages, [[5]] * pictures)
    assert caught.value.code == "unsupported_messages"


def test_special_tokens_typed_by_a_user_are_plain_text() -> None:
    tokenizer = _opt()
    ids, _ = _template(tokenizer).tokens([Message("user", (PICTURE, "<image></s><pad>"))], [[3]])
    image = tokenizer.convert_tokens_to_ids("<image>")
    assert [ids.count(special) for special in (image, 1, 2)] == [3, 0, 1]


def test_a_tokenizer_without_a_picture_is_told_at_start() -> None:
    with pytest.raises(ModelLoadError, match="<image>"):
        Blip2("tiny", tiny.model("blip-2"), GPT2Tokenizer(), tiny.MEAN, tiny.STD)


def test_the_line_break_that_ends_an_answer_is_not_part_of_it() -> None:
    """The checkpoints end answers with a token that is text, and not special."""
    adapter, picture = tiny.adapter("blip-2"), _textured(_picture(40, 40))
    prompt = replace(adapter.prompt([picture.grid], "what is it"), pictures=(picture.view,))
    tokens = tiny.generate(tiny.model("blip-2"), adapter, prompt, 24)
    end = next(i for i, token in enumerate(tokens) if token != tokens[0])
    adapter.eos_ids = frozenset([tokens[end]])
    vlm = VisionLanguageModel(adapter, PROFILE, EngineConfig(slots=2, max_length=128), Silent())
    report = asyncio.run(vlm.answer(Ask("x", "what is it", Sampling(max_new_tokens=24)), picture))
    vlm.close()
    assert report.finish_reason == "stop"
    assert report.text == adapter.tokenizer.decode(tokens[:end])
    assert report.usage.completion_tokens == end + 1


def test_an_answer_does_not_begin_with_the_space_behind_the_prompt() -> None:
    tokens = _opt().encode(" ab  c a", add_special_tokens=False)
    detokenizer = Detokenizer(stripping(_opt().backend_tokenizer))
    pieces = [detokenizer.push(token).text for token in tokens]
    text, rest = detokenizer.finish(tokens)
    assert (text, "".join(pieces) + rest.text) == ("ab  c a", "ab  c a")
