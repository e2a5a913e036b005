"""Finds out how a model wants to be asked where to look, and writes it beside its weights.

    python -m arr_coc.calibrate MODEL_DIR                    fit and write arr_coc.json
    python -m arr_coc.calibrate MODEL_DIR --dry-run          fit and show only
    python -m arr_coc.calibrate MODEL_DIR --heads measured   do not take published heads
    python -m arr_coc.calibrate MODEL_DIR --spending keep    leave the gate and the token price as they are
    python -m arr_coc.calibrate MODEL_DIR --json             print what was found as JSON

The model is asked about generated scenes. Half of them tell which heads localise, which mark attention
sinks, and how much a question shall weigh; the other half what that is worth. Then all questions are asked in
every way, which tells when an overview is enough, when the whole picture is wanted finer, and what a token must
bring; settings count by the half of the scenes in which they fall shortest of the best. All other settings of
``arr_coc.json`` stay. Heads of known checkpoints are the published ones, unless ``--heads measured``. The same
scenes give the same settings.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from arr_coc.calibrate.fitting import Calibration, calibrate
from arr_coc.calibrate.seeing import Sight, look_at_scenes
from arr_coc.calibrate.spending import CERTAIN, Spending, Trial, fit_spending, prices
from arr_coc.calibrate.tables import spending_table, summary
from arr_coc.calibrate.trying import Trier, scenes
from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED
from arr_coc.errors import ArrCocError, ConfigError
from arr_coc.model.adapter import Adapter
from arr_coc.model.config import ModelConfig
from arr_coc.model.loading import load
from arr_coc.model.source import resolve
from arr_coc.model.sources.spec import Local, parse
from arr_coc.profile import PROFILE_FILE, ModelProfile
from arr_coc.published import PublishedHeads, published_heads

FIRST_SEED = FIRST_HELD_OUT_SEED + 500_000  # neither trained on nor evaluated with


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 2 where something is to be mended first.

    ``arguments`` are those of the process where they are not given.
    """
    args = _read(arguments)
    try:
        _run(args)
    except ArrCocError as error:
        print(f"calibrate: {error.message}", file=sys.stderr)
        return 2
    return 0


def _run(args: argparse.Namespace) -> None:
    if not args.dry_run and not isinstance(parse(args.model), Local):
        raise ConfigError("arr_coc.json is written beside a model's files: give a directory, or --dry-run")
    directory = resolve(args.model)
    profile = ModelProfile.load(directory)
    if profile.fixed_view is not None:
        raise ConfigError("this model is never asked where to look: there is nothing to calibrate")
    content = _content(directory / PROFILE_FILE)
    if not args.dry_run and not os.access(directory, os.W_OK):
        raise ConfigError(f"{directory} cannot be written to; --dry-run only shows what would be")
    published = _published(args.heads, directory)
    adapter = load(directory, ModelConfig(device=args.device, dtype=args.dtype, threads=args.threads))
    result = calibrate(_look(args, adapter, profile), profile, published)
    settings, told = fitted_settings(result, content), [summary(result)]
    if args.spending == "fit":
        pointed = profile.model_copy(update=_as_fields(settings))
        spent, table = _spending(args, adapter, pointed, content)
        settings |= spent
        told.append(table)
    written = None
    if not args.dry_run:
        written = str(directory / PROFILE_FILE)
        write(directory / PROFILE_FILE, content | settings)
        told.append(f"\nwritten: {written}")
    if args.json:
        print(json.dumps({**asdict(result), "settings": settings, "written": written}, indent=1))
    else:
        print("\n".join(told))


