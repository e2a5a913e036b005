from arr_coc.quality.frugality import frugality
from arr_coc.quality.journal import Record


def asked(way: str, budget: int | None, tokens: int, right: int, n: int = 10) -> list[Record]:
    """Records of ``n`` questions, the first ``right`` of which are answered right."""
    return [
        Record(
            f"q{i}", "p", "m", "number", 0.0, way, budget, "zoom", tokens, 1024, 1.0, float(i < right), None
        )
        for i in range(n)
    ]


FIXED = [*asked("ours", 64, 64, 2), *asked("ours", 208, 200, 6), *asked("ours", 512, 500, 9)]


def test_a_fixed_budget_that_is_as_right_lies_between_those_asked() -> None:
    found = frugality("m", [*asked("auto", None, 190, 8), *FIXED])
    assert found is not None
    assert found.reached
    assert found.fixed_tokens == 400  # two thirds of the way from 200 to 500
    assert found.ratio == 190 / 400
    assert (found.right, found.fixed_right, found.n) == (80, 90, 10)


def test_where_none_is_as_right_the_best_is_told() -> None:
    found = frugality("m", [*asked("auto", None, 190, 10), *FIXED])
    assert found is not None
    assert not found.reached
    assert found.fixed_tokens == 500


def test_the_cheapest_may_be_right_enough() -> None:
    found = frugality("m", [*asked("auto", None, 190, 1), *FIXED])
    assert found is not None
    assert (found.reached, found.fixed_tokens) == (True, 64)


def test_only_questions_asked_in_all_ways_count() -> None:
    found = frugality("m", [*asked("auto", None, 190, 4, n=4), *asked("ours", 512, 500, 9)])
    assert found is not None
    assert (found.n, found.right, found.fixed_right) == (4, 100, 100)


def test_nothing_is_told_without_both() -> None:
    assert frugality("m", FIXED) is None
    assert frugality("m", asked("auto", None, 190, 4)) is None
