"""The end of what is in flight, replica by replica: first let finish, then tell."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

FINISH_S = 6.5  # for what is in flight after the first signal; the platform kills after ten seconds
TELL_S = 0.8  # for the errors of what did not finish to be sent
AT_MOST_S = FINISH_S + 2 * TELL_S
_log = logging.getLogger("serve_app")


async def drain(application: str, stages: Sequence[str]) -> bool:
    """Whether everything in flight could finish. ``stages`` are the deployments that may hold requests; they
    are told to fail the rest, and the ingress to send what they say. Takes ``AT_MOST_S`` at most."""
    from ray import serve

    ingress = serve.get_deployment_handle("Ingress", application)
    handles = [serve.get_deployment_handle(name, application) for name in stages]
    finished = await _told(ingress, FINISH_S, patience_s=TELL_S)
    if not finished:
        await asyncio.gather(*(_told(handle, 0.0, patience_s=TELL_S) for handle in handles))
        await _told(ingress, TELL_S, patience_s=TELL_S)
    return finished


async def _told(stage: Any, timeout_s: float, patience_s: float) -> bool:
    """Whether all replicas of a stage drained within ``timeout_s``; one that is dead or does not answer
    must not keep the others from being told."""
    try:
        replies = await stage.broadcast("drain", timeout_s).results_async(timeout_s=timeout_s + patience_s)
    except Exception as error:
        _log.warning("a stage could not be drained (%s)", type(error).__name__)
        return False
    return all(reply is not False for reply in replies)
