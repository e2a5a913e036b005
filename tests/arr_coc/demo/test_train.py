"""Training: what it feeds is what serving feeds, and a run resumes exactly."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoTokenizer, PreTrainedTokenizerFast
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from arr_coc.demo import train as command
from arr_coc.demo.scenes import COLORS, SHAPES, sample_scene
from arr_coc.demo.training import batches as batching
from arr_coc.demo.training.batches import TRAINED_SEEDS, Batch, batch_of
from arr_coc.demo.training.export import export
from arr_coc.demo.training.geometry import Geometry, overview
from arr_coc.demo.training.losses import compute
from arr_coc.demo.training.network import DenseHeads, create_model, glyph_class_ids
from arr_coc.demo.training.optimiser import Schedule
from arr_coc.demo.training.packed import patch_rows, picture_positions, read, see
from arr_coc.demo.training.tokenizer import IMAGE, UNKNOWN, TurnEncoder, build_tokenizer
from arr_coc.demo.training.views import View, label, legibility, whole
from arr_coc.demo.wording import vocabulary
from arr_coc.types import Box, Grid

SEED = 7


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer([*COLORS, *SHAPES, *sorted(vocabulary())])


@pytest.fixture(scope="module")
def encoder(tokenizer: PreTrainedTokenizerFast) -> TurnEncoder:
    return TurnEncoder(tokenizer)


@pytest.fixture(scope="module")
def zoomed(encoder: TurnEncoder) -> Batch:
    """Two samples, each an overview and two patches of different grids."""
    geometry = Geometry(1024, False, (1024, 1024), Grid(8, 8), (Grid(8, 10), Grid(11, 6)))
    return batch_of(random.Random(1), encoder, geometry, TRAINED_SEEDS, samples=2)


@pytest.mark.parametrize(
    "text", ["what's THE colour of it??", "zqxv", "a-b/c_d", "Where is\tit: left, right!"]
)
def test_ordinary_text_has_no_unknown_piece(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert UNKNOWN not in tokenizer(text, add_special_tokens=False).input_ids


@pytest.mark.parametrize("answer", ["KQZ", "47", "3", "yes", "a red cross", "top left", "unreadable"])
def test_answers_round_trip(tokenizer: PreTrainedTokenizerFast, encoder: TurnEncoder, answer: str) -> None:
    assert tokenizer.decode([*encoder.answer(answer)]) == answer


def test_a_sentence_round_trips(tokenizer: PreTrainedTokenizerFast, encoder: TurnEncoder) -> None:
    sentence = "there are 12 shapes. the largest is an orange star in the top left."
    assert tokenizer.decode([*encoder.answer(sentence)]) == sentence


def test_a_turn_is_the_chat_template_cut_after_the_pictures(
    tokenizer: PreTrainedTokenizerFast, encoder: TurnEncoder
) -> None:
    question = "What colour is the Red one?"
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": question}]
    messages: Any = [{"role": "user", "content": content}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    turn = encoder.turn(question, "red", [(15, 26)])
    assert tokenizer(prompt).input_ids == [*encoder.opening((1, 1)), *turn.ids[: turn.answer_start]]
    assert tokenizer.convert_ids_to_tokens(turn.ids[turn.mention_ends[0]]) == "one"


def test_patches_are_the_image_processors_own() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    processor = Qwen2VLImageProcessorPil(
        patch_size=16,
        merge_size=2,
        temporal_patch_size=2,
        do_resize=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    theirs = processor([pixels], return_tensors="pt")["pixel_values"].view(-1, 3, 2, 256)
    ours = patch_rows(torch.from_numpy(pixels[None]), 16)[0].view(-1, 3, 256)
    torch.testing.assert_close(theirs[:, :, 0], ours, rtol=0, atol=1e-6)
    assert torch.equal(theirs[:, :, 0], theirs[:, :, 1])


def test_positions_are_get_rope_index(encoder: TurnEncoder) -> None:
    model = create_model(200, SEED)
    grids = (Grid(8, 9), Grid(5, 13), Grid(10, 7))
    opening = encoder.opening(grid.tokens for grid in grids)
    ids = torch.tensor([[*opening, 11, 12, 13]])
    thw = torch.tensor([[1, 2 * grid.rows, 2 * grid.cols] for grid in grids])
    theirs, _ = model.model.get_rope_index(ids, (ids == IMAGE).int(), image_grid_thw=thw)
    ours, free = picture_positions(grids)
    assert torch.equal(theirs[:, 0, :-3], ours)
    assert theirs[:, 0, -3].tolist() == [free] * 3


def test_packed_turns_are_single_questions(tokenizer: PreTrainedTokenizerFast, zoomed: Batch) -> None:
    """Each of the packed turns has the logits of the model's own forward on that question alone."""
    model = create_model(len(tokenizer), SEED).eval()
    turns = zoomed.turns
    assert turns is not None
    with torch.no_grad():
        seen = [see(model, torch.from_numpy(p), g) for p, g in zip(zoomed.pixels, zoomed.grids, strict=True)]
        turn = torch.from_numpy(turns.turn)
        opening = torch.from_numpy(turns.opening)
        out = read(
            model,
            opening,
            zoomed.grids,
            seen,
            torch.from_numpy(turns.ids),
            turn,
            torch.from_numpy(turns.offset),
        )
        packed = model.lm_head(out.last)
        for row, index in ((0, 0), (1, 7)):
            own = turn[row] == index
            alone = torch.cat([opening, torch.from_numpy(turns.ids[row])[own]])[None]
            rows = torch.cat([patch_rows(torch.from_numpy(p[row : row + 1]), 16)[0] for p in zoomed.pixels])
            logits = model(
                input_ids=alone,
                pixel_values=rows.view(-1, 3, 1, 256).expand(-1, -1, 2, -1).reshape(len(rows), -1),
                image_grid_thw=torch.tensor([[1, 2 * g.rows, 2 * g.cols] for g in zoomed.grids]),
                mm_token_type_ids=(alone == IMAGE).int(),
            ).logits[0, len(opening) :]
            torch.testing.assert_close(packed[row][own], logits, rtol=1e-4, atol=1e-4)


