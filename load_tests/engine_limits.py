"""How near the engine comes to what it could do at best, without HTTP and texture: two ratios.

    python -m load_tests.engine_limits [--rounds 5] [--json limits.json]

*Staggered / offline*: answers a second to the same questions, with answers of 1 to 64 tokens, when they
arrive at random over three quarters of the time that they take when all are there from the start, over
those a second of that. *Mixed / equal*: tokens a second of decoding 16 rows that hold from 50 to 2,000
tokens, over those with 1,000 tokens each.

The bundled model (or ``--model DIRECTORY``). Both sides of a ratio run in turns; told are medians, and the
least and the largest round, by the clock and by the processor time of this process, which a busy machine
spoils less.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.engine import Engine
from arr_coc.engine.observer import Silent
from arr_coc.engine.outcome import Outcome
from arr_coc.engine.sequence import Phase, Times
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.model.adapter import Adapter, Prompt
from arr_coc.model.config import ModelConfig
from arr_coc.model.loading import load
from arr_coc.model.source import resolve
from arr_coc.types import Grid, Sampling

QUESTIONS = 96
ROWS = 16
LENGTHS = np.linspace(50, 2000, ROWS, dtype=int)
EQUAL = 1000
STEPS = 12  # of each side before the other's turn
OVER = 0.75  # of the offline time: more than can be answered arrives, until the last has come

Seconds = tuple[float, float]  # by the clock, and of the processor


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.engine_limits", description=__doc__)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where to write the ratios")
    args = parser.parse_args()
    config = ModelConfig(source=args.model)
    adapter = load(resolve(config.source), config)
    measured = {
        "staggered / offline": asyncio.run(staggered_over_offline(adapter, args.rounds)),
        "mixed / equal lengths": asyncio.run(mixed_over_equal(adapter, 4 * args.rounds)),
    }
    for name, ratios in measured.items():
        for clock, each in zip(("by the clock", "processor time"), zip(*ratios, strict=True), strict=True):
            told = f"{statistics.median(each):.3f} ({min(each):.3f} to {max(each):.3f})"
            sys.stdout.write(f"{name}, {clock}: {told}, {len(each)} rounds\n")
    if args.json:
        args.json.write_text(json.dumps(measured, indent=1))


async def staggered_over_offline(adapter: Adapter, rounds: int) -> list[Seconds]:
    """Times of the offline run over those of the staggered one, of each round."""
    ratios = []
    await _answered(adapter, [0.0] * QUESTIONS, seed=0)  # caches and threads are warm
    for seed in range(rounds):
        offline = await _answered(adapter, [0.0] * QUESTIONS, seed)
        chance = random.Random(seed)
        arrivals = sorted(chance.uniform(0, OVER * offline[0]) for _ in range(QUESTIONS))
        ratios.append(_over(offline, await _answered(adapter, [at - arrivals[0] for at in arrivals], seed)))
    return ratios


async def _answered(adapter: Adapter, arrivals: list[float], seed: int) -> Seconds:
    """Until all questions of a seed are answered that arrive at these moments."""
    engine = Engine(adapter, {}, EngineConfig(shared_mib=0, max_queue=QUESTIONS), Silent())
    rng = np.random.default_rng(seed)
    sequences = [_sequence(adapter, _question(adapter, rng), int(rng.integers(1, 65))) for _ in arrivals]
    engine.start()
    began, worked = time.monotonic(), time.process_time()
    for at, sequence in zip(arrivals, sequences, strict=True):
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        engine.submit(sequence)
    while not all(sequence.outcome.ended for sequence in sequences):
        await asyncio.sleep(0.002)
    seconds = time.monotonic() - began, time.process_time() - worked
    await asyncio.to_thread(engine.close)
    return seconds


def _question(adapter: Adapter, rng: np.random.Generator) -> Prompt:
    """About a picture of 256 x 256 px of its own, all of which the model sees."""
    grid = Grid(256 // adapter.token_side, 256 // adapter.token_side)
    pixels = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    prompt = adapter.prompt([grid], "What is in the picture?")
    return Prompt(prompt.token_ids, prompt.positions, prompt.spans, (pixels,))


async def mixed_over_equal(adapter: Adapter, rounds: int) -> list[Seconds]:
    """Tokens a second with mixed lengths over those with equal ones, of each round."""
    mixed = decoding_step(adapter, [int(length) for length in LENGTHS], rounds * STEPS)
    equal = decoding_step(adapter, [EQUAL] * ROWS, rounds * STEPS)
    return [_over(_seconds(equal), _seconds(mixed)) for _ in range(rounds)]


def decoding_step(adapter: Adapter, lengths: list[int], steps: int) -> Callable[[], object]:
    """A step of an engine whose rows hold so many tokens each; it can be made so many times."""
    tokens = steps + len(lengths) + 1  # the first ones decode while the last ones are prefilled
    config = EngineConfig(slots=len(lengths), max_length=max(lengths) + tokens, window_ms=0)
    engine = Engine(adapter, {}, config, Silent())
    sequences = [_sequence(adapter, _text(adapter, length), tokens) for length in lengths]
    for sequence in sequences:
        engine.submit(sequence)
    while any(sequence.phase is not Phase.RUNNING for sequence in sequences):
        engine.step()
    return engine.step


def _text(adapter: Adapter, length: int) -> Prompt:
    prompt = adapter.prompt([], "word " * length)
    return Prompt(prompt.token_ids[:length], prompt.positions[:, :length])


def _seconds(step: Callable[[], object]) -> Seconds:
    began, worked = time.monotonic(), time.process_time()
    for _ in range(STEPS):
        step()
    return time.monotonic() - began, time.process_time() - worked


def _over(one: Seconds, other: Seconds) -> Seconds:
    return one[0] / other[0], one[1] / other[1]


def _sequence(adapter: Adapter, prompt: Prompt, tokens: int) -> Seq:
    return Seq(
        id="x", prompt=prompt, sampling=Sampling(max_new_tokens=tokens, ignore_eos=True), deadline=float("inf"),
        outcome=Outcome(), detokenizer=Detokenizer(adapter.tokenizer), times=Times(time.monotonic()),
    )  # fmt: skip


if __name__ == "__main__":
    main()
