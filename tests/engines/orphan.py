"""Run by a test as a process of its own: starts an engine, tells its child's pid, and waits."""

import asyncio
import sys
from pathlib import Path

from tests.engines.own_environments import engine_of
from tests.engines.support import config

from entraide_node.engines.llamacpp import make_llama_cpp


async def main(kind: str, folder: Path) -> None:
    """Starts the engine and never ends by itself."""
    engine = make_llama_cpp(config()) if kind == "llama.cpp" else engine_of(kind, folder)
    assert await engine.start() is None
    print(engine.pid, engine.facts.api_base, flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
