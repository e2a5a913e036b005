"""What a machine's GPU, driver and torch mean for what a config asks for."""

from typing import Any

import pytest
import torch

from serve_app.checks import gpu_count
from serve_app.cli.doctor.accelerator import Accelerator, check_accelerator, look
from serve_app.config import AppConfig

NONE = Accelerator(gpus=0, driver=None, build=None, memory=0)
L4 = Accelerator(gpus=1, driver=(12, 8), build=(12, 6), memory=23 * 2**30)


def app(device: str, num_gpus: float) -> AppConfig:
    return AppConfig.model_validate({"model": {"device": device}, "generation": {"num_gpus": num_gpus}})


@pytest.mark.parametrize(
    ("found", "device", "num_gpus", "level", "told"),
    [
        (NONE, "cpu", 0, "ok", "not needed"),
        (L4, "cpu", 0, "ok", "not needed"),
        (NONE, "auto", 0, "ok", "not needed"),
        (L4, "auto", 0, "warning", "on the CPU"),
        (L4, "auto", 1, "ok", "23 GiB, driver for CUDA 12.8, torch for 12.6"),
        (Accelerator(1, (12, 8), None, 1), "auto", 1, "warning", "on the CPU"),
        (L4, "cuda", 1, "ok", "1 GPU(s)"),
        (NONE, "cuda", 1, "problem", "no driver"),
        (Accelerator(0, (12, 8), (12, 6), 0), "cuda", 1, "problem", "no GPU"),
        (Accelerator(1, (12, 8), None, 1), "cuda", 1, "problem", "for the CPU alone"),
        (
            Accelerator(1, (12, 8), (13, 0), 1),
            "cuda",
            1,
            "problem",
            "built for CUDA 13.0, the driver takes 12.8",
        ),
        (Accelerator(1, (12, 4), (12, 8), 1), "cuda", 1, "ok", "torch for 12.8"),
    ],
)
def test_what_is_asked_for_against_what_is_there(
    found: Accelerator, device: Any, num_gpus: float, level: str, told: str
) -> None:
    finding = check_accelerator(found, app(device, num_gpus))
    assert finding.level == level
    assert told in finding.told
    assert bool(finding.remedy) == (level != "ok")


@pytest.mark.parametrize(
    ("found", "embedding", "level", "told"),
    [
        (NONE, {}, "ok", "embedding.device is auto"),
        (L4, {}, "warning", "on the CPU"),
        (L4, {"device": "cuda", "num_gpus": 1}, "ok", "1 GPU(s)"),
        (NONE, {"device": "cuda", "num_gpus": 1}, "problem", "embedding.device is cuda"),
        (NONE, {"num_gpus": 0.2}, "problem", "0.2 GPUs together, none"),
    ],
)
def test_where_a_model_only_embeds_its_device_is_looked_at(
    found: Accelerator, embedding: dict[str, object], level: str, told: str
) -> None:
    alone = AppConfig.model_validate({"embedding": {"source": "/clip", "alone": True, **embedding}})
    finding = check_accelerator(found, alone)
    assert (finding.level, told in finding.told) == (level, True), finding


def test_gpus_of_all_stages_together_must_be_there() -> None:
    both = {"generation": {"num_gpus": 1}, "embedding": {"source": "/clip", "num_gpus": 0.2}}
    finding = check_accelerator(L4, AppConfig.model_validate(both))
    assert (finding.level, "1.2 GPUs together, 1" in finding.told) == ("problem", True)


def test_this_machine_is_seen_as_torch_sees_it() -> None:
    found = look()
    build = torch.version.cuda
    assert found.gpus == gpu_count()
    assert found.build == (None if build is None else tuple(map(int, build.split("."))))
    assert (found.memory > 0) == (found.gpus > 0)
