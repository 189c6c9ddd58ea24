"""The pool of whichever installation runs this program, with one node before an engine.

    python served_pool.py STATE ENGINE_PORT MODEL SLOTS COOP

Prints where the pool is and which processes it has as one line of JSON, and stops the pool when its
standard input ends. It uses only what each revision since the first benchmark of the gateway has.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from entraide_scheduler.up.pool import LocalPool, PoolOptions

PARTS = {"gateway": "scheduler", "node": "node-1", "nats": "nats"}


async def serve(state: Path, engine: dict[str, str | int], coop: str, answer: int) -> None:
    """Runs the pool until standard input ends; writes the line to a file descriptor."""
    pool = LocalPool(PoolOptions(state=state, nodes=1, engine=engine))
    try:
        running = await pool.start()
        line = {
            "port": int(running.http.rsplit(":", 1)[1]),
            "key": running.keys[coop],
            "pids": {part: running.pids[name] for part, name in PARTS.items()},
        }
        os.write(answer, json.dumps(line).encode() + b"\n")
        await asyncio.to_thread(sys.stdin.buffer.read)
    finally:
        await pool.stop()


if __name__ == "__main__":
    state, port, model, slots, coop = sys.argv[1:]
    answer = os.dup(1)
    os.dup2(2, 1)  # what the pool logs goes to the log, not between the reader and its line
    engine: dict[str, str | int] = {
        "kind": "attach", "url": f"http://127.0.0.1:{port}", "model": model,
        "slots": int(slots), "context_tokens": 8_192,
    }  # fmt: skip
    asyncio.run(serve(Path(state), engine, coop, answer))
