"""Text out of tokens, piece by piece: only whole characters leave, and nothing of a stop string."""

from collections import deque
from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from arr_coc.answers import Delta, TokenLogprobs
from arr_coc.engine.spelling import Ranked, Spelling
from arr_coc.engine.stop_strings import StopStrings


class Detokenizer:
    """Turns one sequence's output tokens into text as they come. Special tokens give no text."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._stop = StopStrings(stop)
        self._decoded = ""
        self._emitted = ""
        self._spelling: Spelling | None = None
        self._untold: deque[tuple[int, TokenLogprobs]] = deque()  # by where their text begins

    @property
    def stopped(self) -> bool:
        """Whether the text has come to a stop string, before which it ends."""
        return self._stop.reached

    def push(self, token: int, ranked: Ranked = ()) -> Delta:
        """The text that ``token`` completes; empty while a character is incomplete, or while the
        text may be the beginning of a stop string.

        ``ranked`` are the probabilities in its place where they are to be told; they leave with the first
        of its text, and never where it has none.
        """
        if ranked:
            self._spelling = self._spelling or Spelling(self._tokenizer)
            self._untold.append((len(self._decoded), self._spelling.spell(ranked)))
        piece = self._stream.step(self._tokenizer, token) or ""
        self._decoded += piece
        return self._emit(self._stop.push(piece))

    def finish(self, tokens: Sequence[int]) -> tuple[str, Delta]:
        """The whole text of ``tokens``, and the part of it that ``push`` has not returned yet."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        rest = text[len(self._decoded) :] if text.startswith(self._decoded) else ""
        last = self._emit(self._stop.push(rest) + self._stop.flush())
        return self._emitted, last

    def _emit(self, text: str) -> Delta:
        self._emitted += text
        return Delta(text, tuple(self._told()))

    def _told(self) -> Iterator[TokenLogprobs]:
        while self._untold and self._untold[0][0] < len(self._emitted):
            yield self._untold.popleft()[1]
