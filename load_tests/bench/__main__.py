"""This server and its peers, side by side, as ratios.

    python -m load_tests.bench [run] [--plan short|bars|full] [--peers ...] [--mixes ...] [--loads ...] [--rounds 3]
    python -m load_tests.bench setup [--peers ...]
    python -m load_tests.bench report

``run`` sets up what it needs, measures the cells that its journal lacks, and reports. ``report`` computes
everything again from the journal. Servers and load generator share this machine's cores.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from load_tests.bench.environments import build
from load_tests.bench.journal import Journal, Key
from load_tests.bench.loads import Load
from load_tests.bench.mixes import MIXES, draw
from load_tests.bench.models import digest, make
from load_tests.bench.peers import PEERS, ROOT, THREADS
from load_tests.bench.plans import PLANS, cells
from load_tests.bench.report import write
from load_tests.bench.running import Bench
from load_tests.bench.servers import CONFIG

RESULTS = ROOT / "load_tests" / "results" / "bench"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where a peer could not be measured."""
    args = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever is ended ends its peers
    cache: Path = args.cache.resolve()
    journal = args.journal or cache / "journal.jsonl"
    if args.command == "report":
        write(Journal(journal, {}), args.out)
        return 0
    keys = _keys(args)
    unready = set_up(keys, cache)
    if args.command == "setup":
        return 1 if unready else 0
    book = Journal(journal, _settings(args.seconds))
    failures = Bench(book, cache, args.seconds).run(key for key in keys if key.peer not in unready)
    write(book, args.out)
    for failure in (*unready.values(), *failures):
        sys.stderr.write(failure + "\n")
    return 1 if unready or failures else 0


def set_up(keys: Sequence[Key], cache: Path) -> dict[str, str]:
    """Make environments, models and pictures for these cells; returns peers whose packages cannot be had."""
    unready = {}
    for name in dict.fromkeys(key.peer for key in keys):
        if PEERS[name].own:
            try:
                build(name, cache)
            except subprocess.CalledProcessError as error:
                unready[name] = f"{name} cannot be installed: {error}"
    for mix in {key.mix for key in keys}:
        make(MIXES[mix].model, cache / "models" / MIXES[mix].model)
        draw(cache / "pictures", MIXES[mix].pool)
    return unready


def _keys(args: argparse.Namespace) -> list[Key]:
    return cells(PLANS[args.plan], args.rounds, args.peers, args.mixes, args.loads)


def _settings(seconds: float) -> dict[str, Any]:
    """What makes cells comparable."""
    return {
        "seconds": seconds,
        "threads": THREADS,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "models": digest(),
        "config": CONFIG.read_text(),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m load_tests.bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("command", nargs="?", choices=("run", "setup", "report"), default="run")
    parser.add_argument("--plan", choices=PLANS, default="short")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[], help="only these")
    parser.add_argument("--mixes", nargs="+", choices=MIXES, default=[], help="only these")
    parser.add_argument("--loads", nargs="+", type=_load, default=[], help="only these, such as closed-32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="that a cell sends requests for")
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench")
    parser.add_argument("--journal", type=Path, help="CACHE/journal.jsonl by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser


def _load(name: str) -> str:
    return Load.parse(name).name


if __name__ == "__main__":
    raise SystemExit(main())
