"""`arr-coc deploy`: what it prints, what it runs, and what it refuses."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.cloud_run.service import manifest
from tests.serve_app.cli.command import invoke
from tests.serve_app.cloud_run.releases import CONFIG, ROOT, release

RECORDER = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
for word in "$@"; do case "$word" in */service.yaml) cat "$word" >> "{log}.yaml";; esac; done
[ "$1" != "{failing}" ]
"""


def programs(directory: Path, failing: str = "nothing") -> Path:
    """Programs in place of docker and gcloud that note what they were asked; returns the notes."""
    log = directory / "log"
    for name in ("docker", "gcloud"):
        path = directory / name
        path.write_text(RECORDER.format(log=log, failing=failing))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return log


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)


def test_the_committed_service_is_what_the_config_renders() -> None:
    told = invoke("deploy", "--dry-run")
    assert told.exit_code == 0
    assert told.stdout == (ROOT / "configs/cloud_run/service.yaml").read_text()


def test_it_prints_a_service_with_commands_as_comments() -> None:
    told = invoke("deploy", "--dry-run", "--project", "some-project", "--tag", "1.2")
    assert yaml.safe_load(told.stdout) == manifest(release())
    assert "#   gcloud run deploy arr-coc " in told.stdout


def test_it_prints_both_as_json() -> None:
    told = json.loads(
        invoke("deploy", "--dry-run", "--project", "some-project", "--tag", "1.2", "--json").stdout
    )
    assert told["service"] == manifest(release())
    assert told["commands"]["without_file"][0][:3] == ["gcloud", "run", "deploy"]
    assert invoke("deploy", "--project", "some-project", "--json").exit_code == 2


def test_it_builds_pushes_and_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = programs(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    told = invoke("deploy", "--project", "some-project", "--tag", "1.2")
    assert told.exit_code == 0, told.output
    done = log.read_text().splitlines()
    assert [line.split()[:2] for line in done] == [["docker", "build"], ["docker", "push"], ["gcloud", "run"]]
    assert yaml.safe_load(Path(f"{log}.yaml").read_text()) == manifest(release())


def test_it_stops_where_a_command_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = programs(tmp_path, failing="push")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    told = invoke("deploy", "--project", "some-project")
    assert told.exit_code == 1
    assert "docker push ended with 1" in told.stderr
    assert len(log.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--project", "some-project"], "docker cannot be run"),
        ([], "--project"),
    ],
)
def test_what_cannot_be_tried_is_told(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = invoke("deploy", *arguments)
    assert told.exit_code == 2
    assert says in told.stderr


def test_a_config_that_cloud_run_would_refuse_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content: Any = yaml.safe_load((ROOT / CONFIG).read_text())
    content["applications"][0]["args"]["deadline_s"] = 7200
    path = tmp_path / CONFIG
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    told = invoke("deploy", CONFIG, "--dry-run")
    assert told.exit_code == 2
    assert "deadline_s is too long" in told.stderr


def test_a_config_that_the_image_has_not_is_told() -> None:
    told = invoke("deploy", ROOT / CONFIG, "--dry-run")
    assert told.exit_code == 2
    assert "not below configs" in told.stderr
