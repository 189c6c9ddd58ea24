"""A scripted pool on a real port, and the command line in this process."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from tests.sdk.servicer import ADMIN_KEY, KEYS, Admin, Pool, serving

from entraide.language import VARIABLES


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
