"""``pool create``: a whole directory or nothing, and nothing the second time."""

import datetime as dt
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from tests.commands import forked_entraide
from tests.pool.support import HOST, pool_config
from tests.ports import free_ports

from entraide import i18n
from entraide.errors import PoolError
from entraide.types import UNKNOWN_PLACE, ServerPlace
from entraide_scheduler.nats.tls import ensure_files
from entraide_scheduler.pool.config import (
    GATEWAYS_MAX,
    PoolConfig,
    PoolHttp,
    PoolTls,
    check_config,
    load_pool_config,
    scheduler_config,
)
from entraide_scheduler.pool.create import create_pool

FOUND = ["admin.key", "identity", "logs", "pool.toml", "store.db", "tls", "weights"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refusal(state: Path, config: PoolConfig) -> PoolError:
    """The error of a creation, which must leave nothing behind."""
    before = sorted(state.parent.iterdir())
    with pytest.raises(PoolError) as refused:
        create_pool(state, config)

    assert before == sorted(state.parent.iterdir())
    for lang in ("fr", "en"):
        assert i18n.error(refused.value.code, lang, refused.value.values)
    return refused.value


def test_directory_has_all_that_a_pool_needs(tmp_path: Path) -> None:
    """Keys, CA, configuration and store are there, for the operator's account only."""
    made = create_pool(tmp_path / "pool", config := pool_config())

    assert made.is_new
    assert FOUND == sorted(path.name for path in (tmp_path / "pool").iterdir())
    assert config == load_pool_config(tmp_path / "pool")
    assert 0 == sum(
        stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (tmp_path / "pool").rglob("*.key")
    )
    assert 0o700 == stat.S_IMODE((tmp_path / "pool").stat().st_mode)


def test_second_creation_changes_nothing(tmp_path: Path) -> None:
    """An existing pool keeps every byte, and the command says so in both languages."""
    state = tmp_path / "pool"
    create_pool(state, pool_config())
    before = contents(state)
    said = {}
    for lang in ("fr", "en"):
        command = ("pool", "create", str(state), "--name", "Autre", "--address", "localhost")
        said[lang] = forked_entraide(*command, lang=lang).stdout

    assert before == contents(state)
    assert "rien n’a été changé" in said["fr"]
    assert "nothing was changed" in said["en"]


def test_command_says_what_comes_next(tmp_path: Path) -> None:
    """The command names the ports to open and the next commands."""
    http, grpc, bus = map(str, free_ports(3))
    state = tmp_path / "pool"
    done = forked_entraide(
        "pool", "create", str(state), "--name", "Parc", "--address", "localhost",
        "--http-port", http, "--grpc-port", grpc, "--bus-port", bus, lang="fr",
    )  # fmt: skip

    assert (0, "") == (done.returncode, done.stderr)
    assert f"https://localhost:{http}" in done.stdout
    assert f"entraide pool run {state}" in done.stdout
    assert "fr" == load_pool_config(state).lang


def test_a_new_pool_says_where_it_stands(tmp_path: Path) -> None:
    """Without --zone the place is unknown; the command and the file say so, or what is given."""
    said, files = {}, {}
    given = ("--zone", "CA-QC", "--controlled-by", "member")
    for name, options in {"unknown": (), "known": given}.items():
        state, (http, grpc, bus) = tmp_path / name, free_ports(3)
        ports = ("--http-port", str(http), "--grpc-port", str(grpc), "--bus-port", str(bus))
        command = ("pool", "create", str(state), "--name", "Parc", "--address", "localhost")
        said[name] = forked_entraide(*command, *options, *ports, lang="en").stdout
        files[name] = load_pool_config(state)

    assert "at an unknown place, under unknown control" in said["unknown"]
    assert "are refused" in said["unknown"]
    assert "in Quebec, controlled by a member co-op" in said["known"]
    assert "are refused" not in said["known"]
    assert [UNKNOWN_PLACE, ServerPlace("CA-QC", "member")] == [
        each.place.place for each in files.values()
    ]
    assert [UNKNOWN_PLACE] * 2 == [each.backup.place for each in files.values()]


def test_as_many_gateways_as_there_may_be_have_ports_of_their_own() -> None:
    """With the default ports, a pool may have the largest number of gateways."""
    largest = PoolConfig(name="Parc", address="localhost", gateways=GATEWAYS_MAX)

    check_config(largest, Path("pool.toml"))


CHANGES: dict[str, tuple[Callable[[PoolConfig], PoolConfig], str, str]] = {
    "unknown host": (
        lambda c: with_(c, address="no-such-host.invalid"), "pool_address_unknown", ""),
    "address with a scheme": (
        lambda c: with_(c, address="https://a"), "pool_config_refused", "no_host"),
    "empty name": (lambda c: with_(c, name=" "), "pool_config_refused", "name"),
    "unknown time zone": (
        lambda c: with_(c, timezone="Mars/Base"), "pool_config_refused", "timezone"),
    "no gateway": (lambda c: with_(c, gateways=0), "pool_config_refused", "gateways"),
    "one port twice": (
        lambda c: with_(c, http=PoolHttp(port=c.grpc.port)), "pool_config_refused", "port_twice"),
    "half a pair": (
        lambda c: with_(c, tls=PoolTls(cert_file="/a.pem")), "pool_config_refused", "pair"),
    "proxy that can be passed by": (
        lambda c: with_(c, http=PoolHttp(port=c.http.port), tls=PoolTls(proxy=True)),
        "pool_config_refused", "proxy_host"),
    "public address in clear": (
        lambda c: with_(c, http=PoolHttp(port=c.http.port, public="http://a")),
        "pool_config_refused", "public"),
    "missing certificate": (
        lambda c: with_(c, tls=PoolTls(cert_file="/no/a.pem", key_file="/no/a.key")),
        "certificate_unusable", ""),
    "no database": (lambda c: with_(c, database="mysql://a/b"), "store_url_refused", ""),
}  # fmt: skip


def with_(config: PoolConfig, **more: Any) -> PoolConfig:
    """The configuration with other values."""
    return msgspec.structs.replace(config, **more)


@pytest.mark.parametrize("case", CHANGES)
def test_what_is_wrong_is_said_and_nothing_is_made(tmp_path: Path, case: str) -> None:
    """Bad input gives one sentence in both languages, and leaves no file behind."""
    change, code, fault = CHANGES[case]
    problem = refusal(tmp_path / "pool", change(pool_config()))

    assert (code, fault) == (problem.code, problem.values.get("fault", ""))


def test_taken_port_is_named(tmp_path: Path) -> None:
    """A port on which another program listens is refused before anything is made."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        problem = refusal(tmp_path / "pool", with_(pool_config(), http=PoolHttp(HOST, port)))

    assert ("pool_port_taken", "http.port", str(port)) == (
        problem.code,
        problem.values["key"],
        problem.values["port"],
    )


def test_directory_of_others_is_left_alone(tmp_path: Path) -> None:
    """A directory with other files is refused and keeps them."""
    state = tmp_path / "pool"
    state.mkdir()
    (state / "letter.txt").write_text("Bonjour")

    assert "pool_directory_not_empty" == refusal(state, pool_config()).code
    assert ["letter.txt"] == [path.name for path in state.iterdir()]


def test_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    """A given certificate must be valid for the address, now, and belong to its key."""
    other = ensure_files(tmp_path / "other", ["pool.example"])
    own = ensure_files(tmp_path / "own", ["localhost"])
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp()
    old = ensure_files(tmp_path / "old", ["localhost"], now=lambda: long_ago)
    pairs = {
        "other_name": (other.cert, other.key),
        "expired": (old.cert, old.key),
        "": (own.cert, other.key),
    }
    for fault, (cert, key) in pairs.items():
        tls = PoolTls(cert_file=str(cert), key_file=str(key))
        problem = refusal(tmp_path / "pool", with_(pool_config(), tls=tls))

        assert fault == problem.values.get("fault", "")
        assert ("certificate_refused" if fault else "certificate_unusable") == problem.code


def test_scheduler_gets_what_the_operator_wrote(tmp_path: Path) -> None:
    """Members get both addresses of the bus; the pool's CA serves gRPC and the bus."""
    config = pool_config()
    create_pool(tmp_path / "pool", config)
    derived = scheduler_config(config, tmp_path / "pool", bus_url="tls://127.0.0.1:1")
    ca = tmp_path / "pool" / "tls" / "ca.pem"
    leaf = x509.load_pem_x509_certificate((tmp_path / "pool" / "tls" / "server.pem").read_bytes())

    assert (
        f"tls://localhost:{config.bus.port}",
        f"wss://localhost:{config.http.port}/bus",
    ) == derived.nats.node_urls
    assert str(ca) == derived.tls.ca_file == derived.nats.ca_file
    assert f"localhost:{config.grpc.port}" == derived.grpc.public
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.read_bytes()))


def test_file_of_an_operator_is_checked(tmp_path: Path) -> None:
    """An unknown key in ``pool.toml`` is refused, by its name."""
    state = tmp_path / "pool"
    create_pool(state, pool_config())
    path = state / "pool.toml"
    path.write_text("colour = 1\n" + path.read_text())
    with pytest.raises(PoolError) as refused:
        load_pool_config(state)

    assert "config_refused" == refused.value.code
    assert "colour" in str(refused.value.values["detail"])
