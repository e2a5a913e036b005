"""Config files: the bundled ones are valid, sizes follow from the engine's, mistakes are named."""

import socket
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from arr_coc.errors import ConfigError
from serve_app.checks import START_BYTES, checked_config, require_free, require_gpus, require_start_memory
from serve_app.config import AppConfig
from serve_app.config_file import HttpOptions, read_config
from tests.system.server import free_port

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["local.yaml", "cloud_run.yaml"])
def test_the_bundled_files_are_valid(name: str) -> None:
    assert read_config(ROOT / "configs" / name).app.engine.slots > 0


def test_a_local_model_is_pinned_as_it_is_and_keeps_its_name(tmp_path: Path) -> None:
    model = AppConfig.model_validate({"model": {"source": str(tmp_path)}}).with_pinned_model().model
    assert model.source == str(tmp_path)
    assert model.served_name == tmp_path.name


def test_models_are_served_by_name_and_the_first_is_the_default_one(tmp_path: Path) -> None:
    models = {"first": {"source": str(tmp_path)}, "second": {"source": "demo", "when": "first_request"}}
    several = AppConfig.model_validate({"models": models})
    assert list(several.served_models) == ["first", "second"]
    pinned = several.with_pinned_model()
    assert {name: model.served_name for name, model in pinned.served_models.items()} == {
        "first": "first", "second": "second",
    }  # fmt: skip
    assert pinned.default_model.source == str(tmp_path)
    beside = AppConfig.model_validate({"model": {"name": "mine"}, "models": models}).with_pinned_model()
    assert list(beside.served_models) == ["mine", "first", "second"]
    assert list(AppConfig().with_pinned_model().served_models) == ["demo"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"model": {"source": "demo"}, "models": {"demo": {}}}, "name in common"),
        ({"models": {"a": {"name": "b"}}}, "leave name out"),
        ({"models": {"a": {"device": "cpu"}, "b": {}}}, "same device"),
        ({"models": {"a b": {}}}, "pattern"),
    ],
)
def test_models_that_cannot_be_told_apart_or_share_no_memory_are_refused(args: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        AppConfig.model_validate(args)


def test_too_little_memory_is_told_before_anything_is_started() -> None:
    require_start_memory(START_BYTES)
    with pytest.raises(ConfigError, match="400 MiB of memory are free"):
        require_start_memory(400 * 2**20)


@pytest.mark.parametrize(
    ("sections", "asked"),
    [
        ({}, 0),
        ({"generation": {"num_gpus": 0.5, "replicas": 3}}, 1.5),
        ({"generation": {"num_gpus": 1}, "embedding": {"num_gpus": 1}}, 1),
        ({"generation": {"num_gpus": 1}, "embedding": {"source": "/clip", "num_gpus": 0.2}}, 1.2),
        ({"generation": {"num_gpus": 1}, "embedding": {"source": "/clip", "num_gpus": 0.2, "alone": True}}, 0.2),
        ({"generation": {"num_gpus": 0.1, "replicas": 7}, "embedding": {"source": "/clip", "num_gpus": 0.3}}, 1),
    ],
)  # fmt: skip
def test_gpus_of_all_stages_add_up(sections: dict[str, object], asked: float) -> None:
    assert AppConfig.model_validate(sections).num_gpus == asked


def test_more_gpus_than_there_are_are_refused() -> None:
    require_gpus(0)
    require_gpus(1.2, usable=2)
    with pytest.raises(ConfigError, match=r"1\.2 GPUs together .* and 1 can be used"):
        require_gpus(1.2, usable=1)
    with pytest.raises(ConfigError, match="none can be used"):
        require_gpus(0.2, usable=0)


def test_a_port_is_taken_by_whoever_listens_at_an_ipv6_address() -> None:
    with socket.socket(socket.AF_INET6) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match="cannot listen"):
            require_free(HttpOptions(host="::1", port=port))
    require_free(HttpOptions(host="::1", port=port))


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
