"""Where each millisecond of a decode step, and of a request, goes on a processor.

    python -m load_tests.step_profile [--rows 16] [--length 300]

Processor time of one thread, so that a busy machine hardly shows, each part without those inside it; of
steps that decode ``--rows`` rows of ``--length`` tokens, and of questions about pictures of 256 px, seen
whole, and of 1,024 px, looked at closer, asked one after another, for answers of 16 tokens.
"""

import os

for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_pool] = "1"  # read once, when the libraries are first imported

import argparse
import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from arr_coc import foveation, relevance, texture, vlm, zooming
from arr_coc.decoding import PictureLimits, read_header
from arr_coc.engine import (
    cache,
    costs,
    detokenizer,
    ending,
    engine,
    outcome,
    runner,
    sampling,
    scheduler,
    shared,
)
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.model import attention, decoder, qwen_vl
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.types import Ask, Sampling
from load_tests.cases import telling_cases
from load_tests.engine_limits import decoding_step

STEPS = 60
REQUESTS = 12
SAMPLING = Sampling(max_new_tokens=16, ignore_eos=True)

PARTS: list[tuple[Any, str, str]] = [
    (texture, "decode", "decode the picture's file"),
    (foveation, "first_view", "resize to the first view"),
    (texture, "measure", "measure the 13 channels"),
    (qwen_vl.QwenVL, "chat", "tokenise the prompt"),
    (engine.Engine, "step", "the step's own bookkeeping"),
    (engine.Engine, "_take_commands", "take commands"),
    (engine.Engine, "_tell_occupancy", "tell how full it is"),
    (ending.Endings, "end_late", "end what is late"),
    (scheduler.Scheduler, "plan", "plan"),
    (costs.Costs, "prefilled", "learn what forwards cost"),
    (costs.Costs, "decoded", "learn what forwards cost"),
    (shared.Shared, "begin", "copy what is kept of the picture"),
    (shared.Shared, "keep", "keep what others may share"),
    (runner.Runner, "prefill", "prefill: lay out, mask"),
    (runner.Runner, "decode", "decode: lay out, mask"),
    (qwen_vl.QwenVL, "look", "vision tower"),
    (decoder.Decoder, "__call__", "language model's layers but for attention"),
    (cache.SlotCache, "update", "write keys and values"),
    (attention, "sdpa_attention_forward", "attention"),
    (attention, "_weights", "read where the question points"),
    (sampling.Sampler, "choose", "choose tokens"),
    (sampling.Sampler, "likeliest", "choose tokens"),
    (zooming.Zooming, "_answered", "the answer's prompt"),
    (relevance.Relevance, "allocate", "score and allocate"),
    (vlm, "cut", "cut and resize patches"),
    (vlm, "fingerprint", "what a patch is known by"),
    (detokenizer.Detokenizer, "push", "text of tokens"),
    (detokenizer.Detokenizer, "finish", "text of tokens"),
    (outcome.Outbox, "flush", "hand out"),
]


class Running(threading.local):
    """What one thread is in, the innermost part last, since when."""

    def __init__(self) -> None:
        self.stack: list[tuple[str, str]] = []
        self.since = 0.0


class Profile:
    """Seconds of each part, those of the parts inside it left out."""

    def __init__(self) -> None:
        self.seconds: Counter[tuple[str, str]] = Counter()
        self._running = Running()

    def install(self) -> None:
        """From now on measure all parts."""
        for owner, name, label in PARTS:
            setattr(owner, name, self._timed(getattr(owner, name), label))

    def _timed(self, work: Callable[..., Any], label: str) -> Callable[..., Any]:
        @wraps(work)
        def timed(*args: Any, **kwargs: Any) -> Any:
            stack = self._running.stack
            stage = label.partition(":")[0] if ":" in label else stack[-1][0] if stack else ""
            self._turn()
            stack.append((stage, label))
            try:
                return work(*args, **kwargs)
            finally:
                self._turn()
                stack.pop()

        return timed

    def _turn(self) -> None:
        now, running = time.thread_time(), self._running
        if running.stack:
            self.seconds[running.stack[-1]] += now - running.since
        running.since = now

    def table(self, title: str, times: int) -> str:
        """Milliseconds of each part of one of so many ``times``, largest first."""
        whole = sum(self.seconds.values())
        lines = [f"\n{title}: {1e3 * whole / times:.2f} ms\n", "| part | ms | share |", "|---|---|---|"]
        for (stage, label), seconds in self.seconds.most_common():
            told = label if not stage or stage in label else f"{stage}: {label}"
            lines.append(f"| {told} | {1e3 * seconds / times:.3f} | {100 * seconds / whole:.1f} % |")
        return "\n".join(lines) + "\n"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.step_profile", description=__doc__)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--length", type=int, default=300)
    args = parser.parse_args()
    torch.set_num_threads(1)
    profile = Profile()
    profile.install()
    model = vlm.VisionLanguageModel.load(ModelConfig(threads=1), EngineConfig(), Silent())
    asyncio.run(_steps(model._adapter, args.rows, args.length, profile))
    asyncio.run(_requests(model, profile))
    model.close()


async def _steps(adapter: Any, rows: int, length: int, profile: Profile) -> None:
    step = decoding_step(adapter, [length] * rows, STEPS + 8)
    for _ in range(8):
        step()
    profile.seconds.clear()
    for _ in range(STEPS):
        step()
    sys.stdout.write(profile.table(f"A step that decodes {rows} rows of {length} tokens", STEPS))


async def _requests(model: vlm.VisionLanguageModel, profile: Profile) -> None:
    encoder = texture.TextureEncoder(ModelProfile.load(resolve("demo")), PictureLimits())
    pictures: dict[int, list[tuple[bytes, str]]] = {256: [], 1024: []}
    for case in telling_cases(40 * REQUESTS):
        side = read_header(case.picture, PictureLimits()).width
        if side in pictures and case.picture not in [known for known, _ in pictures[side]]:
            pictures[side].append((case.picture, case.query))
    for side, asked in pictures.items():
        profile.seconds.clear()
        for number, (picture, query) in enumerate(asked[:REQUESTS]):
            await model.answer(Ask(str(number), query, SAMPLING), encoder.encode(picture, None))
        title = f"A question about a picture of {side} px, answered in {SAMPLING.max_new_tokens} tokens"
        sys.stdout.write(profile.table(title, min(REQUESTS, len(asked))))


if __name__ == "__main__":
    main()
