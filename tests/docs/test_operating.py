"""``docs/operating.md`` tells of every metric, alert, log field and error code, and of no other; so do the
dashboard and the alerts of the metrics they ask for."""

import ast
import json
import logging
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from prometheus_client import Metric

from arr_coc import errors as library_errors
from arr_coc.errors import ArrCocError, ConfigError, InvalidRequest
from deployments.embedding_metrics import EmbeddingMetrics
from deployments.metrics import EngineMetrics, RequestMetrics, TextureMetrics
from deployments.model_metrics import ModelMetrics, StartMetrics
from deployments.scraping import open_directory
from serve_app import edge
from serve_app import errors as served_errors
from serve_app.errors import describe
from serve_app.openai import refusal
from serve_app.record import Record, tell
from tests.serve_app.fakes import Ledger, report

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()
MONITORING = ROOT / "configs" / "monitoring"
PACKAGES = ("arr_coc", "deployments", "serve_app")
_ENDINGS = re.compile(r"_(total|bucket|sum|count)$")


def _rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, its first two lines aside."""
    section = re.split(r"(?m)^## ", PAGE)[1:]
    text = next(part for part in section if part.startswith(heading + "\n"))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _code(cell: str) -> str:
    return cell.strip("`")


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Metric]:
    """Every metric there is, by the name it is documented under."""
    open_directory(str(tmp_path_factory.mktemp("metrics")))  # another test may have removed its own
    families = [
        family
        for kind in (
            RequestMetrics,
            TextureMetrics,
            EngineMetrics,
            ModelMetrics,
            StartMetrics,
            EmbeddingMetrics,
        )
        for family in kind().registry.collect()
    ]
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in families}


def test_every_metric_is_told_with_its_kind(metrics: dict[str, Metric]) -> None:
    told = {_code(row[0]): row[1] for row in _rows("Metrics")}
    assert told == {name: family.type for name, family in metrics.items()}


def test_what_to_do_is_told_for_every_metric(metrics: dict[str, Metric]) -> None:
    rows = _rows("What to do about a metric")
    patterns = [_code(cell) for row in rows for cell in row[0].split(", ")]
    assert not [name for name in metrics if not any(fnmatch(name, pattern) for pattern in patterns)]
    assert not [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in metrics)]
    assert all(row[1] and row[2] for row in rows)


def test_dashboard_and_alerts_ask_for_metrics_that_exist(metrics: dict[str, Metric]) -> None:
    samples = set(metrics) | {
        f"{name}_{part}"
        for name, family in metrics.items()
        if family.type == "histogram"
        for part in ("bucket", "sum", "count")
    }
    for file in ("grafana-dashboard.json", "alerts.yaml"):
        asked = set(re.findall(r"\barr_coc_\w+", (MONITORING / file).read_text()))
        assert asked
        assert asked <= samples, file


def test_the_dashboard_shows_every_metric(metrics: dict[str, Metric]) -> None:
    text = (MONITORING / "grafana-dashboard.json").read_text()
    shown = {_ENDINGS.sub("", name) for name in re.findall(r"\barr_coc_\w+", text)}
    untold = {family.name for family in metrics.values()} - shown
    assert untold == {
        "arr_coc_e2e_request_latency_seconds",
        "arr_coc_request_failure",
        "arr_coc_request_success",
    }


def test_every_alert_is_told() -> None:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    assert [_code(row[0]) for row in _rows("Alerts")] == [
        rule["alert"] for g in groups for rule in g["rules"]
    ]


def test_every_error_code_is_told_with_its_status() -> None:
    statuses: dict[str, set[int]] = {}
    for code, status in _codes():
        statuses.setdefault(code, set()).add(status)
    told = {_code(row[0]): {int(status) for status in row[1].split(", ")} for row in _rows("Error codes")}
    assert told == statuses
    assert all(row[2] and row[3] for row in _rows("Error codes"))


def test_every_field_of_a_requests_line_is_told(caplog: pytest.LogCaptureFixture) -> None:
    record = Record("x", "vqa")
    record.answered(report("fine"))
    with caplog.at_level(logging.INFO, "serve_app.request"):
        tell(record, Ledger(), 0.1)
    line = json.loads(json.dumps(caplog.records[0].msg))
    assert [_code(row[0]) for row in _rows("Log")] == ["time", "severity", "logger", *line]


def _codes() -> Iterator[tuple[str, int]]:
    """Every code that a client may get, with its status."""
    for kind in _kinds(ArrCocError):
        if not issubclass(kind, ConfigError):
            yield kind.code, _status(kind, kind.code)
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield from _codes_of(node)
    for _, code, _ in refusal._TAGS.values():
        yield code, 400
    for line, _, code, _ in edge._ERRORS.values():
        yield code, int(line.split()[0])


def _codes_of(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Codes given to an error where it is made, or chosen for that."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        given = [word.value for word in node.keywords if word.arg == "code"]
        kind = _named(node.func.id)
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp):
        named = [ast.unparse(target) for target in node.targets]
        given, kind = [node.value.body, node.value.orelse] if named == ["code"] else [], InvalidRequest
    else:
        return
    for each in given:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value, _status(kind, each.value)


def _kinds(kind: type[ArrCocError]) -> Iterator[type[ArrCocError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _named(name: str) -> type[ArrCocError]:
    found = getattr(library_errors, name, None) or getattr(served_errors, name, None)
    return found if isinstance(found, type) and issubclass(found, ArrCocError) else InvalidRequest


def _status(kind: type[ArrCocError], code: str) -> int:
    error = kind("for its status")
    error.code = code
    return describe(error).status
