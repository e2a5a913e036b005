"""Config files: the bundled ones are valid, sizes follow from the engine's, mistakes are named."""

import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from arr_coc.errors import ConfigError
from serve_app.checks import checked_config
from serve_app.config import AppConfig, read_config
from tests.system.server import free_port

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["local.yaml", "cloud_run.yaml"])
def test_the_bundled_files_are_valid(name: str) -> None:
    assert read_config(ROOT / "configs" / name).app.engine.slots > 0


def test_a_local_model_is_pinned_as_it_is_and_keeps_its_name(tmp_path: Path) -> None:
    model = AppConfig.model_validate({"model": {"source": str(tmp_path)}}).with_pinned_model().model
    assert model.source == str(tmp_path)
    assert model.served_name == tmp_path.name


def test_limits_follow_from_the_engine() -> None:
    config = AppConfig.model_validate({"engine": {"slots": 4, "max_queue": 6}, "ingress_replicas": 2})
    assert config.engine_load == 10
    assert config.admission.max_in_flight == 5
    assert config.ingress_ongoing > 2 * config.engine_load


def test_a_labels_limits_are_divided_among_ingress_replicas() -> None:
    access = {"max_in_flight": 5, "requests_per_minute": 90}
    admission = AppConfig.model_validate({"access": access, "ingress_replicas": 2}).admission
    assert (admission.max_in_flight_each, admission.per_minute_each) == (3, 45)


@pytest.mark.parametrize(
    "access",
    [
        {"cors_origins": ["https://example.org/"]},
        {"cors_origins": ["example.org"]},
        {"picture_hosts": ["https://example.org"]},
        {"picture_hosts": ["127.0.0.1"]},
        {"picture_hosts": ["localhost"]},
        {"picture_hosts": ["*.example.org"]},
        {"picture_hosts": ["Example.org"]},
    ],
)
def test_what_would_match_nothing_or_too_much_is_refused(access: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError):
        AppConfig.model_validate({"access": access})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("applications: [", "not YAML"),
        ("{}", "applications"),
        (yaml.safe_dump({"applications": [{"args": {"engine": {"slots": 0}}}]}), "engine.slots"),
        (yaml.safe_dump({"applications": [{"args": {"modle": {}}}]}), "modle"),
        (yaml.safe_dump({"applications": [{}, {}]}), "applications"),
        (yaml.safe_dump({"applications": [{"args": {"model": {"source": "gs://"}}}]}), "gs://BUCKET/PREFIX"),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_config(tmp_path / "none.yaml")


def test_spans_are_not_promised_where_nothing_can_send_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yaml"
    args = {"tracing": {"endpoint": "http://localhost:4318"}}
    path.write_text(yaml.safe_dump({"applications": [{"args": args}]}))
    environment = {"PORT": str(free_port())}
    assert checked_config(path, environment).app.tracing.sample_ratio == 1.0
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(ConfigError, match="tracing"):
        checked_config(path, environment)


def test_nothing_embeds_by_default_and_a_model_that_does_is_pinned(tmp_path: Path) -> None:
    assert AppConfig().embedding.source is None
    beside = AppConfig.model_validate({"embedding": {"source": str(tmp_path)}}).with_pinned_model()
    assert beside.embedding.model.served_name == tmp_path.name
    assert beside.generates
    assert beside.ingress_ongoing > AppConfig().ingress_ongoing
    assert beside.embedding_admission.max_in_flight == beside.embedding.max_queue
    alone = AppConfig.model_validate({"embedding": {"source": str(tmp_path), "alone": True}})
    assert not alone.generates


@pytest.mark.parametrize(
    ("embedding", "says"),
    [
        ({"alone": True}, "embedding.source"),
        ({"source": "demo"}, "the same name"),
        ({"source": "/clip", "device": "cuda"}, "num_gpus"),
        ({"source": "gs://"}, "source"),
        ({"window_ms": 51}, "window_ms"),
    ],
)
def test_what_cannot_embed_is_refused(embedding: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        AppConfig.model_validate({"embedding": embedding})
