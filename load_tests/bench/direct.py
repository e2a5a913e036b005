"""The limits: the engine called in the load generator's own process, without HTTP or Ray.

    python -m load_tests.bench.direct whole|prepared < spec.json > cell.json

``whole`` decodes and textures each picture when it is asked about, on as many threads as the texture stage
has. ``prepared`` has done so before the clock starts.
"""

import asyncio
import json
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from arr_coc.demo.grading import is_right
from arr_coc.engine.observer import Silent
from arr_coc.errors import Overloaded
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, Sampling, TexturedPicture
from arr_coc.vlm import VisionLanguageModel
from load_tests.bench.driving import Driver, Reply
from load_tests.bench.loads import Load
from load_tests.bench.mixes import Request
from load_tests.bench.peers import ROOT, THREADS
from load_tests.bench.spec import Spec, to_json
from serve_app.config import AppConfig
from serve_app.config_file import read_config

ROOM = 4096  # requests that may wait: here nobody is refused


class Direct:
    """A loaded model, and the texture stage's encoder."""

    def __init__(self, directory: Path) -> None:
        app: AppConfig = read_config(ROOT / "configs" / "local.yaml").app
        threads = app.model.threads if directory.name == "demo" else THREADS
        model = app.model.model_copy(update={"source": str(directory), "threads": threads})
        self._vlm = VisionLanguageModel.load(
            model, app.engine.model_copy(update={"max_queue": ROOM}), Silent()
        )
        self._encoder = TextureEncoder(ModelProfile.load(directory), app.pictures)
        self._workers = ThreadPoolExecutor(app.texture.threads)
        self._prepared: dict[bytes, TexturedPicture] = {}

    def prepare(self, request: Request) -> None:
        """Texture the picture now."""
        if request.picture not in self._prepared:
            self._prepared[request.picture] = self._encoder.encode(request.picture, None)

    async def ask(self, request: Request) -> Reply:
        """As both stages would."""
        picture = self._prepared.get(request.picture)
        if picture is None:
            loop = asyncio.get_running_loop()
            picture = await loop.run_in_executor(self._workers, self._encoder.encode, request.picture, None)
        sampling = Sampling(max_new_tokens=request.max_tokens, ignore_eos=request.forced)
        try:
            report = await self._vlm.answer(Ask(uuid.uuid4().hex, request.query, sampling), picture)
        except Overloaded:
            return Reply(429)
        return Reply(200, report.text, report.usage.completion_tokens)

    def close(self) -> None:
        self._vlm.close()


async def drive(spec: Spec, direct: Direct, prepared: bool) -> None:
    """Run the cell and write it down."""
    requests, load = spec.requests(), Load.parse(spec.load)
    if prepared:
        count = int(load.value) if load.kind == "batch" else sum(1 for _ in spec.times())
        for index in range(spec.first, spec.first + count):
            direct.prepare(requests[index])
    driver = Driver(direct.ask, requests, spec.first, is_right)
    if spec.warm_up:
        await driver.warm_up()
    cell = await spec.drive(driver)
    await asyncio.to_thread(direct.close)
    json.dump(to_json(cell), sys.stdout)


def main() -> None:
    """Load the model, which warms it up on a loop of its own, then run the cell."""
    spec = Spec.read()
    direct = Direct(Path(spec.target))
    asyncio.run(drive(spec, direct, prepared=sys.argv[1] == "prepared"))


if __name__ == "__main__":
    main()
