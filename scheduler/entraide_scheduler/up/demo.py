"""Demonstration: a request from Alberta runs on the machine with the lowest emissions of three.

Starts the demo pool, sends a request in French through the SDK, prints the receipt and the
explanation, sets Ontario's solar surplus to 0, repeats the request, and stops the pool.
"""

import argparse
import asyncio
import hashlib
import os
import sys
import time
from pathlib import Path

import platformdirs
from rich.console import Console

from entraide import i18n
from entraide.client import AsyncClient
from entraide.errors import EntraideError
from entraide.files import PRIVATE_UMASK
from entraide_scheduler.core.snapshot import VERSION
from entraide_scheduler.nats.keyfiles import make_private_home
from entraide_scheduler.store.schema import metadata
from entraide_scheduler.supervision.logs import log_to_file
from entraide_scheduler.supervision.poolfile import PoolFile
from entraide_scheduler.up.pool import LocalPool, PoolOptions

# A prompt to which the toy model gives readable French at temperature 0: it can only copy.
QUESTION = (
    "Résume en une phrase : Une coopérative appartient à ses membres, qui la dirigent ensemble."
)
TOKENS_MAX = 48
ASKING = "prairie"
SUNNY = 2  # number of the Ontario node
SUN_GONE_TIMEOUT_S = 20.0


async def run_demo(options: PoolOptions, console: Console) -> None:
    """Runs the demonstration on a pool of its own."""
    lang = options.lang

    def report(code: str, **values: str) -> None:
        console.print(f"[dim]{i18n.text(code, lang, **values)}[/dim]", soft_wrap=True)

    console.print(f"[bold]{i18n.text('demo-title', lang)}[/bold]", soft_wrap=True)
    if not options.model:
        console.print(f"[yellow]{i18n.text('demo-toy', lang)}[/yellow]", soft_wrap=True)
    pool = LocalPool(options, report)
    try:
        running = await pool.start()
        await ask_question(running, console, lang)
        console.print()
        report("demo-sun-gone")
        await pool.declare_surplus(SUNNY, 0.0)
        await _until_sun_gone(pool)
        await ask_question(running, console, lang)
    finally:
        report("up-stopping")
        await pool.stop()


async def ask_question(pool: PoolFile, console: Console, lang: str) -> None:
    """Sends the request and prints the answer, the receipt and the explanation."""
    async with AsyncClient(pool.grpc, key=pool.keys[ASKING], lang=lang) as client:
        models = await client.models()
        console.print(f"\n[bold]{ASKING} ›[/bold] {QUESTION}", soft_wrap=True)
        async with client.stream(
            QUESTION, model=models[0].model, max_output_tokens=TOKENS_MAX, temperature=0.0
        ) as answer:
            async for piece in answer:
                console.print(piece, end="", markup=False, highlight=False, soft_wrap=True)
            receipt, job = answer.receipt, answer.job
        console.print()
        assert receipt is not None
        console.print(f"[green]{i18n.receipt_line(receipt, lang)}[/green]", soft_wrap=True)
        console.print(
            (await client.explain(job)).text, markup=False, highlight=False, soft_wrap=True
        )


async def _until_sun_gone(pool: LocalPool) -> None:
    deadline = time.monotonic() + SUN_GONE_TIMEOUT_S
    while any(node.surplus_w > 0 for node in await pool.list_nodes()):
        if time.monotonic() > deadline:
            raise TimeoutError("the scheduler did not receive the surplus of 0 W")
        await asyncio.sleep(0.1)


def _default_state() -> Path:
    """Returns a directory for the present formats: a demonstration's state is not migrated."""
    tables = [(table.name, *table.columns.keys()) for table in metadata.sorted_tables]
    schema = hashlib.sha256(repr(tables).encode()).hexdigest()[:8]
    return Path(platformdirs.user_cache_dir("entraide")) / f"demo-{VERSION}-{schema}"


def main() -> int:
    """Entry point of ``make demo``; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--model", default="")
    parser.add_argument("--state", type=Path, default=None)
    parser.add_argument(
        "--lang", choices=i18n.LANGUAGES, default=i18n.lang_of_environment(os.environ)
    )
    options_given = parser.parse_args()
    state = options_given.state or _default_state()
    os.umask(PRIVATE_UMASK)
    log_to_file(make_private_home(state) / "logs" / "up.log")
    console = Console()
    options = PoolOptions(state=state, model=options_given.model, lang=options_given.lang)
    try:
        asyncio.run(run_demo(options, console))
    except EntraideError as problem:
        sentence = i18n.error(problem.code, options_given.lang, problem.values)
        sys.stderr.write(f"{sentence}\n{problem.message}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
