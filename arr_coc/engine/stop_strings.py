"""Ends a text, which comes in pieces, before the first of some strings. Pure policy.

Where the text ends does not depend on how it was cut into pieces, and what was let out is never
taken back. It does not know tokens.
"""

from collections.abc import Sequence


class StopStrings:
    """Lets text through, but for an end that may yet become one of ``strings``.

    The stop string that is complete first ends the text; of several complete at once, the longest.
    """

    def __init__(self, strings: Sequence[str] = ()) -> None:
        assert all(strings), "an empty string would end every text"
        self.reached = False
        self._strings = tuple(strings)
        self._held = ""

    def push(self, piece: str) -> str:
        """The text that has become safe to show with ``piece``; nothing after a stop string."""
        if self.reached or not self._strings:
            return "" if self.reached else piece
        text = self._held + piece
        start = self._start_of_stop(text)
        self.reached = start is not None
        safe = len(text) - self._doubtful(text) if start is None else start
        self._held = "" if self.reached else text[safe:]
        return text[:safe]

    def flush(self) -> str:
        """What is still held back: the text has ended, and with it all doubt."""
        held, self._held = self._held, ""
        return held

    def _start_of_stop(self, text: str) -> int | None:
        found = [(at + len(stop), at) for stop in self._strings if (at := text.find(stop)) >= 0]
        return min(found)[1] if found else None

    def _doubtful(self, text: str) -> int:
        """Length of the longest end of ``text`` that a stop string begins with."""
        longest = min(len(text), max(map(len, self._strings)) - 1)
        return next((n for n in range(longest, 0, -1) if self._begins_stop(text[-n:])), 0)

    def _begins_stop(self, end: str) -> bool:
        return any(stop.startswith(end) for stop in self._strings)
