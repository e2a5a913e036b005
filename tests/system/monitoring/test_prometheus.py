"""A real Prometheus with this project's config: it scrapes a real server, knows the alerts, and answers
every question of the dashboard."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.system.monitoring.mixed import Clients
from tests.system.server import ROOT, Running, free_port, serving, wait_ready, write_config

pytestmark = pytest.mark.system
MONITORING = ROOT / "configs" / "monitoring"
DASHBOARD = MONITORING / "grafana-dashboard.json"
WAIT_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory, port = tmp_path_factory.mktemp("server"), free_port()
    config = write_config(directory, {"model": {"source": "demo", "device": "cpu"}}, port)
    with serving(config, port, module="serve_app") as running:
        wait_ready(running)
        yield running


@pytest.fixture(scope="module")
def prometheus(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that has scraped ``server`` before, during and after a load."""
    with _scraping(server.url.removeprefix("http://"), tmp_path_factory.mktemp("prometheus")) as url:
        _until(lambda: _query(url, 'up{job="arr-coc"} == 1'))
        Clients(server.url).run(rounds=2, at_once=6)
        time.sleep(3)  # scrapes, so that the last of it counts
        yield url


@contextmanager
def _scraping(target: str, directory: Path) -> Iterator[str]:
    """The config as it is bundled, but for the target and for how often it is scraped."""
    config = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(MONITORING / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    file, address = directory / "prometheus.yaml", f"127.0.0.1:{free_port()}"
    file.write_text(yaml.safe_dump(config))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={directory / 'data'}",
             f"--web.listen-address={address}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def test_config_and_metrics_are_what_promtool_wants(server: Running) -> None:
    _promtool("check", "config", str(MONITORING / "prometheus.yaml"))
    text = httpx.get(f"{server.url}/metrics", timeout=10).text
    told = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_each_alert_fires_for_what_it_is_for(tmp_path: Path) -> None:
    for file in (MONITORING / "alerts.yaml", Path(__file__).with_name("alerts_test.yaml")):
        (tmp_path / file.name).write_text(file.read_text())
    _promtool("test", "rules", str(tmp_path / "alerts_test.yaml"))
    tested = yaml.safe_load((tmp_path / "alerts_test.yaml").read_text())["tests"]
    fired = {rule["alertname"] for test in tested for rule in test.get("alert_rule_test", [])}
    assert fired == {rule["alert"] for rule in _alerts()}


def test_a_server_that_is_well_alerts_nobody(prometheus: str) -> None:
    _until(lambda: all(rule["health"] == "ok" for rule in _rules(prometheus)))
    rules = _rules(prometheus)
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in _alerts()}
    assert not [rule["name"] for rule in rules if rule["state"] == "firing"]


def test_grafana_would_read_all_of_the_dashboard() -> None:
    """Its own types, filled from the file, write the same file."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    written = json.loads(DASHBOARD.read_text())
    read = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(written)))
    assert _within(written, read) == written


def test_every_question_of_the_dashboard_has_an_answer(prometheus: str) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = {
        target["expr"]: panel["title"] for panel in dashboard["panels"] for target in panel.get("targets", [])
    }
    asked = {
        said: title for said, title in asked.items() if "embedding" not in said
    }  # this server has no such
    assert asked
    for expression, title in asked.items():
        filled = expression.replace("$__rate_interval", "30m").replace("$instance", ".*")
        values = [float(sample["value"][1]) for sample in _query(prometheus, filled)]
        assert any(value >= 0 for value in values), f"{title}: {expression} gives {values}"


def _within(written: Any, read: Any) -> Any:
    """What of ``written`` was read; what was left out in the writing has defaults, which do not count."""
    if isinstance(written, dict):
        return {key: _within(value, read[key]) for key, value in written.items() if key in read}
    if isinstance(written, list):
        return [_within(*pair) for pair in zip(written, read, strict=True)]
    return read


def _alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _promtool(*arguments: str) -> None:
    told = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def _query(url: str, expression: str) -> list[dict[str, Any]]:
    reply = (
        httpx.get(f"{url}/api/v1/query", params={"query": expression}, timeout=10).raise_for_status().json()
    )
    assert reply["status"] == "success", reply
    samples: list[dict[str, Any]] = reply["data"]["result"]
    return samples


def _rules(url: str) -> list[dict[str, Any]]:
    groups = httpx.get(f"{url}/api/v1/rules", timeout=10).raise_for_status().json()["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _until(condition: Callable[[], object]) -> None:
    """Waits for ``condition`` to hold; it must, soon."""
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        with suppress(httpx.HTTPError):  # it is only starting
            if condition():
                return
        time.sleep(0.2)
    raise AssertionError("it did not come true")
