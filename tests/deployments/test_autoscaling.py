"""How many generation replicas a backlog is worth."""

from types import SimpleNamespace

from hypothesis import assume, given
from hypothesis import strategies as st

from deployments.autoscaling import BacklogPolicy, Load, stats, wanted

TOKENS_EACH = st.integers(1, 100_000)
REPLICAS = st.integers(1, 200)


@st.composite
def loads(draw: st.DrawFn, replicas: int) -> Load:
    """What ``replicas`` may carry."""
    slots = replicas * draw(st.integers(1, 64))
    return Load(draw(st.floats(0, 1e8)), draw(st.integers(0, slots)), slots)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Load, int, int]:
    """A load, the replicas that carry it, and the tokens that may wait for each."""
    replicas = draw(REPLICAS)
    return draw(loads(replicas)), replicas, draw(TOKENS_EACH)


def carried_by(load: Load, before: int, after: int) -> Load:
    """The same work on another number of replicas of the same size."""
    return Load(load.backlog_tokens, load.running, load.slots / before * after)


@given(situations())
def test_nobody_waits_behind_more_than_one_replica_may_have_and_none_is_idle_for_it(
    situation: tuple[Load, int, int],
) -> None:
    load, replicas, each = situation
    desired = wanted(load, replicas, each)
    assert desired >= 1
    assert load.backlog_tokens <= desired * each * (1 + 1e-9)
    if desired > replicas:
        assert load.backlog_tokens > (desired - 1) * each


@given(situations())
def test_at_a_steady_load_it_comes_to_rest_and_never_swings(situation: tuple[Load, int, int]) -> None:
    load, replicas, each = situation
    upwards = set()
    while (desired := wanted(load, replicas, each)) != replicas:
        upwards.add(desired > replicas)
        assert len(upwards) == 1
        load, replicas = carried_by(load, replicas, desired), desired


@given(situations(), st.floats(0, 1e8))
def test_more_that_waits_never_means_fewer(situation: tuple[Load, int, int], more: float) -> None:
    load, replicas, each = situation
    longer = Load(load.backlog_tokens + more, load.running, load.slots)
    assert wanted(longer, replicas, each) >= wanted(load, replicas, each)


@given(situations())
def test_one_replica_fewer_has_room_for_what_runs(situation: tuple[Load, int, int]) -> None:
    load, replicas, each = situation
    desired = wanted(load, replicas, each)
    assume(desired < replicas)
    assert desired == replicas - 1
    assert load.running < load.slots / replicas * desired


def test_busy_replicas_stay_although_nothing_waits() -> None:
    assert wanted(Load(0, running=60, slots=64), 2, 8192) == 2
    assert wanted(Load(0, running=20, slots=64), 2, 8192) == 1


def context(target: int, **metrics: dict[str, float]) -> SimpleNamespace:
    """What Ray Serve's autoscaler hands over of its AutoscalingContext."""
    return SimpleNamespace(target_num_replicas=target, aggregated_metrics=metrics)


def test_the_policy_adds_up_what_replicas_report() -> None:
    reports = {"a": stats(30_000, 32, 32), "b": stats(5_000, 32, 32)}
    told = {name: {replica: report[name] for replica, report in reports.items()} for name in stats(0, 0, 0)}
    assert BacklogPolicy(tokens_each=8192)(context(2, **told)) == (5, {})


def test_before_anybody_has_reported_nothing_changes() -> None:
    assert BacklogPolicy(tokens_each=8192)(context(3)) == (3, {})
    assert BacklogPolicy(tokens_each=8192)(
        SimpleNamespace(target_num_replicas=1, aggregated_metrics=None)
    ) == (
        1,
        {},
    )
