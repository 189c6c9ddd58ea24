"""A scripted pool and a hub on real ports, and the command line in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace
from tests.node.weights import REPOSITORY, Hub, a_hub, content
from tests.sdk.servicer import ADMIN_KEY, KEYS, Admin, Pool, serving

from entraide import catalogue as documents
from entraide.language import VARIABLES
from entraide.models import ModelEntry

DATA = content(50_000)
SETTINGS = b'{"context": 1}'


class ServedPool(Struct):
    """A scripted pool that listens.

    Attributes:
        address: ``host:port``.
        state: directory with its ``pool.json``.
        pool, admin: its services.
    """

    address: str
    state: Path
    pool: Pool
    admin: Admin


class CliResult(Struct):
    """What one command did."""

    status: int
    out: str
    err: str


Cli = Callable[[Sequence[str]], CliResult]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedPool]:
    """A scripted pool, with its state as ``entraide up`` would write it."""
    pool, admin = Pool(), Admin()
    with serving(pool, admin) as address:
        pool_file = {
            "http": "http://127.0.0.1:1",
            "grpc": address,
            "nats": "nats://127.0.0.1:1",
            "admin_key": ADMIN_KEY,
            "keys": {coop: key for key, coop in KEYS.items()},
            "pids": {"up": 1},
        }
        (tmp_path / "pool.json").write_bytes(msgspec.json.encode(pool_file))
        yield ServedPool(address, tmp_path, pool, admin)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs ``entraide`` with some arguments, no pool of this machine in sight."""
    from entraide.cli import main

    for name in ("ENTRAIDE_URL", "ENTRAIDE_KEY", "ENTRAIDE_ADMIN_KEY", "ENTRAIDE_CA"):
        monkeypatch.delenv(name, raising=False)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def run(arguments: Sequence[str]) -> CliResult:
        with pytest.raises(SystemExit) as exit_info:
            main(arguments)
        captured = capsys.readouterr()
        assert isinstance(exit_info.value.code, int)
        return CliResult(exit_info.value.code, captured.out, captured.err)

    return run


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch, served: ServedPool) -> AsyncIterator[Hub]:
    """A hub on loopback with one repository, which one model of the catalogue names."""
    files = {"m-Q4_K_M.gguf": DATA, "m-Q8_0.gguf": DATA[1:], "config.json": SETTINGS,
             "model.safetensors": DATA[2:], "original/model.pth": b"x"}  # fmt: skip
    large = ("m-Q4_K_M.gguf", "m-Q8_0.gguf", "model.safetensors")
    entry = of(served, "qwen3-8b")
    artefacts = tuple(replace(artefact, repository=REPOSITORY) for artefact in entry.artefacts)
    served.admin.catalogue = documents.with_entries(
        served.admin.catalogue, replace(entry, artefacts=artefacts)
    )
    async with a_hub(files, large=large) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield running


def of(served: ServedPool, name: str) -> ModelEntry:
    """A model as the pool's catalogue has it now."""
    entry = documents.find(served.admin.catalogue, name)
    assert entry is not None
    return entry


async def pin(cli: Cli, served: ServedPool, *more: str) -> CliResult:
    """Runs the command beside the hub that it asks."""
    arguments = ["models", "pin", "qwen3-8b", "--state", str(served.state), *more]
    return await asyncio.to_thread(cli, arguments)
