import itertools

import pytest

from load_tests.bench.journal import Key
from load_tests.bench.loads import Load
from load_tests.bench.mixes import MIXES, SCENES, VARIANTS
from load_tests.bench.peers import OURS, PEERS
from load_tests.bench.plans import BARS, FULL, PLANS, SHORT, Part, capacity_key, cells, first_request


@pytest.mark.parametrize("name", PLANS)
def test_each_cell_is_measured_once_a_round(name: str) -> None:
    keys = cells(PLANS[name], 3)
    assert len(keys) == len(set(keys))
    rounds = [{(key.peer, key.mix, key.load) for key in keys if key.round == round_} for round_ in range(3)]
    assert rounds[0] == rounds[1] == rounds[2]


@pytest.mark.parametrize("name", PLANS)
def test_a_capacity_is_measured_before_its_shares(name: str) -> None:
    keys = cells(PLANS[name], 2)
    for index, key in enumerate(keys):
        if Load.parse(key.load).kind == "own":
            assert capacity_key(key) in keys[:index]


def test_a_share_brings_its_capacity_along() -> None:
    keys = cells([Part([OURS], "lengths", ["own-0.8"])], 1, loads=["own-0.8"])
    assert [key.load for key in keys] == ["closed-32", "own-0.8"]


@pytest.mark.parametrize("name", PLANS)
def test_a_peer_is_started_once_a_round_for_each_model(name: str) -> None:
    starts = [
        start
        for start, _ in itertools.groupby(
            cells(PLANS[name], 3), lambda k: (k.round, k.peer, MIXES[k.mix].model)
        )
    ]
    assert len(starts) == len(set(starts))


def test_rounds_begin_with_other_peers() -> None:
    orders = [
        [peer for peer, _ in itertools.groupby(key.peer for key in cells(SHORT, 4) if key.round == round_)]
        for round_ in range(4)
    ]
    assert orders[1] == orders[0][::-1]
    assert orders[2] != orders[0]
    assert {frozenset(order) for order in orders} == {frozenset(PEERS)}


def test_a_subset_holds_only_what_is_asked_for() -> None:
    keys = cells(FULL, 2, peers=["vllm"], mixes=["unique"], loads=["closed-8"])
    assert keys == [Key("vllm", "unique", "closed-8", 0), Key("vllm", "unique", "closed-8", 1)]


def test_overload_comes_last() -> None:
    loads = [key.load for key in cells(SHORT, 1, peers=[OURS], mixes=["lengths"])]
    assert loads[-1] == "own-3"


def test_all_peers_are_asked_the_same() -> None:
    assert first_request(Key("vllm", "unique", "closed-8", 0)) == first_request(
        Key(OURS, "unique", "closed-8", 2)
    )


def test_cells_of_one_server_are_about_different_pictures() -> None:
    pool = SCENES["small"] * VARIANTS
    keys = [key for key in cells(BARS, 1, peers=[OURS]) if MIXES[key.mix].pool == "small"]
    pictures = [
        {
            MIXES[key.mix].picture(index) % pool
            for index in range(first_request(key), first_request(key) + 600)
        }
        for key in keys
    ]
    for one, other in itertools.combinations(pictures, 2):
        assert not one & other


def test_the_engine_alone_is_asked_the_same_at_once_and_one_by_one() -> None:
    assert first_request(Key("offline", "unique", "own-1.5", 0)) == first_request(
        Key("offline", "unique", "batch-128", 0)
    )
