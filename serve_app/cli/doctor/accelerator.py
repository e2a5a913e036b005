"""The GPU's driver and the build of torch, against the device that a config asks for. Imports no torch."""

import ctypes
import math
import runpy
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from serve_app.checks import gpu_count
from serve_app.cli.doctor.finding import GIB, Finding, ok, problem, warning
from serve_app.config import AppConfig

Version = tuple[int, int]  # of CUDA


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What this machine offers."""

    gpus: int
    driver: Version | None  # the newest CUDA that the driver takes; None without a driver
    build: Version | None  # the CUDA that torch is built for; None for a CPU build
    memory: int  # bytes of the first GPU

    def runs(self, app: AppConfig) -> bool:
        """Whether the model of ``app`` will lie on a GPU; where nothing generates, the one that embeds."""
        _, device, num_gpus = _asked(app)
        if device == "cpu" or num_gpus == 0:
            return False
        return device == "cuda" or (self.gpus > 0 and self.build is not None)


def look() -> Accelerator:
    """Ask the driver and read torch's own account of its build."""
    gpus = gpu_count()
    return Accelerator(gpus, _driver(), _build(), _memory() if gpus else 0)


def check_accelerator(found: Accelerator, app: AppConfig) -> Finding:
    """Whether the device of ``app`` can be had."""
    section, device, _ = _asked(app)
    stage = "generation" if app.generates else section
    needed = math.ceil(app.num_gpus)
    if needed > found.gpus and (found.gpus or device != "cuda"):
        told = f"the stages ask for {app.num_gpus:g} GPUs together, {found.gpus or 'none'} can be used here"
        return problem("cuda", told, f"lower {stage}.num_gpus; 0 is for the CPU")
    if not found.runs(app):
        if device == "auto" and found.gpus:
            told = f"the model will run on the CPU, though {found.gpus} GPU(s) are here"
            return warning("cuda", told, f"set {stage}.num_gpus: 1, and install a CUDA build of torch")
        return ok("cuda", f"not needed, {section}.device is {device}")
    if not found.gpus:
        why = "no driver (libcuda.so.1)" if found.driver is None else "the driver shows no GPU"
        remedy = f"install NVIDIA's driver (in a container: --gpus all), or set {section}.device: cpu"
        return problem("cuda", f"{section}.device is {device}, and there is {why}", remedy)
    if found.build is None:
        return problem("cuda", "torch is built for the CPU alone", "install a CUDA build of torch")
    if found.driver is None or found.driver[0] < found.build[0]:
        told = f"torch is built for CUDA {_dotted(found.build)}, the driver takes {_dotted(found.driver)}"
        return problem("cuda", told, "install a newer driver, or a build of torch for an older CUDA")
    told = f"{found.gpus} GPU(s) of {found.memory / GIB:.0f} GiB"
    return ok("cuda", f"{told}, driver for CUDA {_dotted(found.driver)}, torch for {_dotted(found.build)}")


def _asked(app: AppConfig) -> tuple[str, str, float]:
    """The section, the device and ``num_gpus`` of the model that matters most."""
    if app.generates:
        return "model", app.default_model.device, app.generation.num_gpus
    return "embedding", app.embedding.device, app.embedding.num_gpus


def _dotted(version: Version | None) -> str:
    return "none" if version is None else f"{version[0]}.{version[1]}"


def _driver() -> Version | None:
    number = ctypes.c_int(0)
    with suppress(OSError, AttributeError):
        if ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(number)) == 0:
            return number.value // 1000, number.value % 1000 // 10
    return None


def _memory() -> int:
    """Needs a driver that is initialised, as `gpu_count` leaves it."""
    size, device = ctypes.c_size_t(0), ctypes.c_int(0)
    with suppress(OSError, AttributeError):
        driver = ctypes.CDLL("libcuda.so.1")
        if driver.cuDeviceGet(ctypes.byref(device), 0) == 0:
            driver.cuDeviceTotalMem_v2(ctypes.byref(size), device)
    return size.value


def _build() -> Version | None:
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    told = runpy.run_path(str(Path(spec.origin).parent / "version.py")).get("cuda")
    if told is None:
        return None
    major, _, minor = str(told).partition(".")
    return int(major), int(minor or 0)
