"""Finds out how a model wants to be asked where to look, and writes it beside its weights.

    python -m arr_coc.calibrate MODEL_DIR                    fit and write arr_coc.json
    python -m arr_coc.calibrate MODEL_DIR --dry-run          fit and show only
    python -m arr_coc.calibrate MODEL_DIR --heads measured   do not take published heads
    python -m arr_coc.calibrate MODEL_DIR --json             print what was found as JSON

The model is asked about generated scenes. Half of them tell which heads localise, which mark attention
sinks, and how much a question shall weigh; the other half what that is worth. All other settings of
``arr_coc.json`` stay. Heads of known checkpoints are the published ones, unless ``--heads measured``.
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
from arr_coc.calibrate.seeing import LOCALISING, Sight, look_at_scenes
from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED
from arr_coc.errors import ArrCocError, ConfigError
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
    result = calibrate(_look(args, directory, profile), profile, published)
    fitted, written = fitted_settings(result, content), None
    if not args.dry_run:
        written = str(directory / PROFILE_FILE)
        write(directory / PROFILE_FILE, content | fitted)
    if args.json:
        print(json.dumps({**asdict(result), "settings": fitted, "written": written}, indent=1))
    else:
        print(summary(result) + (f"\n\nwritten: {written}" if written else ""))


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


def _look(args: argparse.Namespace, directory: Path, profile: ModelProfile) -> list[Sight]:
    adapter = load(directory, ModelConfig(device=args.device, dtype=args.dtype))
    sights: list[Sight] = []
    seeds = range(FIRST_SEED, FIRST_SEED + args.scenes)
    for done, seen in enumerate(look_at_scenes(adapter, profile, seeds, args.size), 1):
        sights += seen
        if done % max(1, args.scenes // 10) == 0 or done == args.scenes:
            _say(f"{done} of {args.scenes} scenes, {len(sights)} questions")
    if not sights:
        raise ConfigError(f"no scene of {args.size} px needs a closer look; give a larger --size")
    return sights


def summary(result: Calibration) -> str:
    """What was fitted and how it compares, as a Markdown table."""
    kinds = [kind for kind in LOCALISING if any(kind in row.hits for row in result.rows)]
    head = ["what tells where to look", *(f"{kind}, %" for kind in kinds), "found, %"]
    lines = ["", _line(head), _line(["---"] * len(head))]
    for row in result.rows:
        hits = [f"{100 * row.hits[kind]:.0f}" if kind in row.hits else "-" for kind in kinds]
        lines.append(_line([row.name, *hits, f"{100 * row.found:.0f}"]))
    return "\n".join([*lines, "", *_explained(result)])


def _explained(result: Calibration) -> list[str]:
    weights = f"{result.least_asked:g} where it points nowhere to {result.most_asked:g} where at one place"
    lines = [
        f"Fitted on {result.fitted_on} questions, judged on {result.judged_on} others. By kind: the map's maximum "
        "lies in the asked object; found: a patch of the default budget holds it.",
        f"A question weighs from {weights}.",
    ]
    if not result.heads:
        lines.append("No heads are listed: the middle layers find more than any few heads do.")
    return lines


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


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
    parser.add_argument("--size", type=int, default=1024, help="their longer side in pixels")
    parser.add_argument("--heads", choices=["auto", "published", "measured"], default="auto")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
