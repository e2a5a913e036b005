"""What calibration found, as Markdown tables. Owns words and columns only."""

from collections.abc import Mapping, Sequence

from arr_coc.calibrate.fitting import Calibration
from arr_coc.calibrate.seeing import LOCALISING
from arr_coc.calibrate.spending import Outcome, Spending, Trial, outcome


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


def spending_table(settings: Mapping[str, Spending], halves: Sequence[Sequence[Trial]]) -> str:
    """What settings bring in each half of the scenes, as a Markdown table."""
    head = ["spending", "certain", "pointing", "looks", "token price", *["% right", "tokens"] * len(halves)]
    lines = ["", _line(head), _line(["---"] * len(head))]
    for name, chosen in settings.items():
        gate = f"{chosen.certain:g}" if chosen.certain <= 1 else "no gate"
        cells = [name, gate, f"{chosen.pointing:g}", f"{chosen.looks}", f"{chosen.token_price:g}"]
        lines.append(_line([*cells, *(cell for half in halves for cell in _shown(outcome(half, chosen)))]))
    return "\n".join([*lines, "", f"{' and '.join(str(len(half)) for half in halves)} questions."])


def _shown(found: Outcome) -> tuple[str, str]:
    return f"{100 * found.right:.1f}", f"{found.tokens:.0f}"
