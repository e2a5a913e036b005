"""What Cloud Run would refuse is refused before, in one line that names the setting."""

from typing import Any

import pytest
from pydantic import ValidationError

from arr_coc.errors import ConfigError
from serve_app.cloud_run.fitting import require_fits
from tests.serve_app.cloud_run.releases import release


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"engine": {"slots": 501, "max_queue": 600}}, "engine.slots"),
        ({"deadline_s": 3591}, "deadline_s"),
        ({"http": {"max_body_mib": 33}}, "http.max_body_mib"),
        ({"http": {"max_decoded_mib": 16 * 1024}}, "cloud_run.memory_gib"),
        ({"cloud_run": {"gpu": None}}, "cloud_run.gpu"),
        ({"generation": {"replicas": 2}}, "2 GPUs together"),
        ({"embedding": {"source": "demo", "name": "vectors", "num_gpus": 0.2}}, "1.2 GPUs together"),
        ({"embedding": {"source": "/elsewhere"}}, "embedding.source"),
        ({"cloud_run": {"cpu": 2}}, "cpu 4"),
        ({"cloud_run": {"memory_gib": 8}}, "memory_gib 16"),
        ({"cloud_run": {"min_instances": 4}}, "cloud_run.max_instances"),
        ({"cloud_run": {"warm_hours": {"instances": 4}}}, "cloud_run.max_instances"),
        ({"model": {"source": "/elsewhere"}}, "model.source"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        require_fits(release(changes).file)


def test_a_server_that_only_itself_can_ask_does_not_fit() -> None:
    with pytest.raises(ConfigError, match="host"):
        require_fits(release(host="127.0.0.1").file)


@pytest.mark.parametrize(
    "source", ["/model", "demo", "gs://bucket/weights", "vertex://project/us-central1/m"]
)
def test_models_that_the_image_has_or_can_get_fit(source: str) -> None:
    require_fits(release({"model": {"source": source}}).file)


def test_a_model_that_embeds_may_share_the_gpu_or_have_it_alone() -> None:
    shared = {"embedding": {"source": "gs://b/clip", "num_gpus": 0.2}, "generation": {"num_gpus": 0.8}}
    require_fits(release(shared).file)
    alone = {"embedding": {"source": "gs://b/clip", "num_gpus": 1, "alone": True}}
    require_fits(release(alone).file)


def test_a_model_that_embeds_alone_without_a_gpu_needs_none() -> None:
    alone = {"embedding": {"source": "gs://b/clip", "alone": True}}
    with pytest.raises(ConfigError, match=r"cloud_run\.gpu"):
        require_fits(release(alone).file)
    require_fits(release({**alone, "cloud_run": {"gpu": None}}).file)


def test_warm_hours_end_on_the_day_on_which_they_start() -> None:
    with pytest.raises(ValidationError, match="before they end"):
        release({"cloud_run": {"warm_hours": {"start": 20, "end": 4}}})
