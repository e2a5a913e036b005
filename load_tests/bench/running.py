"""Measures cells: starts each peer once for all of its cells of a model in a round, and notes each at once."""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from load_tests.bench.journal import Journal, Key
from load_tests.bench.loads import Load
from load_tests.bench.mixes import MIXES, Requests
from load_tests.bench.outcome import LOST, Cell
from load_tests.bench.peers import PEERS, ROOT, Peer
from load_tests.bench.plans import OFFLINE, TOGETHER, capacity_key, first_request
from load_tests.bench.servers import NotReady, running, started
from load_tests.bench.spec import Spec, from_json

LONGER = 2  # times as long as others takes a cell of overload: its queue must fill first


class Failed(Exception):
    """A cell could not be measured; the rest of its peer's in this round is left out."""


class Bench:
    """A run over the cells of a plan that are not in the journal."""

    def __init__(self, journal: Journal, cache: Path, seconds: float) -> None:
        self._journal = journal
        self._cache = cache
        self._seconds = seconds

    def run(self, keys: Iterable[Key]) -> list[str]:
        """Measure; returns what failed. A peer that fails does not keep the others from being measured."""
        failures = []
        for (round_, name, model), group in itertools.groupby(keys, key=_start_of):
            missing = [key for key in group if key not in self._journal]
            try:
                self._measure_all(PEERS[name], model, missing)
            except (Failed, NotReady) as failure:
                failures.append(f"round {round_}: {failure}")
                _say(failures[-1])
        return failures

    def _measure_all(self, peer: Peer, model: str, keys: list[Key]) -> None:
        while keys:
            with self._target(peer, model, keys[0]) as target:
                warm = peer.speech is None  # each of its cells is a process of its own
                for done, key in enumerate(keys, start=1):
                    cell = self._measure(peer, target, key, warm_up=warm or done == 1)
                    if peer.speech and cell.statuses.get(LOST):
                        break  # it may still be busy with what was given up: start it anew
            keys = keys[done:]

    @contextmanager
    def _target(self, peer: Peer, model: str, key: Key) -> Iterator[str]:
        if peer.speech is None:
            yield str(self._cache / "models" / model)
            return
        question = Requests(MIXES[key.mix], self._cache / "pictures")[first_request(key)]
        began = time.monotonic()
        with running(peer, model, self._cache, question) as url:
            _say(f"{peer.name} answers after {time.monotonic() - began:.1f} s")
            yield url

    def _measure(self, peer: Peer, target: str, key: Key, warm_up: bool) -> Cell:
        load = Load.parse(key.load)
        capacity = self._journal.cells[capacity_key(key)].rate() if load.kind == "own" else 0.0
        spec = Spec(
            target=target,
            speech=peer.speech or "",
            mix=key.mix,
            load=key.load,
            seconds=self._seconds * (LONGER if load.overload else 1),
            rate=load.rate(capacity),
            seed=f"{key.mix} {key.load} {key.round}",
            first=first_request(key),
            warm_up=warm_up,
            pictures=str(self._cache / "pictures"),
            count=int(Load.parse(TOGETHER).value) if peer.name == OFFLINE else None,
        )
        if load.open and not spec.rate:
            raise Failed(f"{peer.name} answered nothing with {capacity_key(key).load}, so it has no capacity")
        cell = self._generated(peer, spec, key)
        self._journal.add(key, cell, {"seed": spec.seed, "first": spec.first, "at": time.time()})
        _say(f"  {key.round} {key.peer} {key.mix} {key.load}: {len(cell.outcomes)} requests, {cell.statuses}")
        return cell

    def _generated(self, peer: Peer, spec: Spec, key: Key) -> Cell:
        command = [sys.executable, "-m", "load_tests.bench.client"]
        if peer.speech is None:
            command = peer.command(started(peer, MIXES[key.mix].model, self._cache))
        ended = subprocess.run(
            command, input=spec.text(), cwd=ROOT, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise Failed(f"{key}: the load generator failed: {ended.stderr.strip()[-400:]}")
        return from_json(json.loads(ended.stdout))


def _start_of(key: Key) -> tuple[int, str, str]:
    return key.round, key.peer, MIXES[key.mix].model


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
