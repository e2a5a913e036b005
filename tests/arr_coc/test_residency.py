"""Models that do not all fit: whatever is asked in whatever order, nobody's model goes from under it, the
limit holds, and everybody's turn comes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arr_coc.residency import Moves, Residency, Stage, Visit

LIMIT = 10
SIZES = {"a": 3, "b": 4, "c": 5, "d": 7, "e": 10}
STAYS_S = 5.0


@dataclass
class World:
    """Does what it is told to, in its own time, and checks what must always hold."""

    now: float = 0.0
    visits: list[Visit] = field(default_factory=list)
    measuring: list[str] = field(default_factory=list)
    loading: list[str] = field(default_factory=list)
    leaving: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    before: dict[int, tuple[int, int]] = field(default_factory=dict)  # visit -> loads begun, models ahead
    again_at: float | None = None

    def __post_init__(self) -> None:
        self.policy = Residency(LIMIT, lambda: self.now)

    def ask(self, model: str) -> Visit:
        ahead = {visit.model for visit in self.visits if not visit.inside} - {model}
        visit = self.policy.ask(model)
        self.visits.append(visit)
        self.before[id(visit)] = (len(self.loads), len(ahead))
        self.settle()
        return visit

    def leave(self, visit: Visit) -> None:
        self.visits.remove(visit)
        self.policy.leave(visit)
        self.settle()

    def measure(self, model: str) -> None:
        self.measuring.remove(model)
        self.policy.measured(model, SIZES[model])
        self.settle()

    def load(self, model: str, stays_s: float = 0.0) -> None:
        self.loading.remove(model)
        self.policy.loaded(model, stays_s)
        self.settle()

    def fail(self, model: str) -> None:
        self.loading.remove(model)
        for visit in self.policy.failed(model):
            self.visits.remove(visit)
        self.settle()

    def let_go(self, model: str) -> None:
        self.leaving.remove(model)
        self.policy.gone(model)
        self.settle()

    def settle(self) -> Moves:
        moves = self.policy.settle()
        self.again_at = moves.again_at
        self.measuring += moves.measure
        self.leaving += moves.let_go
        if moves.load:
            self.loading.append(moves.load)
            self.loads.append(moves.load)
        inside = {visit.model for visit in self.visits if visit.inside}
        assert self.policy.held <= LIMIT
        assert self.policy.held == sum(
            SIZES[name] for name in SIZES if self.policy.stage(name) is not Stage.ABSENT
        )
        assert all(self.policy.stage(name) is Stage.LOADED for name in inside)
        assert not inside.intersection(moves.let_go)
        assert len(self.loading) <= 1
        assert all(visit.inside for visit in moves.entered)
        return moves

    @property
    def waiting(self) -> list[Visit]:
        return [visit for visit in self.visits if not visit.inside]

    def can(self) -> list[Callable[[], object]]:
        """All that may happen of itself."""
        return [
            *(lambda name=name: self.measure(name) for name in self.measuring),  # type: ignore[misc]
            *(lambda name=name: self.load(name, STAYS_S) for name in self.loading),  # type: ignore[misc]
            *(lambda name=name: self.let_go(name) for name in self.leaving),  # type: ignore[misc]
        ]


def served(model: str) -> tuple[World, Visit]:
    """A world in which one visit of ``model`` is inside and nothing else has happened."""
    world = World()
    visit = world.ask(model)
    world.measure(model)
    world.load(model)
    assert visit.inside
    return world, visit


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nobodys_model_goes_the_limit_holds_and_every_turn_comes(data: st.DataObject) -> None:
    world = World()
    for _ in range(data.draw(st.integers(1, 60))):
        happening = [
            *(lambda name=name: world.ask(name) for name in SIZES),  # type: ignore[misc]
            *(lambda visit=visit: world.leave(visit) for visit in world.visits),  # type: ignore[misc]
            *(lambda name=name: world.fail(name) for name in world.loading),  # type: ignore[misc]
            *world.can(),
        ]
        data.draw(st.sampled_from(happening))()
        world.now += data.draw(st.sampled_from([0.0, 1.0, 10.0]))
    for _ in range(500):  # from here on nobody comes any more; everything that was begun comes to its end
        if not world.waiting:
            break
        happening = [
            *(lambda visit=visit: world.leave(visit) for visit in world.visits if visit.inside),  # type: ignore[misc]
            *world.can(),
        ]
        if happening:
            data.draw(st.sampled_from(happening))()
        else:  # only time can help, and it is told when
            assert world.again_at is not None
            assert world.again_at > world.now
            world.now = world.again_at
            world.settle()
    assert not world.waiting


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_who_waits_is_overtaken_by_no_more_models_than_were_ahead(data: st.DataObject) -> None:
    """However others keep coming, for whatever: a bound on the loads between a visit's coming and its turn."""
    world = World()
    for name, size in SIZES.items():
        world.policy.measured(name, size)
    for _ in range(data.draw(st.integers(20, 120))):
        name = data.draw(st.sampled_from(sorted(SIZES)))
        waiting = world.waiting
        world.ask(name)
        for step in world.can():
            step()
        if data.draw(st.booleans()) and (inside := [visit for visit in world.visits if visit.inside]):
            world.leave(data.draw(st.sampled_from(inside)))
        for visit in waiting:
            if visit.inside:
                loads, ahead = world.before[id(visit)]
                assert len(world.loads) - loads <= ahead + 2  # its own, and one that had begun
        world.now += 1


