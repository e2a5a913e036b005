"""Several engines as one."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from arr_coc.status import Backlog, EngineStatus
from deployments.config import FAILED
from serve_app.replicas import combined
from tests.serve_app.fakes import READY

STATUSES = st.builds(
    replace,
    st.just(READY),
    ready=st.booleans(),
    detail=st.sampled_from(["ok", "loading the model", FAILED + "no weights"]),
    running=st.integers(0, 32),
    waiting=st.integers(0, 99),
    slots=st.just(32),
    last_step_age_s=st.floats(0, 99),
    backlog=st.builds(Backlog, st.integers(0, 99_999), st.floats(0, 1)),
)


@given(st.lists(STATUSES, min_size=1))
def test_it_is_ready_where_any_is_and_tells_of_those(statuses: list[EngineStatus]) -> None:
    whole, ready = combined(statuses), [each for each in statuses if each.ready]
    assert whole.ready == bool(ready)
    if ready:
        assert whole.replicas == len(ready)
        for name in ("running", "waiting", "slots"):
            assert getattr(whole, name) == sum(getattr(each, name) for each in ready)
        assert whole.backlog.seconds == min(each.backlog.seconds for each in ready)
        assert whole.last_step_age_s == min(each.last_step_age_s for each in ready)


@given(st.lists(STATUSES.map(lambda each: replace(each, ready=False)), min_size=1))
def test_it_has_failed_only_where_all_have(statuses: list[EngineStatus]) -> None:
    failed = [each.detail.startswith(FAILED) for each in statuses]
    assert combined(statuses).detail.startswith(FAILED) == all(failed)


def test_one_is_told_as_it_is() -> None:
    assert combined([READY]) == READY


def test_a_model_is_where_the_replica_is_that_has_come_farthest_with_it() -> None:
    first = replace(READY, models={"a": "loaded", "b": "absent", "c": "absent"})
    second = replace(READY, models={"a": "absent", "b": "loading", "c": "absent"})
    for statuses in ([first, second], [second, first]):
        assert combined(statuses).models == {"a": "loaded", "b": "loading", "c": "absent"}
    failed = replace(READY, ready=False, models={"c": "loaded"})
    assert combined([first, failed]).models == first.models
