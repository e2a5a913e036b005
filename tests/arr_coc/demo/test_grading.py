"""What counts as right, and how answers add up."""

import pytest

from arr_coc.demo.grading import Graded, is_right, summary, table


@pytest.mark.parametrize(
    ("answer", "expected", "right"),
    [
        ("47", "47", True),
        ("The number is 47.", "47", True),
        ("473", "47", False),
        ("KQZ", "kqz", True),
        ("a red  circle!", "a red circle", True),
        ("red and a circle", "red circle", False),
        ("", "47", False),
    ],
)
def test_right_is_the_expected_words_side_by_side(answer: str, expected: str, right: bool) -> None:
    assert is_right(answer, expected) is right


def test_figures_add_up_by_kind_and_route() -> None:
    graded = [
        Graded("number", "zoom", 208, 1024, True),
        Graded("number", "zoom", 144, 1024, False),
        Graded("color", "direct", 64, 64, True),
    ]
    figures = summary(graded)
    assert figures["number"] == {"n": 2, "right": 50.0, "visual_tokens": 176.0, "native_tokens": 1024.0}
    assert figures["all"]["n"] == 3
    assert figures["route direct"]["right"] == 100.0
    assert "| number | 2 | 50.0 | 176 | 1024 |" in table(figures)
