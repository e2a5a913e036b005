from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from arr_coc.foveation import native_grid
from load_tests.bench.models import make
from load_tests.bench.peers import THREADS
from load_tests.bench.servers import CONFIG, config_for
from serve_app.config_file import read_config


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "demo"
    make("demo", path)
    return path


@pytest.mark.parametrize("size", [(256, 256), (1024, 1024), (1024, 576), (448, 320)])
def test_peers_see_as_many_tokens_as_this_server_calls_native(directory: Path, size: tuple[int, int]) -> None:
    processor = Qwen2VLImageProcessorPil.from_pretrained(directory)
    picture = Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8))
    _, rows, columns = processor(images=[picture])["image_grid_thw"][0]
    assert (rows // 2, columns // 2) == native_grid(*size, 32).shape


def test_what_lies_there_is_not_made_again(directory: Path) -> None:
    (directory / "README.md").write_text("as it was")
    make("demo", directory)
    assert (directory / "README.md").read_text() == "as it was"


def test_the_bundled_model_is_served_by_the_config_of_the_checkout(tmp_path: Path) -> None:
    assert config_for("demo", tmp_path / "models" / "demo", tmp_path) == CONFIG


def test_another_model_and_its_threads_are_all_that_changes_in_the_config(
    directory: Path, tmp_path: Path
) -> None:
    app = read_config(config_for("random-60m", directory, tmp_path)).app
    own = read_config(CONFIG).app
    assert app.model.source == str(directory)
    other = own.model.model_copy(update={"source": str(directory), "threads": THREADS})
    assert app == own.model_copy(update={"model": other})


def test_a_model_of_other_files_is_made_again(directory: Path) -> None:
    (directory / "made_of").write_text("something else")
    (directory / "stale").touch()
    make("demo", directory)
    assert not (directory / "stale").exists()
