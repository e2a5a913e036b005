"""Several engines, told of as one."""

from deployments.tally import Tally


class Gauges:
    def __init__(self) -> None:
        self.told: list[object] = []

    def occupancy(self, running: int, waiting: int, slots: int) -> None:
        self.told.append((running, waiting, slots))

    def kept(self, kept_bytes: int) -> None:
        self.told.append(kept_bytes)


def test_gauges_are_added_up_and_an_engine_that_has_ended_counts_no_more() -> None:
    gauges = Gauges()
    tally = Tally(gauges)  # type: ignore[arg-type]
    one, other = tally.engine(), tally.engine()
    one.occupancy(1, 2, 4)
    other.occupancy(3, 0, 4)
    one.kept(100)
    other.kept(50)
    one.ended()
    assert gauges.told == [(1, 2, 4), (4, 2, 8), 100, 150, (3, 0, 4), 50]
