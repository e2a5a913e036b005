"""Which parameter is moved by which rule, and how fast at which step.

Owns the two optimisers (Muon for matrices, AdamW for the rest) and the schedule of the stages.
Knows nothing of data and losses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

Part = Literal["tower", "table", "text", "heads"]
MUON_RATIO = 4.0
TABLE_RATIO = 5.0
WARM_UP = 60


Stage = Literal["vision", "reading", "joint"]


@dataclass(frozen=True)
class Schedule:
    """Step counts of the three stages; a step's rate depends on its place in its stage alone.

    The vision tower alone; then the text part alone, reading small pictures off the still tower; then both.
    """

    vision_steps: int
    reading_steps: int
    joint_steps: int
    vision_rate: float = 2e-3
    reading_rate: float = 1.5e-3
    joint_rate: float = 5e-4
    joint_tower_ratio: float = 1.6

    @property
    def total(self) -> int:
        return self.vision_steps + self.reading_steps + self.joint_steps

    def stage(self, step: int) -> Stage:
        if step < self.vision_steps:
            return "vision"
        return "reading" if step < self.vision_steps + self.reading_steps else "joint"

    def rate(self, step: int, part: Part) -> float:
        """The base learning rate of ``part`` at ``step``."""
        ratio = TABLE_RATIO if part == "table" else 1.0
        stage = self.stage(step)
        if stage == "vision":
            return ratio * self.vision_rate * _decay(step, self.vision_steps, 0.5, 0.3)
        step -= self.vision_steps
        if stage == "reading":
            return ratio * self.reading_rate * _decay(step, self.reading_steps, 0.4, 0.4)
        if part in ("tower", "table"):
            ratio *= self.joint_tower_ratio
        return ratio * self.joint_rate * _decay(step - self.reading_steps, self.joint_steps, 0.2, 0.03)


def _decay(step: int, total: int, flat: float, floor: float) -> float:
    """Warm-up, a flat part, then a straight line to ``floor`` at the last step."""
    warm = min(1.0, (step + 1) / WARM_UP)
    left = (1.0 - step / total) / (1.0 - flat)
    return warm * max(floor, min(1.0, floor + (1.0 - floor) * left))


def _part(name: str) -> Part:
    if "visual.pos_embed" in name:
        return "table"
    if "visual." in name:
        return "tower"
    return "heads" if name.startswith("heads.") else "text"


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim == 2 and not any(word in name for word in ("embed", "heads."))


class Optimiser:
    """Muon and AdamW as one: ``step`` sets the rates of the schedule, clips, moves, clears."""

    def __init__(self, model: nn.Module, heads: nn.Module, schedule: Schedule) -> None:
        self._schedule = schedule
        named = dict(_named(model, heads))
        self._parameters = list(named.values())
        matrices = {n: p for n, p in named.items() if _is_matrix(n, p)}
        rest = {n: p for n, p in named.items() if n not in matrices}
        self._muon = torch.optim.Muon(
            _groups(matrices), lr=0.0, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"
        )
        self._adam = torch.optim.AdamW(_groups(rest), lr=0.0, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def step(self, step: int) -> float:
        """Move all parameters that have a gradient; returns the gradient's norm before clipping."""
        norm = nn.utils.clip_grad_norm_(self._parameters, 1.0)
        both: tuple[tuple[torch.optim.Optimizer, float], ...] = ((self._muon, MUON_RATIO), (self._adam, 1.0))
        for optimiser, ratio in both:
            for group in optimiser.param_groups:
                group["lr"] = ratio * self._schedule.rate(step, group["part"])
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return float(norm)

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])


def _named(model: nn.Module, heads: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    yield from model.named_parameters()
    yield from ((f"heads.{name}", parameter) for name, parameter in heads.named_parameters())


def _groups(named: dict[str, nn.Parameter]) -> list[dict[str, Any]]:
    parts: dict[Part, list[nn.Parameter]] = {}
    for name, parameter in named.items():
        parts.setdefault(_part(name), []).append(parameter)
    return [{"params": parameters, "part": part} for part, parameters in parts.items()]
