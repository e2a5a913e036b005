from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from arr_coc.knapsack import knapsack

GROUPS = st.lists(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 50)), max_size=4), max_size=5)


def value_of(groups: list[list[tuple[int, int]]], chosen: list[tuple[int, int]]) -> tuple[int, int]:
    cost = sum(groups[g][o][0] for g, o in chosen)
    return cost, sum(groups[g][o][1] for g, o in chosen)


def brute_force(groups: list[list[tuple[int, int]]], budget: int, picks: int) -> int:
    best = 0
    for choice in product(*([None, *range(len(group))] for group in groups)):
        chosen = [(g, o) for g, o in enumerate(choice) if o is not None]
        cost, value = value_of(groups, chosen)
        if len(chosen) <= picks and cost <= budget:
            best = max(best, value)
    return best


@given(GROUPS, st.integers(0, 80), st.integers(0, 4))
def test_it_is_as_good_as_trying_everything(
    groups: list[list[tuple[int, int]]], budget: int, picks: int
) -> None:
    chosen = knapsack(groups, budget, picks)
    cost, value = value_of(groups, chosen)
    assert value == brute_force(groups, budget, picks)
    assert cost <= budget
    assert len(chosen) <= picks
    assert len({group for group, _ in chosen}) == len(chosen)


def test_equal_choices_are_always_made_the_same_way() -> None:
    groups = [[(5, 7), (5, 7)], [(5, 7)]]
    assert knapsack(groups, 5, 1) == knapsack(groups, 5, 1) == [(0, 0)]
