import io

import httpx
from PIL import Image

from load_tests.against_native import FIRST_SEED, NATIVE_TOKENS, SIDE, turn, work


def test_every_question_has_a_picture_of_its_own_that_native_resolution_costs_as_much() -> None:
    asked = list(work(2, FIRST_SEED))
    assert len({image for image, _ in asked}) == 2
    assert all(Image.open(io.BytesIO(image)).size == (SIDE, SIDE) for image, _ in asked)
    assert [question.text for _, question in asked] == [question.text for _, question in work(2, FIRST_SEED)]


def test_a_turn_counts_right_answers_and_tokens() -> None:
    """Against a server that answers the first question right, and only that one."""
    asked = list(work(2, FIRST_SEED))
    right, wrong = asked[0][1], asked[1][1]

    def serve(request: httpx.Request) -> httpx.Response:
        body = request.content
        native = b"visual_token_budget" in body
        answer = right.answer if right.text.encode() in body else f"not {wrong.text}"
        return httpx.Response(
            200, json={"answer": answer, "total_visual_tokens": NATIVE_TOKENS if native else 208}
        )

    with httpx.Client(base_url="http://test", transport=httpx.MockTransport(serve)) as client:
        served, native = (turn(client, asked, clients=2, budget=budget) for budget in (None, NATIVE_TOKENS))
    assert (served.right, served.visual_tokens) == (50, 208)
    assert (native.right, native.visual_tokens) == (50, 1024)
    assert served.answers_per_s > 0
