import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arr_coc.errors import ModelLoadError
from arr_coc.localising import SINK, Localiser, against, middle_heads
from arr_coc.profile import ModelProfile

MAPS = arrays(np.float32, 12, elements=st.floats(0, 1, width=32))


def read(localiser: Localiser, attention: dict[tuple[int, int], list[float]]) -> np.ndarray:
    """What an engine hands over: the heads asked for, by layer."""
    return np.array(
        [attention[layer, head] for layer, heads in localiser.heads.items() for head in heads], np.float32
    )


def test_listed_heads_are_read_and_averaged_in_any_order() -> None:
    localiser = Localiser(ModelProfile(heads=((3, 1), (1, 2), (3, 0))), layers=4, heads=3)
    assert localiser.coupling == "heads"
    assert localiser.heads == {1: [2], 3: [0, 1]}
    maps = {(1, 2): [0.0, 0.3], (3, 0): [0.6, 0.0], (3, 1): [0.0, 0.3]}
    assert localiser.attention(read(localiser, maps)) == pytest.approx([0.2, 0.2])


def test_sinks_count_nothing() -> None:
    localiser = Localiser(ModelProfile(heads=((2, 0),), sink_heads=((0, 1), (2, 0))), layers=3, heads=2)
    assert localiser.heads == {0: [1], 2: [0]}
    maps = {(0, 1): [2 * SINK, 0.0, 0.0], (2, 0): [0.001, SINK, 0.004]}
    assert localiser.attention(read(localiser, maps)) == pytest.approx([0.0, 0.01, 0.004])


def test_without_listed_heads_the_middle_layers_are_read() -> None:
    localiser = Localiser(ModelProfile(), layers=28, heads=2)
    assert localiser.coupling == "layers"
    assert list(localiser.heads) == list(range(14, 23))
    assert all(list(heads) == [0, 1] for heads in localiser.heads.values())
    attention = np.arange(18, dtype=np.float32)[:, None] * np.ones(5, np.float32)
    assert localiser.attention(attention) == pytest.approx([8.5] * 5)


def test_a_model_whose_attention_cannot_be_read_has_none() -> None:
    localiser = Localiser(ModelProfile(), layers=28, heads=0)
    assert localiser.coupling == "none"
    assert localiser.heads == {}


@pytest.mark.parametrize("head", [(4, 0), (0, 2), (-1, 0)])
def test_a_head_that_the_model_has_not_is_the_operators_to_mend(head: tuple[int, int]) -> None:
    with pytest.raises(ModelLoadError):
        Localiser(ModelProfile(heads=(head,)), layers=4, heads=2)
    with pytest.raises(ModelLoadError):
        Localiser(ModelProfile(sink_heads=(head,)), layers=4, heads=2)


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 28, 36])
def test_every_depth_has_a_middle(layers: int) -> None:
    middle = middle_heads(layers, 1)
    assert middle
    assert all(0 <= layer < layers for layer, _ in middle)


def test_what_a_picture_draws_to_itself_cancels() -> None:
    generic = np.array([0.5, 0.1, 0.1, 0.1, 0.2], np.float32)  # a sink in front
    asked = np.array([0.5, 0.1, 0.4, 0.0, 0.2], np.float32)
    assert against(asked, generic).argmax() == 2
    assert asked.argmax() == 0


@given(MAPS, MAPS, st.floats(0.125, 8, width=32))
def test_the_ratio_is_finite_and_free_of_scale(asked: np.ndarray, generic: np.ndarray, scale: float) -> None:
    ratio = against(asked, generic)
    assert np.isfinite(ratio).all()
    assert (ratio >= 0).all()
    if asked.sum() > 1e-3:
        assert np.allclose(against(asked * np.float32(scale), generic), ratio, atol=1e-4)


@given(MAPS)
def test_a_question_about_nothing_points_nowhere(generic: np.ndarray) -> None:
    assert not against(generic, generic).any()
