"""Work in a thread that ends."""

import os
import subprocess
import sys
import threading

import pytest

from arr_coc.apart import apart

TEAMS = """
import os, threading, torch
torch.set_num_threads(2)
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.model.config import ModelConfig
from arr_coc.vlm import VisionLanguageModel

def workers():
    return len(os.listdir("/proc/self/task")) - threading.active_count()

before = workers()
vlm = VisionLanguageModel.load(ModelConfig(source="demo", device="cpu", threads=2), EngineConfig(), Silent())
print(workers() - before)
vlm.close()
"""


def test_the_thread_is_gone_and_its_result_here() -> None:
    worked = apart(threading.current_thread)
    assert worked is not threading.current_thread()
    assert not worked.is_alive()


def test_what_it_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        apart(lambda: 1 // 0)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts the threads of a Linux process")
def test_once_a_model_is_loaded_only_its_engine_has_a_worker() -> None:
    """Two threads are one worker beside the engine's own. A second team would slow every step down."""
    ran = subprocess.run([sys.executable, "-c", TEAMS], capture_output=True, text=True, check=True)
    assert ran.stdout.split()[-1] == "1"
