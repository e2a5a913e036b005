"""The library's heavy part, torch and transformers with it: imported once, by whoever needs it first."""

import gc
import sys


def import_library() -> None:
    """Seconds of imports, which nobody should wait for before it is time."""
    if "arr_coc.vlm" in sys.modules:
        return
    gc.disable()  # looking through a million new objects, all of which stay, is a sixth of the imports
    try:
        import arr_coc.vlm  # noqa: F401
    finally:
        gc.freeze()  # never again: models that are let go must be found
        gc.enable()
