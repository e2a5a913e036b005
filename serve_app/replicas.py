"""Several engines looked at as one. Pure; it does not know how they are reached."""

from collections.abc import Sequence
from dataclasses import replace

from arr_coc.status import EngineStatus, ModelState
from deployments.config import FAILED

_CLOSENESS: tuple[ModelState, ...] = ("absent", "loading", "loaded")


def combined(statuses: Sequence[EngineStatus]) -> EngineStatus:
    """One status of several replicas of one model, at least one.

    Ready where any is, and then of the ready ones alone: a new request goes to one of them, so its wait
    is the shortest queue's and an engine that hangs hides behind one that does not. Otherwise of the one
    that has not given up, if there is any.
    """
    ready = [each for each in statuses if each.ready]
    if not ready:
        return max(statuses, key=lambda each: not each.detail.startswith(FAILED))
    best = min(ready, key=lambda each: each.last_step_age_s)
    return replace(
        best,
        running=sum(each.running for each in ready),
        waiting=sum(each.waiting for each in ready),
        slots=sum(each.slots for each in ready),
        backlog=min((each.backlog for each in ready), key=lambda each: each.seconds),
        replicas=len(ready),
        models=_models(ready),
    )


def _models(statuses: Sequence[EngineStatus]) -> dict[str, ModelState]:
    """Where each model is in the replica that has come farthest with it; in the order of the first."""
    names = dict.fromkeys(name for each in statuses for name in each.models)
    return {
        name: max((each.models[name] for each in statuses if name in each.models), key=_CLOSENESS.index)
        for name in names
    }
