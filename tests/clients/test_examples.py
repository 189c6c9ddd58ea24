"""The programs in ``examples/``, in both languages, run as they are against a pool with engines."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest
from tests.clients.environments import node_folder
from tests.clients.pool import ClientPool
from tests.clients.table import ROOT

EXAMPLES = ROOT / "examples"
NAMES = ("batch", "chat", "embeddings", "options")
LANGUAGES = ("openai-python", "openai-js")

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

# What each prints, as lines.
EXPECTED = {
    "batch": r"(?s)batch_\w+: validating\n.*batch_\w+: completed\n.*Les lignes ont consommé .*\sWh",
    "chat": (
        r"(.*\n)+machine: n1, in CA-QC\nenergy: [\d.]+ Wh, emissions: [\d.]+ g CO2e\n"
        r"tokens: \d+ read, \d+ written\n$"
    ),
    "embeddings": r"0\.\d\d  Le boulanger .*\n0\.\d\d  .*\n0\.\d\d  .*\n$",
    "options": (
        r"(.*\n)+computed in CA-QC\nPlaced on n1 .*\n.*503.* The pool’s server.* outside .*Yukon"
    ),
}


async def run(pool: ClientPool, client: str, name: str, home: Path) -> str:
    """What an example prints; one in JavaScript finds the client beside itself."""
    if client == "openai-python":
        return await pool.run(sys.executable, EXAMPLES / f"{name}.py", home=home, POLL_S="0.2")
    modules = (await asyncio.to_thread(node_folder, client)) / "node_modules"
    home.mkdir()  # noqa: ASYNC240  # at once
    (home / "node_modules").symlink_to(modules)
    program = shutil.copy(EXAMPLES / f"{name}.mjs", home)
    return await pool.run("node", program, home=home, POLL_S="0.2")


@pytest.mark.parametrize("client", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
async def test_an_example_shows_what_it_says(
    pool: ClientPool, client: str, name: str, tmp_path: Path
) -> None:
    """An example ends well, and prints what its readers are told."""
    printed = await run(pool, client, name, tmp_path / "home")

    assert re.match(EXPECTED[name], printed), printed


async def test_a_batch_can_be_read_later(pool: ClientPool, tmp_path: Path) -> None:
    """With the name of a batch, the example starts none and prints that batch's answers."""
    first = await run(pool, "openai-js", "batch", tmp_path / "first")
    batch = first.split(":")[0]
    again = await pool.run(
        sys.executable, EXAMPLES / "batch.py", batch, home=tmp_path / "later", POLL_S="0.2"
    )

    assert again.splitlines()[0] == f"{batch}: completed"
    assert first.splitlines()[-1] == again.splitlines()[-1]


async def test_each_program_is_run() -> None:
    """No example is left that no test runs, and each is there in both languages."""
    programs = {path.name for end in ("py", "mjs") for path in EXAMPLES.glob(f"*.{end}")}

    assert {f"{name}{end}" for name in NAMES for end in (".py", ".mjs")} == programs
