"""Text out of tokens, piece by piece: only whole characters leave, and nothing of a stop string."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from arr_coc.engine.stop_strings import StopStrings


class Detokenizer:
    """Turns one sequence's output tokens into text as they come. Special tokens give no text."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._stop = StopStrings(stop)
        self._decoded = ""
        self._emitted = ""

    @property
    def stopped(self) -> bool:
        """Whether the text has come to a stop string, before which it ends."""
        return self._stop.reached

    def push(self, token: int) -> str:
        """The text that ``token`` completes; empty while a character is incomplete, or while the
        text may be the beginning of a stop string."""
        piece = self._stream.step(self._tokenizer, token) or ""
        self._decoded += piece
        safe = self._stop.push(piece)
        self._emitted += safe
        return safe

    def finish(self, tokens: Sequence[int]) -> tuple[str, str]:
        """The whole text of ``tokens``, and the part of it that ``push`` has not returned yet."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        rest = text[len(self._decoded) :] if text.startswith(self._decoded) else ""
        last = self._stop.push(rest) + self._stop.flush()
        return self._emitted + last, last
