"""Which cells there are: what each peer is asked, in which order, in which round.

``short`` is what a change is checked by, ``bars`` every figure that is held against a bar, ``full`` all loads
with all models, for hours. A server's own capacity in a round is its cell with 32 clients there, so loads that
are shares of it bring that cell along.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from load_tests.bench.journal import Key
from load_tests.bench.loads import Load
from load_tests.bench.mixes import MIXES, TIMES, Mix
from load_tests.bench.peers import OURS, PEERS, Sort, names

CLIENTS = "closed-32"
STREAMS = "own-0.8-stream"
OFFLINE = "offline"
TOGETHER = "batch-128"  # what the engine is given at once, and then, the same, one by one
SPACING = 1000  # pictures between the first ones of two cells
_SERVERS: tuple[Sort, ...] = ("this", "single", "batching", "continuous")
_SMALL_RATES = ("abs-10", "abs-20", "abs-30", "abs-40")
_SHARES = ("own-0.5", "own-0.8", "own-1", "own-1.5", "own-3")


@dataclass(frozen=True, slots=True)
class Part:
    """These peers, asked this mix under these loads."""

    peers: Sequence[str]
    mix: str
    loads: Sequence[str]


_LIMITS = (
    Part(["engine"], "unique", [CLIENTS]),
    Part([OFFLINE], "unique", [TOGETHER, "own-1.5"]),
    Part([OFFLINE], "lengths", [TOGETHER, "own-1.5"]),
)
SHORT = (
    Part([*names(*_SERVERS), "bare"], "unique", [CLIENTS]),
    Part(names("this", "batching"), "lengths", [CLIENTS, STREAMS, "own-1"]),
    Part([OURS], "lengths", ["own-3"]),
    Part(names(*_SERVERS), "large", [CLIENTS]),
    *_LIMITS,
)
BARS = (
    *SHORT,
    Part(names("this", "continuous"), "unique", ["closed-8"]),
    Part(names("this", "continuous"), "repeated", ["closed-8", CLIENTS]),
    Part(names("single", "continuous"), "lengths", [CLIENTS, STREAMS]),
)
FULL = (
    *(
        Part([*names(*_SERVERS), "bare"], mix, ["closed-1", "closed-8", CLIENTS, "closed-64"])
        for mix in ("unique", "repeated", "unique-60m", "repeated-60m")
    ),
    Part(names(*_SERVERS), "lengths", [CLIENTS, *_SHARES, *_SMALL_RATES, STREAMS]),
    Part(names(*_SERVERS), "lengths-60m", [CLIENTS, *_SHARES, "abs-2", "abs-4", STREAMS]),
    Part(names(*_SERVERS), "questions", ["closed-8", CLIENTS]),
    Part(names(*_SERVERS), "large", ["closed-8", CLIENTS]),
    *_LIMITS,
    Part(["engine"], "unique-60m", [CLIENTS]),
    Part([OFFLINE], "unique-60m", [TOGETHER, "own-1.5"]),
)
PLANS = {"short": SHORT, "bars": BARS, "full": FULL}
_PLACES = list(dict.fromkeys((part.mix, load) for part in (*BARS, *FULL) for load in part.loads))


def capacity_key(key: Key) -> Key:
    """The cell that tells the capacity that ``key`` is a share of."""
    return Key(key.peer, key.mix, TOGETHER if key.peer == OFFLINE else CLIENTS, key.round)


def cells(
    parts: Iterable[Part],
    rounds: int,
    peers: Sequence[str] = (),
    mixes: Sequence[str] = (),
    loads: Sequence[str] = (),
) -> list[Key]:
    """The cells of ``parts`` in the order in which they are measured, peers in another order each round. Of
    ``peers``, ``mixes`` and ``loads`` only those that are named, where any are."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for part in parts:
        for peer in part.peers:
            if (not peers or peer in peers) and (not mixes or part.mix in mixes):
                asked = {Load.parse(load).name for load in part.loads if not loads or load in loads}
                wanted.setdefault((peer, part.mix), set()).update(asked)
    return [
        key
        for round_ in range(rounds)
        for peer in _turn([peer for peer in PEERS if any(peer == one for one, _ in wanted)], round_)
        for key in _of_peer(peer, wanted, round_)
    ]


def first_request(key: Key) -> int:
    """The number of the first request of a cell, the same for all peers. Cells of one server are about
    different pictures, as far as there are pictures; those of the engine alone are about the same."""
    mix = MIXES[key.mix]
    alike = [(name, load) for name, load in _PLACES if _same_pictures(MIXES[name], mix)]
    load = TOGETHER if key.peer == OFFLINE else key.load
    place = alike.index((key.mix, load)) if (key.mix, load) in alike else len(alike)
    return SPACING * place * (TIMES if mix.repeated else 1)


def _same_pictures(one: Mix, other: Mix) -> bool:
    return (one.model, one.pool) == (other.model, other.pool)


def _of_peer(peer: str, wanted: dict[tuple[str, str], set[str]], round_: int) -> list[Key]:
    """Mixes of one model together; the cell of a capacity before its shares."""
    mixes = sorted((mix for one, mix in wanted if one == peer), key=list(MIXES).index)
    keys = []
    for mix in mixes:
        loads = set(wanted[peer, mix])
        if any(Load.parse(load).kind == "own" for load in loads):
            loads.add(capacity_key(Key(peer, mix, "", round_)).load)
        keys += [Key(peer, mix, load, round_) for load in sorted(loads, key=_order)]
    return keys


def _order(load: str) -> tuple[bool, bool, float, str]:
    parsed = Load.parse(load)
    return parsed.overload, parsed.open, parsed.value, load


def _turn(peers: list[str], round_: int) -> list[str]:
    """Forth, back, and from another one on, so that nobody always comes after the same one."""
    start = round_ // 2 % max(1, len(peers))
    turned = peers[start:] + peers[:start]
    return turned[::-1] if round_ % 2 else turned
