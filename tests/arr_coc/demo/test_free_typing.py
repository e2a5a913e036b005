"""The bundled model understands what people type: wordings that training never showed."""

import asyncio
import io
import random
from itertools import count

from PIL import Image

from arr_coc.decoding import PictureLimits
from arr_coc.demo.grading import is_right
from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED, ask, render, sample_scene
from arr_coc.demo.wording import ABOUT
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, Sampling
from arr_coc.vlm import VisionLanguageModel
from tests.arr_coc.demo.free_wordings import FREE_OFF_TOPIC, FREE_WORDINGS, FreeWording, say

SIZE = 384
RIGHT = 0.9


def _asked(wording: FreeWording, first_seed: int) -> tuple[Image.Image, str, str]:
    """Picture, typed question and answer from the first scene that can be asked in this form."""
    for seed in count(first_seed):
        scene = sample_scene(seed, size=SIZE)
        question = ask(scene, random.Random(seed), wording.kind)
        if question is not None and question.form == wording.form:
            return render(scene), say(wording.template, question), question.answer
    raise AssertionError("seeds never end")


def _work() -> list[tuple[Image.Image, str, str]]:
    seeds = count(FIRST_HELD_OUT_SEED + 80_000, 100)
    work = [_asked(wording, next(seeds)) for wording in FREE_WORDINGS]
    return work + [(render(sample_scene(next(seeds), size=SIZE)), text, ABOUT) for text in FREE_OFF_TOPIC]


def test_free_wordings_are_answered_right() -> None:
    vlm = VisionLanguageModel.load(ModelConfig(), EngineConfig(slots=16), Silent())
    encoder = TextureEncoder(ModelProfile.load(resolve("demo")), PictureLimits())

    async def answer(picture: Image.Image, text: str) -> str:
        png = io.BytesIO()
        picture.save(png, format="PNG")
        request = Ask("free", text, Sampling(max_new_tokens=64))
        return (await vlm.answer(request, encoder.encode(png.getvalue(), None))).text

    async def answer_all() -> list[str]:
        return await asyncio.gather(*(answer(picture, text) for picture, text, _ in work))

    work = _work()
    try:
        given = asyncio.run(answer_all())
    finally:
        vlm.close()
    wrong = [
        f"{text!r}: {said!r}, not {expected!r}"
        for (_, text, expected), said in zip(work, given, strict=True)
        if not is_right(said, expected)
    ]
    assert len(wrong) <= (1 - RIGHT) * len(work), "\n".join(wrong)
