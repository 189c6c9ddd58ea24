"""Run by a test as a process of its own: starts an engine, tells its child's pid, and waits."""

import asyncio

from tests.engines.support import config

from entraide_node.engines.llamacpp import llama_cpp


async def main() -> None:
    """Starts the engine and never ends by itself."""
    engine = llama_cpp(config())
    assert await engine.start() is None
    print(engine.pid, engine.facts.api_base, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
