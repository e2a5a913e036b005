"""How many generation replicas there should be, by the tokens that wait for them.

Requests differ a hundredfold in what they cost, so Ray Serve's own measure, calls under way, says little
of how far an engine is behind. Pure arithmetic, and the shape in which Ray Serve calls it: delays, bounds
and the means over time are Serve's. Knows no engine. Imports nothing of this project, since Serve sends
this module to its controller by value.
"""

import math
from dataclasses import dataclass
from typing import Any

IDLE = 0.5  # share of the backlog allowed below which one replica fewer would do
FULL = 0.8  # share of the slots above which one replica fewer would soon queue


@dataclass(frozen=True, slots=True)
class Load:
    """All replicas together: prompt tokens that wait for a slot, and the slots, taken and in all."""

    backlog_tokens: float
    running: float
    slots: float


def stats(backlog_tokens: float, running: float, slots: float) -> dict[str, float]:
    """What one replica reports, in the form that Ray Serve takes."""
    return {"backlog_tokens": backlog_tokens, "running": running, "slots": slots}


def wanted(load: Load, replicas: int, tokens_each: float) -> int:
    """How many replicas there should be where ``replicas`` carry ``load`` now, of which each may have
    ``tokens_each`` prompt tokens waiting.

    More as soon as more wait, as many as that is worth; one fewer only where those that are left would
    have at most half of that waiting and a fifth of their slots free. So what was added for a load is
    never taken away at the same load.
    """
    if replicas < 1:
        return 1
    if load.backlog_tokens > tokens_each * replicas:
        return math.ceil(load.backlog_tokens / tokens_each)
    left = replicas - 1
    slots_each = load.slots / replicas
    spare = load.backlog_tokens <= IDLE * tokens_each * left and load.running <= FULL * slots_each * left
    return left if left and spare else replicas


class BacklogPolicy:
    """Ray Serve's autoscaling policy for the generation stage."""

    def __init__(self, tokens_each: float) -> None:
        self._tokens_each = tokens_each

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """``context`` is Ray Serve's AutoscalingContext; gives the replicas wanted and no state."""
        metrics = context.aggregated_metrics or {}
        reports = {name: metrics.get(name, {}).values() for name in stats(0, 0, 0)}
        if not reports["slots"]:  # nobody has told anything yet
            return context.target_num_replicas, {}
        load = Load(**{name: sum(values) for name, values in reports.items()})
        return wanted(load, len(reports["slots"]), self._tokens_each), {}
