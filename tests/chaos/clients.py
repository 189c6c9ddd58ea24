"""Clients of a run, in a process of their own: ``python -m tests.chaos.clients FOLDER``.

They ask until the file ``over`` is in the folder, finish what they have begun, and end.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
from tests.chaos.fair_clock import FairClock
from tests.chaos.kept import KeptClient
from tests.chaos.pool import MODEL, REAL_MODEL
from tests.chaos.run_folder import RunFolder, Setting
from tests.chaos.streams import Streams

OVER = "over"
LOOK_S = 0.5
REAL_CLIENTS = 2


async def run(folder: RunFolder) -> None:
    """Runs all clients."""
    setting = msgspec.convert(folder.document("setting.json"), Setting)
    clock = FairClock()
    keys = folder.document("keys.json")
    streams = Streams(folder, keys, clock=clock, seed=setting.seed)
    models = [MODEL] * setting.streams + [REAL_MODEL] * REAL_CLIENTS
    kept = KeptClient(folder, next(iter(keys.values())), clock)
    clients = [asyncio.create_task(streams.client(n, model)) for n, model in enumerate(models)]
    clients.append(asyncio.create_task(kept.run()))
    while not (folder.path / OVER).exists():
        done, _ = await asyncio.wait(clients, timeout=LOOK_S, return_when="FIRST_EXCEPTION")
        for task in done:
            task.result()
    streams.is_over = kept.is_over = True
    await asyncio.gather(*clients)
    clock.stop()


if __name__ == "__main__":
    asyncio.run(run(RunFolder(Path(sys.argv[1]))))
