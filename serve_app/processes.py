"""The processes under this one, read from /proc: to watch those it depends on and to leave none behind."""

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_SET_CHILD_SUBREAPER = 36  # prctl(2)


def born() -> float:
    """When this process was started, on the monotonic clock; the kernel tells it to a hundredth of a second."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


def adopt_orphans() -> None:
    """Let grandchildren whose parent dies become children of this process, as PID 1 would."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> dict[int, str]:
    """Process ids and names of everything below this process; zombies left out."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if state != "Z":
                parents[int(entry.name)], names[int(entry.name)] = int(parent), name
    found: dict[int, str] = {}
    level = {os.getpid()}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level} - found.keys()
        found |= {pid: names[pid] for pid in level}
    return found


def reap() -> set[int]:
    """Collect the children that have ended, adopted ones among them; their process ids.

    Takes the exit status from whoever waits for such a child; who must know of its end learns it here.
    """
    reaped: set[int] = set()
    with suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            reaped.add(pid)
    return reaped


def make_was_interrupted() -> bool:
    """Whether the parent is a GNU make that got SIGINT. It neither ends nor passes the signal on, and
    only its lost handler tells; a terminal interrupts both, and ``kill`` make alone."""
    try:
        text = Path(f"/proc/{os.getppid()}/status").read_text()
    except OSError:  # PID 1 of a container has no parent, and a parent may end at any time
        return False
    status = dict(line.split(":", 1) for line in text.splitlines())
    caught, ignored = int(status["SigCgt"], 16), int(status["SigIgn"], 16)
    return status["Name"].strip() == "make" and not (caught | ignored) & 1 << (signal.SIGINT - 1)


def end_descendants() -> int:
    """Kill everything below this process and reap what is its own; how many were killed."""
    killed = 0
    while left := descendants():
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        time.sleep(0.01)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)  # all are dead: this only collects them
    return killed
