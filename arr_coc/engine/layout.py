"""The host side of a prefill: which tokens of which rows, and where they go. Runs nothing."""

from collections.abc import Iterator, Sequence

import numpy as np

from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.engine.shared import View
from arr_coc.engine.views import bucketed
from arr_coc.model.adapter import Features, Ids

Shown = tuple[Features, tuple[int, int]]
"""A picture, and from which to before which of its tokens are shown."""


class Part:
    """The next ``size`` tokens of a row's prompt."""

    def __init__(self, row: Seq, size: int) -> None:
        self.row, self.size = row, size
        self.start, self.end = row.length, row.length + size

    @property
    def ends_probe(self) -> bool:
        """Whether it is the last part of a probe."""
        return self.row.probing and self.size == self.row.pending

    @property
    def begun(self) -> list[View]:
        """The pictures whose first token is in it."""
        prompt = self.row.prompt
        digests = prompt.digests or [None] * len(prompt.pictures)
        views = zip(prompt.spans, digests, prompt.pictures, strict=True)
        return [(key, pixels) for (at, _), key, pixels in views if self.start <= at < self.end]

    def visual(self) -> Iterator[tuple[int, int, int]]:
        """Of each picture that has tokens in it: where the picture starts in the prompt, and from which to
        before which place of the prompt its tokens are."""
        for at, length in self.row.prompt.spans:
            first, end = max(at, self.start), min(at + length, self.end)
            if first < end:
                yield at, first, end

    def shown(self, begun: Iterator[Features]) -> list[Shown]:
        """All pictures that have tokens in it; ``begun`` gives the features of those that begin in it."""
        pictures: list[Shown] = []
        for at, first, end in self.visual():
            picture = next(begun) if at >= self.start else self.row.looking_at
            assert picture is not None
            pictures.append((picture, (first - at, end - at)))
        return pictures


class Layout:
    """Parts padded on the right to the longest."""

    def __init__(self, parts: Sequence[Part], axes: int, max_length: int) -> None:
        size = (len(parts), max(part.size for part in parts))
        self.slots = np.array([part.row.slot for part in parts], dtype=np.int64)
        self.last = np.array([part.size - 1 for part in parts], dtype=np.int64)
        self.token_ids: Ids = np.zeros(size, dtype=np.int64)
        self.positions: Ids = np.zeros((axes, *size), dtype=np.int64)
        self.visual = np.zeros(size, dtype=np.bool_)
        self.columns: Ids = np.full(size, max_length, dtype=np.int64)  # padding goes to the scratch column
        starts = np.array([part.start for part in parts], dtype=np.int64)
        self.reach: Ids = starts[:, None] + np.arange(size[1])
        for i, part in enumerate(parts):
            self._fill(i, part)
        self.fresh = not starts.any()
        self.kv_length = size[1] if self.fresh else bucketed(max(part.end for part in parts), max_length)

    def _fill(self, i: int, part: Part) -> None:
        tokens = slice(part.start, part.end)
        self.token_ids[i, : part.size] = part.row.prompt.token_ids[tokens]
        self.positions[:, i, : part.size] = part.row.prompt.positions[:, tokens]
        self.columns[i, : part.size] = np.arange(part.start, part.end)
        for _, first, end in part.visual():
            self.visual[i, first - part.start : end - part.start] = True


def unfinished(pictures: Sequence[Shown]) -> Features | None:
    """The last of the pictures that a part shows, where tokens of it are still to come."""
    return next((picture for picture, (_, end) in pictures[-1:] if end < len(picture.tokens)), None)
