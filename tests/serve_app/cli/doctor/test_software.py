"""Packages and programs, as this environment has them and as others might."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from serve_app.cli.doctor import software
from serve_app.cli.doctor.software import check_haproxy, check_packages, check_python, check_ray


def test_this_environment_is_as_it_should_be() -> None:
    found = {finding.check: finding for finding in software.check_software()}
    assert set(found) == {"python", "packages", "ray", "haproxy"}
    assert all(finding.level == "ok" for finding in found.values()), found
    assert found["ray"].told == version("ray")
    assert "2.8" in found["haproxy"].told


@pytest.mark.parametrize(("running", "level"), [("3.10.9", "problem"), ("3.11.0", "ok"), ("3.15.0rc1", "ok")])
def test_python(running: str, level: str) -> None:
    assert check_python(">=3.11", running).level == level


def test_each_package_that_is_not_as_required_is_named_with_what_to_do() -> None:
    missing, old = check_packages(
        ["ray[serve]>=2", "no-such-package>=1", "numpy>=999", "pytest>=999; extra == 'dev'"]
    )
    assert "no-such-package is missing" in missing.told
    assert f"numpy is {version('numpy')}" in old.told
    assert missing.level == old.level == "problem"
    assert "pip install" in missing.remedy


def test_a_project_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "PACKAGE", "no-such-package")
    (finding,) = software.check_software()
    assert (finding.check, finding.level) == ("packages", "problem")


def test_a_broken_haproxy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "haproxy"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    for path in (broken, tmp_path / "nothing"):
        monkeypatch.setenv("RAY_SERVE_HAPROXY_BINARY_PATH", str(path))
        assert check_haproxy().level == "problem"


def test_ray_without_its_programs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    assert "raylet is missing" in check_ray().told
