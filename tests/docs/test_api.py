"""``docs/api.md`` tells of every route and every field of a question, and of no other."""

import re

from serve_app.openapi.document import document
from serve_app.schemas import Question
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text()


def test_every_route_is_told() -> None:
    told = set(re.findall(r"(?m)^\| `(GET|POST) (\S+)` \|", PAGE))
    paths = document("demo", 64, "0")["paths"]
    assert told == {(method.upper(), path) for path, calls in paths.items() for method in calls}


def test_every_field_of_a_question_is_told_with_its_default() -> None:
    section = PAGE[PAGE.index("## A question") : PAGE.index("## A stream")]
    told = dict(re.findall(r"(?m)^\| `(\w+)` \| (\S*) ?\|", section))
    fields = Question.model_fields
    assert set(told) == {"image", *fields}
    for name, field in fields.items():
        if not field.is_required():
            assert told[name] == _told(field.get_default()), name


def _told(default: object) -> str:
    if default is None:
        return "none"
    return str(default).lower() if isinstance(default, bool) else f"{default:g}"
