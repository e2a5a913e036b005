"""Several engines, told of as one."""

from deployments.tally import Tally


class Gauges:
    def __init__(self) -> None:
        self.told: list[object] = []

    def occupancy(self, *told: int) -> None:
        self.told.append(told)

    def kept(self, kept_bytes: int) -> None:
        self.told.append(kept_bytes)


def test_gauges_are_added_up_and_an_engine_that_has_ended_counts_no_more() -> None:
    gauges = Gauges()
    tally = Tally(gauges)  # type: ignore[arg-type]
    one, other = tally.engine(), tally.engine()
    one.occupancy(1, 2, 4, 30)
    other.occupancy(3, 0, 4, 7)
    one.kept(100)
    other.kept(50)
    one.ended()
    assert gauges.told == [(1, 2, 4, 30), (4, 2, 8, 37), 100, 150, (3, 0, 4, 7), 50]
