"""Sharing, with numbers for what is shared."""

from dataclasses import dataclass
from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from arr_coc.fairness import Guarantees, Pool, Shares


@dataclass(eq=False)
class Wish:
    tenant: str
    price: int = 1


TENANTS = st.sampled_from("abcd")
WISHES = st.lists(st.builds(Wish, TENANTS, st.integers(1, 500)), max_size=30)
CHARGES = st.lists(st.tuples(TENANTS, st.integers(1, 500)), max_size=20)


def _in_turn(shares: Shares, wishes: list[Wish]) -> list[Wish]:
    return shares.in_turn(wishes, attrgetter("price"))


def _charged(charges: list[tuple[str, int]]) -> Shares:
    shares = Shares()
    for charge in charges:
        shares.charge(*charge)
    return shares


@given(st.lists(st.integers(1, 500), max_size=30), CHARGES)
def test_one_tenant_is_served_first_come_first_served(
    prices: list[int], charges: list[tuple[str, int]]
) -> None:
    wishes = [Wish("a", price) for price in prices]
    assert _in_turn(_charged(charges), wishes) == wishes


@given(WISHES, CHARGES)
def test_everybody_has_a_turn_and_each_tenants_are_in_order(
    wishes: list[Wish], charges: list[tuple[str, int]]
) -> None:
    turns = _in_turn(_charged(charges), wishes)
    assert len(turns) == len(wishes)
    for tenant in "abcd":
        assert [each for each in turns if each.tenant == tenant] == [
            each for each in wishes if each.tenant == tenant
        ]


@given(WISHES, CHARGES)
def test_a_newcomer_waits_for_one_turn_of_each_other_tenant_at_most(
    wishes: list[Wish], charges: list[tuple[str, int]]
) -> None:
    newcomer = Wish("new")
    turns = _in_turn(_charged(charges), [*wishes, newcomer])
    assert turns.index(newcomer) <= len({each.tenant for each in wishes})


@given(
    st.lists(st.integers(1, 500), min_size=40, max_size=40),
    st.lists(st.integers(1, 500), min_size=40, max_size=40),
)
def test_tenants_that_always_wait_get_equal_amounts(first: list[int], second: list[int]) -> None:
    shares, had = Shares(), {"a": 0, "b": 0}
    waiting = [*(Wish("a", price) for price in first), *(Wish("b", price) for price in second)]
    while {each.tenant for each in waiting} == {"a", "b"}:
        served = _in_turn(shares, waiting)[0]
        waiting.remove(served)
        shares.charge(served.tenant, served.price)
        had[served.tenant] += served.price
        assert abs(had["a"] - had["b"]) <= 500


def test_idle_time_earns_no_credit() -> None:
    shares = Shares()
    for _ in range(100):
        shares.charge(_in_turn(shares, [Wish("busy", 10)])[0].tenant, 10)
    waiting = [Wish("busy", 10) for _ in range(4)] + [Wish("idle", 10) for _ in range(4)]
    assert "".join(each.tenant[0] for each in _in_turn(shares, waiting)) in ("bibibibi", "ibibibib")


def test_what_was_had_alone_is_not_held_against_anyone() -> None:
    shares = _charged([("busy", 10_000)])
    _in_turn(shares, [Wish("busy")])  # alone: level again
    waiting = [Wish("busy", 5), Wish("other", 5), Wish("other", 5)]
    assert _in_turn(shares, waiting)[:2] == waiting[:2]


MOVES = st.lists(st.tuples(TENANTS, st.booleans()), max_size=200)


@given(MOVES, st.integers(1, 12))
def test_nobody_below_an_equal_share_is_refused(moves: list[tuple[str, bool]], capacity: int) -> None:
    pool, held = Pool(capacity), dict.fromkeys("abcd", 0)
    for tenant, takes in moves:
        if takes:
            holders = {each for each in held if held[each]} | {tenant}
            fits = pool.fits(tenant)
            if held[tenant] < max(1, capacity // len(holders)) or sum(held.values()) < capacity:
                assert fits
            else:
                assert not fits
            if fits:
                pool.take(tenant)
                held[tenant] += 1
        elif held[tenant]:
            pool.give_back(tenant)
            held[tenant] -= 1
        assert pool.taken == sum(held.values())
        assert all(pool.held_by(each) == count for each, count in held.items())
        assert pool.taken <= capacity + sum(max(1, capacity // n) for n in (2, 3, 4))


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 9))
def test_one_tenant_has_all_of_a_pool_and_no_more(moves: list[bool], capacity: int) -> None:
    pool = Pool(capacity)
    for takes in moves:
        assert pool.fits("a") == (pool.taken < capacity)
        if takes and pool.fits("a"):
            pool.take("a")
        elif not takes and pool.taken:
            pool.give_back("a")


SLOTS = 8
EVENTS = st.lists(st.tuples(st.sampled_from(("ask", "end", "wait")), TENANTS), max_size=120)


class Slots:
    """Slots that are given out as `Guarantees` says, as soon as any is free."""

    def __init__(self) -> None:
        self.guarantees = Guarantees(SLOTS, lately_s=10.0)
        self.waiting: list[Wish] = []
        self.running: list[Wish] = []
        self.now = 0.0

    def ask(self, tenant: str) -> Wish:
        wish = Wish(tenant)
        self.waiting.append(wish)
        self.guarantees.ask(tenant, sum(each.tenant == tenant for each in self.waiting), self.now)
        return wish

    def end(self, tenant: str) -> None:
        wish = next((each for each in self.running if each.tenant == tenant), None)
        if wish is not None:
            self.running.remove(wish)
            self.guarantees.give_back(tenant, self.now)

    def admit(self) -> None:
        while True:
            admitted, _ = self.guarantees.admitted(self.waiting, SLOTS - len(self.running), self.now)
            if not admitted:
                break
            for wish in admitted:
                self.waiting.remove(wish)
                self.running.append(wish)
                self.guarantees.take(wish.tenant)
            assert len(self.running) <= SLOTS
        assert self.running or not self.waiting

    def happen(self, event: str, tenant: str) -> None:
        if event == "ask":
            self.ask(tenant)
        elif event == "end":
            self.end(tenant)
        else:
            self.now += 3.0


@given(EVENTS, st.integers(1, SLOTS // 5))
def test_who_goes_on_with_as_many_as_before_never_waits(events: list[tuple[str, str]], as_many: int) -> None:
    slots = Slots()
    for _ in range(as_many):
        slots.ask("steady")
    slots.admit()
    for event in events:
        slots.end("steady")
        again = slots.ask("steady")
        slots.admit()
        assert again in slots.running
        slots.happen(*event)
        slots.admit()


@given(EVENTS)
def test_nobody_waits_for_ever(events: list[tuple[str, str]]) -> None:
    slots = Slots()
    for event in events:
        slots.happen(*event)
        slots.admit()
    while slots.waiting:
        slots.end(slots.running[0].tenant)
        slots.admit()


def test_who_has_waited_long_is_still_there() -> None:
    guarantees = Guarantees(SLOTS, lately_s=1.0)
    wishes = [Wish("a"), Wish("a"), Wish("b")]
    for each in wishes:
        guarantees.ask(each.tenant, 1, now=0.0)
    assert guarantees.several(wishes, now=9.0)
    assert not guarantees.several(wishes[:2], now=9.0)
