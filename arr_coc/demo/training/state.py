"""Where a run stands, on disk: parameters, optimisers and step.

Each step's data depends on its number alone and the model draws no random numbers, so that this
is all there is to resume from. A save is written under a temporary name and renamed.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from arr_coc.demo.training.optimiser import Optimiser

FILE = "run.pt"


@dataclass(frozen=True)
class Run:
    """The parts of a training run that change."""

    model: nn.Module
    heads: nn.Module
    optimiser: Optimiser

    def save(self, directory: Path, step: int) -> None:
        """``step`` is the next one to run."""
        parts: dict[str, nn.Module | Optimiser] = {
            "model": self.model,
            "heads": self.heads,
            "optimiser": self.optimiser,
        }
        draft = directory / (FILE + ".draft")
        torch.save({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, draft)
        os.replace(draft, directory / FILE)

    def resume(self, directory: Path) -> int:
        """Load the last save, if there is one; returns the next step to run."""
        path = directory / FILE
        if not path.exists():
            return 0
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])
