"""What Ray Serve is told of the deployments."""

from typing import Any

import pytest
from ray.serve import Application

from deployments.autoscaling import BacklogPolicy
from serve_app.app import build
from serve_app.config import AppConfig


def deployments(args: dict[str, Any]) -> dict[str, Any]:
    """Each stage's options, by its name."""
    application = build(AppConfig.model_validate(args))
    (texture, generation, *_) = application._bound_deployment.init_args
    return {
        each._bound_deployment.name: each._bound_deployment._deployment_config
        for each in (application, texture, generation)
        if isinstance(each, Application)
    } | {
        f"{each._bound_deployment.name} actor": each._bound_deployment.ray_actor_options
        for each in (application, texture, generation)
        if isinstance(each, Application)
    }


def test_one_engine_stands_alone() -> None:
    told = deployments({})
    assert told["GenerationStage"].num_replicas == 1
    assert told["GenerationStage"].autoscaling_config is None
    assert told["GenerationStage"].graceful_shutdown_timeout_s == 7
    assert told["Ingress"].max_surge_percent == 0
    assert not any("label_selector" in told[f"{each} actor"] for each in ("TextureStage", "GenerationStage"))


def test_several_are_placed_by_label_and_may_finish_what_they_have() -> None:
    told = deployments({
        "generation": {"replicas": 3, "num_cpus": 2, "node_labels": {"stage": "generation"}},
        "texture": {"replicas": 2, "node_labels": {"stage": "texture"}},
        "deadline_s": 90,
    })  # fmt: skip
    assert told["GenerationStage"].num_replicas == 3
    assert told["TextureStage"].num_replicas == 2
    assert told["GenerationStage actor"]["label_selector"] == {"stage": "generation"}
    assert told["GenerationStage actor"]["num_cpus"] == 2
    assert told["TextureStage actor"]["label_selector"] == {"stage": "texture"}
    assert told["Ingress actor"]["label_selector"] == {"stage": "texture"}
    assert all(told[each].graceful_shutdown_timeout_s == 90 for each in ("GenerationStage", "Ingress"))
    assert (told["Ingress"].max_surge_percent, told["GenerationStage"].max_surge_percent) == (100, 0)


def test_the_ingress_lets_in_what_all_engines_take() -> None:
    one, three = (deployments({"generation": {"replicas": count}})["Ingress"] for count in (1, 3))
    assert three.max_ongoing_requests > 2 * one.max_ongoing_requests


def test_generation_is_scaled_by_its_backlog_and_texture_by_its_calls() -> None:
    scaling = {"min_replicas": 2, "max_replicas": 5, "upscale_delay_s": 1, "downscale_delay_s": 9}
    told = deployments({
        "generation": {"autoscaling": {**scaling, "backlog_tokens_each": 4096}},
        "texture": {"autoscaling": {**scaling, "ongoing_each": 3}},
    })  # fmt: skip
    generation, texture = (told[each].autoscaling_config for each in ("GenerationStage", "TextureStage"))
    for each in (generation, texture):
        assert (each.min_replicas, each.max_replicas) == (2, 5)
        assert (each.upscale_delay_s, each.downscale_delay_s) == (1, 9)
    assert texture.target_ongoing_requests == 3
    assert texture.policy.is_default_policy_function()
    assert generation.policy.policy_function == f"{BacklogPolicy.__module__}.{BacklogPolicy.__name__}"
    assert generation.policy.policy_kwargs == {"tokens_each": 4096}
    assert callable(generation.policy.get_policy()(**generation.policy.policy_kwargs))


def test_fewer_at_most_than_at_least_is_refused() -> None:
    with pytest.raises(ValueError, match="max_replicas must not be below"):
        AppConfig.model_validate({"texture": {"autoscaling": {"min_replicas": 2}}})
