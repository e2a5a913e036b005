"""Whether the server can answer, known before anyone asks.

The engine is looked at in the background, so that a health check costs nothing and returns at once
however busy the engine is. It does not know HTTP.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from arr_coc.errors import ArrCocError, EngineClosed, InvalidRequest
from arr_coc.status import EngineStatus

_log = logging.getLogger(__name__)
_LOOK_S = 2.0  # a look that takes longer counts as none
_SILENCE_S = 10.0  # a stage whose process is alive answers within seconds, however busy its engine


class StatusWatch:
    """The engine's newest status, renewed every ``refresh_s`` while ``run`` runs.

    An engine is stalled when it has had work but made no step for ``stall_s`` seconds. A stage that has
    given no status for ten seconds is taken for gone, one busy moment is not.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[EngineStatus]],
        *,
        refresh_s: float,
        stall_s: float,
        stage: str = "generation",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._refresh_s = refresh_s
        self._stall_s = stall_s
        self._stage = stage
        self._clock = clock
        self._seen_at = clock()
        self._absence = "starting"  # why there is no status
        self.status: EngineStatus | None = None

    async def run(self) -> None:
        """Looks for ever; ends by cancellation."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._refresh_s)

    async def refresh(self) -> None:
        """Looks once. A stage that says it is gone is believed at once; one that says nothing, after a while."""
        try:
            async with asyncio.timeout(_LOOK_S):
                self.status = await self._look()
            self._seen_at = self._clock()
        except TimeoutError:
            pass
        except ArrCocError as error:
            self.status, self._absence = None, error.message
        except Exception:
            _log.exception("the %s stage's status could not be read", self._stage)
            self.status, self._absence = None, f"the {self._stage} stage gives no status"

    def trouble(self) -> str | None:
        """Why no answer can be expected; None when all is well."""
        missing = self._missing()
        if missing is not None or self.status is None:
            return missing
        if self.status.last_step_age_s > self._stall_s:
            return "the engine has made no step for too long"
        if self._clock() - self._seen_at > _SILENCE_S:
            return f"the {self._stage} stage has given no status for too long"
        return None

    def require_loaded(self) -> None:
        """Raises EngineClosed (``not_ready``) while there is no loaded engine to ask."""
        if self._missing() is not None:
            raise EngineClosed("the model is not loaded yet", code="not_ready")

    @property
    def models(self) -> tuple[str, ...]:
        """Names of all models that are served, the default one first; none while nothing is known of them."""
        if self.status is None:
            return ()
        return tuple(self.status.models) or (self.status.model,)

    def require_served(self, name: str) -> None:
        """Raises InvalidRequest (``model_not_found``) for any other name, EngineClosed where nothing is
        known."""
        if self.status is None:  # gone since the request was let in
            self.require_loaded()
        if name not in self.models:
            raise not_served()

    def _missing(self) -> str | None:
        if self.status is None:
            return self._absence
        return None if self.status.ready else self.status.detail


def not_served() -> InvalidRequest:
    """No model of the name that was asked for."""
    return InvalidRequest(
        "no such model is served; GET /v1/models tells those that are", code="model_not_found", param="model"
    )