def test_one_that_fits_beside_the_others_is_loaded_and_nobody_goes() -> None:
    world, _ = served("a")
    world.ask("b")
    world.measure("b")
    world.load("b")
    assert (world.policy.stage("a"), world.policy.stage("b")) == (Stage.LOADED, Stage.LOADED)
    assert not world.leaving
    assert world.policy.fits(3)
    assert not world.policy.fits(4)


def test_the_one_that_was_used_longest_ago_makes_room() -> None:
    world, first = served("a")
    second = world.ask("b")
    world.measure("b")
    world.load("b")
    world.leave(first)
    world.leave(second)
    world.leave(world.ask("a"))
    world.ask("c")
    world.measure("c")
    assert world.leaving == ["b"]


def test_one_in_use_goes_only_when_it_is_left_and_lets_nobody_else_in() -> None:
    world, visit = served("d")
    other = world.ask("c")
    world.measure("c")
    late = world.ask("d")
    assert not world.leaving
    assert not late.inside
    world.leave(visit)
    assert world.leaving == ["d"]
    world.let_go("d")
    world.load("c")
    assert (other.inside, late.inside) == (True, False)
    world.leave(other)
    world.let_go("c")
    world.load("d")
    assert late.inside


def test_who_gives_up_waiting_lets_the_others_in_again() -> None:
    world, _ = served("d")
    other = world.ask("c")
    world.measure("c")
    late = world.ask("d")
    world.leave(other)
    assert late.inside


def test_all_who_wait_for_a_model_are_let_in_by_one_swap() -> None:
    world, visit = served("d")
    others = [world.ask("c") for _ in range(3)]
    world.measure("c")
    again = world.ask("d")
    others.append(world.ask("c"))  # later than the one that waits for d
    world.leave(visit)
    world.let_go("d")
    world.load("c")
    assert all(each.inside for each in others)
    assert not again.inside
    assert world.loads == ["d", "c"]


def test_one_in_use_stays_as_long_as_its_load_is_worth() -> None:
    world = World()
    world.ask("d")
    world.measure("d")
    world.load("d", STAYS_S)
    world.ask("c")
    world.measure("c")
    assert world.again_at == STAYS_S
    assert world.ask("d").inside
    world.now = STAYS_S
    world.settle()
    assert not world.ask("d").inside


def test_only_as_many_go_as_have_to() -> None:
    world, first = served("a")  # 3
    second = world.ask("c")  # 5
    world.measure("c")
    world.load("c")
    world.leave(first)
    world.leave(second)
    third = world.ask("b")  # 4: the oldest alone leaves 5
    world.measure("b")
    world.let_go("a")
    world.load("b")
    world.leave(third)
    world.ask("a")  # 3: c is older than b, and is enough
    assert world.leaving == ["c"]


def test_without_a_limit_nobody_ever_goes() -> None:
    policy = Residency(None, lambda: 0.0)
    for name in ("a", "b"):
        policy.ask(name)
        assert policy.settle().measure == (name,)
        policy.measured(name, 10**12)
        assert policy.settle().load == name
        policy.loaded(name, 0.0)
        assert len(policy.settle().entered) == 1
    assert policy.fits(10**12)


def test_one_that_cannot_be_loaded_gives_its_visits_back_and_its_memory() -> None:
    world = World()
    visit = world.ask("e")
    world.measure("e")
    assert world.policy.failed("e") == [visit]
    assert world.policy.held == 0
    assert world.policy.waiting == 0


@pytest.mark.parametrize("model", SIZES)
def test_one_that_is_being_measured_keeps_nobody_waiting(model: str) -> None:
    world, _ = served("a")
    world.ask("slow")
    assert world.ask("a").inside
