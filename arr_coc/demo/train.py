"""Train the bundled demo model from nothing: ``python -m arr_coc.demo.train --out DIR``.

Three stages in one resumable run on two CPU cores: the vision tower alone with dense labels, the text
part alone reading small pictures, then everything on all that the server sends. Started again with the
same DIR it goes on where it stood, also with other step counts. ``--init CHECKPOINT`` starts from a
finished checkpoint instead, whose text part rests while the tower is trained alone. Owns the loop, its
log and its saves; what is learned from what lives in ``arr_coc.demo.training``.
"""

import argparse
import os
import signal
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import Qwen3VLForConditionalGeneration

from arr_coc.demo.scenes import COLORS, SHAPES
from arr_coc.demo.training.batches import Batch
from arr_coc.demo.training.card import card
from arr_coc.demo.training.export import export
from arr_coc.demo.training.held_out import accuracy, summary
from arr_coc.demo.training.initial import fit_heads, load_weights
from arr_coc.demo.training.losses import compute
from arr_coc.demo.training.network import DenseHeads, create_model, glyph_class_ids
from arr_coc.demo.training.optimiser import Optimiser, Schedule
from arr_coc.demo.training.source import StepBatches, batches, held_out_batches
from arr_coc.demo.training.state import Run
from arr_coc.demo.training.tokenizer import TurnEncoder, build_tokenizer
from arr_coc.demo.wording import vocabulary

SEED = 20
SAVE_SECONDS = 180
SNAPSHOT_SECONDS = 900
LOG_STEPS = 25
EVALUATE_STEPS = 200
HELD_OUT_BATCHES = 12
HEADS_STEPS = 150
"""Steps of the dense heads alone after ``--init``."""
HELD_OUT = "unseen scenes, native pictures and overviews with patches"


@dataclass
class Log:
    """Means of the losses since the last line, and the clock."""

    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    steps: int = 0
    since: float = field(default_factory=time.monotonic)

    def add(self, **values: float) -> None:
        self.steps += 1
        for name, value in values.items():
            self.sums[name] += value

    def line(self, step: int) -> str:
        """One line of means; starts anew."""
        took = (time.monotonic() - self.since) / self.steps
        means = "  ".join(f"{name} {value / self.steps:.3f}" for name, value in self.sums.items())
        self.sums.clear()
        self.steps, self.since = 0, time.monotonic()
        return f"{time.strftime('%H:%M:%S')}  step {step}  {means}  {took:.3f} s/step"


def train(
    out: Path, schedule: Schedule, threads: int, stop_at: int | None = None, init: Path | None = None
) -> None:
    """Run (or go on with) the training in ``out``; ends with ``out / "checkpoint"``.

    ``init`` is the checkpoint that a new run starts from; without it, from nothing.
    SIGTERM, or step ``stop_at``, saves and ends the process's part of the run.
    """
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer([*COLORS, *SHAPES, *sorted(vocabulary())])
    encoder = TurnEncoder(tokenizer)
    model = create_model(len(tokenizer), SEED)
    names = [tuple(encoder.vocab[name] for name in names) for names in (COLORS, SHAPES)]
    heads = DenseHeads(
        model.model.language_model.config.hidden_size, (*names, *glyph_class_ids(encoder.vocab))
    )
    optimiser = Optimiser(model, heads, schedule)
    run = Run(model, heads, optimiser)
    first = run.resume(out)
    if init is not None and first == 0:
        load_weights(model, init)
        before = StepBatches(Schedule(0, 0, HEADS_STEPS), encoder, SEED + 1)
        dense, mention = fit_heads(model, heads, batches(before, 0))
        print(f"heads fitted to {init}: dense {dense:.3f}  mention {mention:.3f}", flush=True)
    size = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"{size:.2f} M parameters, {len(tokenizer)} pieces, steps {first}..{schedule.total}", flush=True)

    held_out = held_out_batches(encoder, HELD_OUT_BATCHES)
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    log, saved, snapped = Log(), time.monotonic(), time.monotonic()
    for step, batch in enumerate(batches(StepBatches(schedule, encoder, SEED), first), first):
        stage = schedule.stage(step)
        if init is not None:
            model.model.language_model.requires_grad_(stage != "vision")
        with torch.autocast("cpu", torch.bfloat16):
            losses = compute(model, heads, batch, still_tower=stage == "reading")
        losses.total.backward()
        norm = optimiser.step(step)
        log.add(
            answer=losses.answer, dense=losses.dense, mention=losses.mention, point=losses.point, norm=norm
        )
        done = step + 1
        if done % LOG_STEPS == 0:
            print(log.line(done), flush=True)
        if done % EVALUATE_STEPS == 0 and stage != "vision":
            print(f"{time.strftime('%H:%M:%S')}  held out: {summary(_judge(model, held_out))}", flush=True)
        ending = bool(stop) or done == stop_at
        if ending or time.monotonic() - saved > SAVE_SECONDS:
            run.save(out, done)
            saved = time.monotonic()
        if ending:
            print(f"stopped before step {done}; the same command goes on from there", flush=True)
            return
        if time.monotonic() - snapped > SNAPSHOT_SECONDS and stage == "joint":
            export(model, tokenizer, out / "snapshot", card(model, {HELD_OUT: _judge(model, held_out)}))
            snapped = time.monotonic()
    run.save(out, schedule.total)
    export(model, tokenizer, out / "checkpoint", card(model, {HELD_OUT: _judge(model, held_out)}))


def _judge(model: Qwen3VLForConditionalGeneration, held_out: list[Batch]) -> dict[str, tuple[int, int]]:
    with torch.autocast("cpu", torch.bfloat16):
        return accuracy(model, held_out)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m arr_coc.demo.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="the run's directory (resumed)")
    parser.add_argument("--init", type=Path, help="start from this checkpoint")
    parser.add_argument("--vision-steps", type=int, default=2400, help="steps of the vision tower alone")
    parser.add_argument("--reading-steps", type=int, default=500, help="steps of the text part alone")
    parser.add_argument("--steps", type=int, default=4000, help="steps of everything together")
    parser.add_argument("--vision-rate", type=float, default=2e-3, help="learning rate of the tower alone")
    parser.add_argument("--rate", type=float, default=5e-4, help="learning rate of everything together")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    schedule = Schedule(
        given.vision_steps, given.reading_steps, given.steps,
        vision_rate=given.vision_rate, joint_rate=given.rate,
    )  # fmt: skip
    # All shapes' kernels stay compiled; must be set before the first matrix product.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "20000")
    train(given.out, schedule, given.threads, init=given.init)


if __name__ == "__main__":
    _main()
