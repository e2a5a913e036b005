"""Which sequence sits in which slot. Occupied slots are always the first ones."""

from collections.abc import Callable

from arr_coc.engine.sequence import Sequence


class Slots:
    """A dense table of sequences: joining takes the next slot, leaving moves at most one row."""

    def __init__(self, capacity: int, move: Callable[[int, int, int], None]) -> None:
        """``move(source, target, length)`` copies a slot's tokens."""
        self.capacity = capacity
        self.rows: list[Sequence] = []
        self._move = move

    @property
    def free(self) -> int:
        return self.capacity - len(self.rows)

    def join(self, sequence: Sequence) -> None:
        """Give a sequence the next free slot."""
        assert self.free, "the scheduler admits no more than there are slots"
        sequence.slot = len(self.rows)
        self.rows.append(sequence)

    def leave(self, sequence: Sequence) -> None:
        """Free a slot; the last row takes its place."""
        last = self.rows.pop()
        if last is not sequence:
            self._move(last.slot, sequence.slot, last.length)
            last.slot = sequence.slot
            self.rows[last.slot] = last
        sequence.slot = -1