def _as_fields(settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` as a profile holds them."""
    return {
        name: tuple(map(tuple, value)) if isinstance(value, list) else value
        for name, value in settings.items()
    }


def _spending(
    args: argparse.Namespace, adapter: Adapter, profile: ModelProfile, content: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """The gate and the price of a token as settings, and a table of what they bring."""
    halves = _halves(_try(args, adapter, profile))
    if not all(halves):
        raise ConfigError("too few questions need a closer look; give more --scenes")
    current = Spending.of(profile)
    chosen = fit_spending(halves, current)
    table = spending_table({"as it was": current, "as it is now": chosen}, halves)
    if chosen == current:
        return {}, table
    gate = chosen.gate(profile.gate.doubts if profile.gate else ())
    told = {"token_price": chosen.token_price} if chosen.token_price or "token_price" in content else {}
    return told | ({"gate": gate.model_dump(mode="json")} if gate else {}), table


def _try(args: argparse.Namespace, adapter: Adapter, profile: ModelProfile) -> list[Trial]:
    current = Spending.of(profile)
    trier = Trier(adapter, profile, prices(current.token_price), surest=max(*CERTAIN, current.certain))
    trials: list[Trial] = []
    try:
        asked = scenes(FIRST_SEED + args.seed, args.scenes, args.size)
        for done, (scene, image, about) in enumerate(asked, 1):
            trials += trier.trials(scene, image, about)
            _tell(done, args.scenes, f"{len(trials)} questions asked in every way")
    finally:
        trier.close()
    return trials


def _halves(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Trials of every other three scenes, which are of all kinds, and the rest."""
    return [[trial for trial in trials if trial.scene // 3 % 2 == half] for half in (0, 1)]


def _published(choice: str, directory: Path) -> PublishedHeads | None:
    """The heads to take; None where they are to be measured."""
    if choice == "measured":
        return None
    known = published_heads(json.loads((directory / "config.json").read_text()))
    if known is None and choice == "published":
        raise ConfigError("no heads are published for this family and size; use --heads measured")
    if known is not None:
        _say(f"heads published for {known.checkpoint}")
    return known


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def _look(args: argparse.Namespace, adapter: Adapter, profile: ModelProfile) -> list[Sight]:
    sights: list[Sight] = []
    seeds = range(FIRST_SEED + args.seed, FIRST_SEED + args.seed + args.scenes)
    for done, seen in enumerate(look_at_scenes(adapter, profile, seeds, args.size), 1):
        sights += seen
        _tell(done, args.scenes, f"{len(sights)} questions")
    if not sights:
        raise ConfigError(f"no scene of {args.size} px needs a closer look; give a larger --size")
    return sights


def _tell(done: int, scenes: int, what: str) -> None:
    """Progress, about ten times."""
    if done % max(1, scenes // 10) == 0 or done == scenes:
        _say(f"{done} of {scenes} scenes, {what}")


def fitted_settings(result: Calibration, content: dict[str, Any]) -> dict[str, Any]:
    """What of ``arr_coc.json`` changes; what is as by default is told only where it was."""
    fitted: dict[str, Any] = {
        "sink_heads": [list(head) for head in result.sinks],
        "least_asked": result.least_asked,
        "most_asked": result.most_asked,
    }
    default = ModelProfile().model_dump(mode="json")
    told = {name: value for name, value in fitted.items() if value != default[name] or name in content}
    return {"heads": [list(head) for head in result.heads], **told}


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file whole. Raises ConfigError where that fails."""
    ModelProfile.model_validate(content)
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(json.dumps(content, indent=1) + "\n")
        draft.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def _content(path: Path) -> dict[str, Any]:
    """The settings as they stand, which ``ModelProfile.load`` has found to be valid."""
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m arr_coc.calibrate",
        description="Find the heads that localise and fit arr_coc.json beside the weights.",
    )
    parser.add_argument("model", metavar="MODEL_DIR", help="a model directory, or demo")
    parser.add_argument("--scenes", type=int, default=60, help="generated scenes, about four questions each")
    parser.add_argument(
        "--size",
        type=int,
        default=1024,
        help="their longer side in pixels; spending is fitted on twice that, too",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first scene, counted from calibration's own"
    )
    parser.add_argument("--threads", type=int, help="of the model; all cores where left out")
    parser.add_argument("--heads", choices=["auto", "published", "measured"], default="auto")
    parser.add_argument(
        "--spending", choices=["fit", "keep"], default="fit", help="the gate and the token price"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
