"""The library's heavy part, torch and transformers with it: imported once, by whoever needs it first."""

import gc
import sys
from importlib import import_module

_HEAVY = "arr_coc.vlm"


def import_library() -> None:
    """Seconds of imports, which nobody should wait for before it is time."""
    if _HEAVY in sys.modules:
        return
    gc.disable()  # looking through a million new objects, all of which stay, is a sixth of the imports
    try:
        import_module(_HEAVY)
    finally:
        gc.freeze()  # never again: models that are let go must be found
        gc.enable()
