"""The load generator, in a process of its own: the order on standard input, the cell on standard output.

python -m load_tests.bench.client < spec.json > cell.json
"""

import json
import sys
import time

import aiohttp
import uvloop

from arr_coc.demo.grading import is_right
from load_tests.bench.driving import Ask, Driver, Reply
from load_tests.bench.loads import Load
from load_tests.bench.mixes import MIXES, Request
from load_tests.bench.outcome import LOST
from load_tests.bench.peers import SPEECHES
from load_tests.bench.ratios import DEADLINE_S
from load_tests.bench.speaking import Speech
from load_tests.bench.spec import Spec, to_json
from serve_app.connection import TIMEOUT_HEADER


def over_http(session: aiohttp.ClientSession, speech: Speech, stream: bool) -> Ask:
    """Asks a server; what breaks on the way is lost."""
    path = speech.streams if stream and speech.streams else speech.path
    streaming = stream and speech.streams is not None

    async def ask(request: Request) -> Reply:
        body, kind = speech.body(request, streaming)
        try:
            async with session.post(path, data=body, headers={"content-type": kind}) as response:
                if response.status != 200:
                    await response.read()
                    return Reply(response.status)
                if streaming:
                    return await _read_stream(response, speech)
                return Reply(200, *speech.read(await response.read()))
        except (aiohttp.ClientError, ValueError, KeyError, TypeError):
            return Reply(LOST)

    return ask


async def _read_stream(response: aiohttp.ClientResponse, speech: Speech) -> Reply:
    pieces, tokens, first = [], 0, None
    async for line in response.content:
        if line.startswith(b"event: error"):
            return Reply(LOST)
        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
            continue
        piece, told = speech.piece(json.loads(line.removeprefix(b"data: ")))
        if piece and first is None:
            first = time.perf_counter()
        pieces.append(piece)
        tokens = told or tokens
    return Reply(200, "".join(pieces), tokens, first)


async def drive(spec: Spec) -> None:
    """Run the cell and write it down."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    load = Load.parse(spec.load)
    stated = {TIMEOUT_HEADER: f"{DEADLINE_S[MIXES[spec.mix].model]:g}"} if load.overload else None
    async with aiohttp.ClientSession(
        spec.target, connector=connector, timeout=timeout, headers=stated
    ) as session:
        ask = over_http(session, SPEECHES[spec.speech], load.stream)
        driver = Driver(ask, spec.requests(), spec.first, is_right)
        if spec.warm_up:
            await driver.warm_up()
        cell = await spec.drive(driver)
    json.dump(to_json(cell), sys.stdout)


if __name__ == "__main__":
    uvloop.run(drive(Spec.read()))