def test_every_term_of_the_loss_reaches_its_parameters(encoder: TurnEncoder, zoomed: Batch) -> None:
    model = create_model(len(encoder.vocab), SEED)
    names = [tuple(encoder.vocab[name] for name in names) for names in (COLORS, SHAPES)]
    heads = DenseHeads(256, (*names, *glyph_class_ids(encoder.vocab)))
    compute(model, heads, zoomed).total.backward()
    # the heads for words stay still where a batch shows no clear print
    still = {n for n, p in (*model.named_parameters(), *heads.named_parameters()) if p.grad is None}
    assert not still


def test_labels_lie_where_the_objects_are() -> None:
    scene = sample_scene(3, size=512)
    view = whole(scene, Grid(scene.height // 32, scene.width // 32))
    marks = label(scene, view)
    for item in scene.objects:
        x, y = item.box.x0 + item.box.width / 2, item.box.y0 + item.box.height / 2
        at = int(y / 32) * view.grid.cols + int(x / 32)
        assert marks.classes[at, 0] == 1 + COLORS.index(item.color)
        assert marks.classes[at, 1] == 1 + SHAPES.index(item.shape)
        assert marks.place[at, 2] == 1


def test_print_can_be_read_where_a_view_shows_it_large_enough() -> None:
    scene = sample_scene(5, size=1024)
    item = next(item for item in scene.objects if item.print)
    small = View(Grid(4, 4), Box(0, 0, scene.width, scene.height))
    elsewhere = View(Grid(4, 4), Box(-500, -500, -372, -372))
    near = View(Grid(20, 20), Box(item.box.x0 - 9, item.box.y0 - 9, item.box.x0 + 631, item.box.y0 + 631))
    assert legibility(item, [small]) is False
    assert legibility(item, [small, elsewhere]) is False
    assert legibility(item, [small, near]) is True


def test_overviews_and_patches_stay_within_what_the_server_sends() -> None:
    rng = random.Random(0)
    for patches in (0, 1, 4):
        geometry = overview(rng, patches)
        assert 40 <= geometry.first.tokens <= 256
        assert all(64 <= grid.tokens <= 400 for grid in geometry.patches)


def test_rates_end_low_and_the_table_moves_fastest() -> None:
    schedule = Schedule(100, 100, 200)
    assert [schedule.stage(step) for step in (99, 100, 200)] == ["vision", "reading", "joint"]
    assert schedule.rate(399, "text") == pytest.approx(0.03 * schedule.joint_rate, rel=0.3)
    assert schedule.rate(99, "table") == 5 * schedule.rate(99, "tower")
    assert schedule.rate(0, "tower") < schedule.rate(80, "tower") / 10


def test_a_stopped_run_ends_as_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "JOINT_TOKENS", 64)
    monkeypatch.setattr(batching, "VISION_TOKENS", 160)
    monkeypatch.setattr(command, "HELD_OUT_BATCHES", 1)
    unbroken, stopped = tmp_path / "unbroken", tmp_path / "stopped"
    schedule = Schedule(1, 1, 1)
    command.train(unbroken, schedule, threads=1)
    command.train(stopped, schedule, threads=1, stop_at=1)
    command.train(stopped, schedule, threads=1)
    one, two = (torch.load(run / "run.pt", weights_only=True)["model"] for run in (unbroken, stopped))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert (stopped / "checkpoint" / "model.safetensors").exists()


def test_the_checkpoint_loads_plainly(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    model = create_model(len(tokenizer), SEED)
    export(model, tokenizer, tmp_path / "out", "card")
    loaded = AutoModelForImageTextToText.from_pretrained(str(tmp_path / "out"))
    theirs: Any = loaded.get_input_embeddings()
    ours: Any = model.get_input_embeddings()
    assert torch.equal(theirs.weight.bfloat16(), ours.weight.bfloat16())
    again = AutoTokenizer.from_pretrained(str(tmp_path / "out"))
    assert again("What is it?").input_ids == tokenizer("What is it?").input_ids
    assert sum(f.stat().st_size for f in (tmp_path / "out").iterdir()) < 12e6
    assert sum(p.numel() for p in model.parameters()) <= 6e6
