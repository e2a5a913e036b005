"""Batches from a process of their own, so that drawing does not hold up the model.

Owns the mapping from step number to batch, and the worker.
"""

import random
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from arr_coc.demo.training.batches import (
    HELD_OUT_SEEDS,
    Batch,
    batch_of,
    joint_batch,
    reading_batch,
    vision_batch,
)
from arr_coc.demo.training.geometry import CATALOGUE
from arr_coc.demo.training.optimiser import Schedule
from arr_coc.demo.training.tokenizer import TurnEncoder

AHEAD = 6
SHEETS_SHARE = 0.2
"""Of the joint stage's steps: the tower alone again, so that glyphs keep improving."""


class StepBatches(Dataset[Batch]):
    """Batch number ``step`` of a run."""

    def __init__(self, schedule: Schedule, encoder: TurnEncoder, seed: int) -> None:
        self._schedule, self._encoder, self._seed = schedule, encoder, seed

    def __len__(self) -> int:
        return self._schedule.total

    def __getitem__(self, step: int) -> Batch:
        rng = random.Random(f"batch {self._seed} {step}")
        stage = self._schedule.stage(step)
        if stage == "reading":
            return reading_batch(rng, self._encoder)
        if stage == "vision" or rng.random() < SHEETS_SHARE:
            return vision_batch(rng)
        return joint_batch(rng, self._encoder)


def batches(data: StepBatches, first: int) -> Iterator[Batch]:
    """Batches ``first``, ``first + 1``, ... to the last, drawn ahead by one worker."""
    loader = DataLoader(
        data,
        batch_size=None,
        sampler=range(first, len(data)),
        num_workers=1,
        prefetch_factor=AHEAD,
        worker_init_fn=lambda _: torch.set_num_threads(1),
    )
    return iter(loader)


def held_out_batches(encoder: TurnEncoder, count: int) -> list[Batch]:
    """The same small held-out set every time: native pictures, overviews with one or two patches."""
    rng = random.Random("held out")
    routes = [rng.choice(CATALOGUE["native" if i % 2 else "zoom"]) for i in range(count)]
    return [batch_of(rng, encoder, geometry, HELD_OUT_SEEDS) for geometry in routes]
