"""Work in a thread of its own that ends with it.

OpenMP gives every thread that computes a team of workers, which stays as long as the thread. GNU's, which
PyTorch brings along, lets workers wait for their next work on a core only while all teams together fit on
the cores; beyond that each piece of work wakes them through the kernel. On two cores a decode step of 32
rows took 8.7 ms beside the idle team of the thread that had loaded the model, and 4.1 ms without.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """What ``work()`` returns or raises, once the thread that ran it is gone. An interrupt waits for that too."""
    with ThreadPoolExecutor(1, "apart") as own:
        return own.submit(work).result()
