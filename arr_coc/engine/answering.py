"""Tokens become answers. Belongs to the engine's thread; does not know where tokens come from."""

from collections.abc import Callable, Container

from arr_coc.engine.ending import Endings
from arr_coc.engine.isolation import STICKY
from arr_coc.engine.outcome import Outbox
from arr_coc.engine.sampling import Choice
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.engine.spelling import Ranked
from arr_coc.engine.stopping import finish_reason
from arr_coc.errors import ModelFault


class Answering:
    """Appends a token at a time, tells the text that becomes final, and sees when an answer is complete."""

    def __init__(
        self,
        max_length: int,
        eos_ids: Container[int],
        endings: Endings,
        outbox: Outbox,
        clear: Callable[[int], None],
    ) -> None:
        """``clear(slot)`` zeroes a slot whose contents are not finite."""
        self._max_length = max_length
        self._eos_ids = eos_ids
        self._endings = endings
        self._outbox = outbox
        self._clear = clear

    def append(self, row: Seq, choice: Choice) -> None:
        """Take one more token into the answer; -1 says that the row's logits were not finite.

        What goes wrong here ends this row alone."""
        if choice[0] < 0:
            self._clear(row.slot)
            self._endings.fail(row, ModelFault("the model gave no finite probabilities"))
            return
        try:
            self._extend(row, *choice)
        except STICKY:
            raise
        except Exception as error:
            self._endings.fail(row, error)

    def _extend(self, row: Seq, token: int, ranked: Ranked) -> None:
        row.output.append(token)
        room = self._max_length - row.length
        reason = finish_reason(row.output, row.sampling, self._eos_ids, room)
        ended = reason == "stop"  # by a token that is not said, though some models end with a line break
        if not ended and (delta := row.detokenizer.push(token, ranked)).text:
            self._outbox.put(row.outcome, delta)
        if reason or row.detokenizer.stopped:
            self._endings.finish(row, reason or "stop", row.output[:-1] if ended else row.output)
