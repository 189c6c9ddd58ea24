"""The doctor: its checks, their severity, and that its output contains no secret."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.cases import all_cases
from tests.integration.nats_support import NatsPool
from tests.node.support import NODE, Peer, ScriptedEngine, configure, serving
from tests.waiting import eventually

from entraide.event_loop import run_event_loop
from entraide.system_service.units import ServiceState
from entraide.versions import is_older
from entraide.wire.messages import Goodbye, Hello, HelloRequest
from entraide.wire.reachability import Reach, probe
from entraide_node import keys
from entraide_node.config import Attach, NodeConfig, dump_config
from entraide_node.doctor import node_checks
from entraide_node.doctor.cli_output import report_check
from entraide_node.doctor.inspection import inspect_node
from entraide_node.doctor.node_checks import Check, Level
from entraide_node.engine_config import NoEngine, Vllm
from entraide_node.owner import files as owner_files
from entraide_node.pool_address import PoolAddress, save_pool_address
from entraide_node.update_command import TRUSTED, find_update_command

GIB = 2**30
DAY_S = 86_400.0

JUDGED = {
    "a fresh identity": (node_checks.check_identity(29.5 * DAY_S), "ok", Level.OK),
    "an identity for ever": (node_checks.check_identity(float("inf")), "ok", Level.OK),
    "an identity that was not renewed": (node_checks.check_identity(DAY_S), "expiring", Level.WARN),
    "an identity that is over": (node_checks.check_identity(-1.0), "expired", Level.FAIL),
    "one agent": (node_checks.check_duplicate_agent(1), "ok", Level.OK),
    "two agents": (node_checks.check_duplicate_agent(5), "two", Level.FAIL),
    "a clock that agrees": (node_checks.check_clock(-0.4), "ok", Level.OK),
    "a clock two hours ahead": (node_checks.check_clock(7_200.0), "off", Level.WARN),
    "a clock that is behind": (node_checks.check_clock(-3.0), "off", Level.WARN),
    "a clock not compared": (node_checks.check_clock(None), "unknown", Level.OK),
    "an older version": (
        node_checks.check_version("0.1.0", "0.2.0", update={"command": "up"}),
        "older",
        Level.WARN,
    ),
    "the pool's version": (
        node_checks.check_version("0.2.1", "0.2.0", running="0.2.1"),
        "ok",
        Level.OK,
    ),
    "an agent that an update left behind": (
        node_checks.check_version(
            "0.2.0", "0.2.0", running="0.1.0", restart={"service": "none", "command": "run"}
        ),
        "restart",
        Level.WARN,
    ),
    "a silent pool": (
        node_checks.check_version("0.2.1", ""),
        "unknown",
        Level.OK,
    ),
    "room on the disk": (node_checks.check_disk(80 * 10**9), "ok", Level.OK),
    "little room": (node_checks.check_disk(3 * 10**9), "low", Level.WARN),
    "no room": (node_checks.check_disk(10**8), "full", Level.FAIL),
    "a service that runs": (
        node_checks.check_service("systemd", ServiceState.RUNNING, linger=False, running=True),
        "ok",
        Level.OK,
    ),
    "a service that ends with the session": (
        node_checks.check_service("systemd", ServiceState.RUNNING, linger=True, running=True),
        "linger",
        Level.WARN,
    ),
    "a service that failed": (
        node_checks.check_service("launchd", ServiceState.FAILED, linger=False, running=False),
        "failed",
        Level.FAIL,
    ),
    "a service that was stopped": (
        node_checks.check_service("launchd", ServiceState.STOPPED, linger=False, running=False),
        "stopped",
        Level.FAIL,
    ),
    "no service": (
        node_checks.check_service("systemd", ServiceState.ABSENT, linger=True, running=True),
        "absent",
        Level.WARN,
    ),
    "nothing keeps services, and the agent runs": (
        node_checks.check_service("", ServiceState.ABSENT, linger=False, running=True),
        "none",
        Level.OK,
    ),
    "nothing keeps services, and no agent": (
        node_checks.check_service("", ServiceState.ABSENT, linger=False, running=False),
        "none",
        Level.WARN,
    ),
    "a recorded zone": (node_checks.check_zone("n", "CA-QC", missing=False), "ok", Level.OK),
    "no recorded zone": (node_checks.check_zone("n", "", missing=True), "missing", Level.WARN),
    "a meter": (node_checks.check_meter("rapl", aside="", fault=""), "ok", Level.OK),
    "no meter": (node_checks.check_meter("catalogue", aside="", fault=""), "catalogue", Level.OK),
    "a meter put aside": (
        node_checks.check_meter("rapl", aside="plug_mqtt", fault="silent"),
        "aside",
        Level.WARN,
    ),
}
MEMORY = {
    "fits": (16, 8, 4, False, "ok", Level.OK),
    "fits but is taken now": (16, 3, 4, False, "taken", Level.WARN),
    "is loaded already": (16, 3, 4, True, "ok", Level.OK),
    "can never fit": (16, 16, 15, False, "small", Level.FAIL),
}


@all_cases("name", JUDGED)
@all_cases("lang", ["fr", "en"])
def test_judgements(name: str, lang: str) -> None:
    """Each finding is as bad as it is, and has a whole sentence in both languages."""
    check, code, level = JUDGED[name]
    words = report_check(check, lang)

    assert (code, level) == (check.code, check.level)
    assert words.sentence != f"doctor-{check.name}-{check.code}"
    assert "⟨" not in words.sentence + words.mend
    assert bool(words.mend) or level is Level.OK or check.code == "none"


@pytest.mark.parametrize("name", MEMORY)
def test_memory(name: str) -> None:
    """Models that cannot fit are a failure; models that do not fit now are a warning."""
    total, free, weights, running, code, level = MEMORY[name]
    check = node_checks.check_memory(
        total_bytes=total * GIB, free_bytes=free * GIB, weights_bytes=weights * GIB, running=running
    )

    assert (code, level) == (check.code, check.level)


VERSIONS = {
    ("0.1.0", "0.2.0"): True,
    ("0.9.0", "1.0.0"): True,
    ("0.10.0", "0.9.0"): False,
    ("0.2.0", "0.2.9"): True,
    ("0.2.9", "0.2.0"): False,
    ("0.1.0.dev99+g9a0461c6", "0.1.0.dev100+g07cd2b1e"): True,
    ("0.1.0.dev100+g07cd2b1e", "0.1.0.dev100+g9a0461c6"): False,
    ("0.1.0.dev100+g07cd2b1e", "0.1.0"): True,
    ("0.1.0", "0.1.0.dev100+g07cd2b1e"): False,
    ("0.2.0", ""): False,
    ("?", "0.2.0"): False,
}


@pytest.mark.parametrize(("mine", "pools"), VERSIONS)
def test_versions(mine: str, pools: str) -> None:
    """Versions are numbers, not text; in a release line, the one with fewer commits is older."""
    assert VERSIONS[mine, pools] == is_older(mine, pools)


PIN = "-_" + "p" * 41


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (
            PoolAddress("https://127.0.0.1:2", public_certificate=True),
            "curl -fsS https://127.0.0.1:2/install.sh | sh -s -- 'https://127.0.0.1:2/install'",
        ),
        (
            PoolAddress("https://127.0.0.1:1", key_pin=PIN),
            (
                f"curl -fsS --insecure --pinnedpubkey 'sha256//+/{'p' * 41}=' "
                f"https://127.0.0.1:1/install.sh | sh -s -- 'https://127.0.0.1:1/install#..{PIN}'"
            ),
        ),
        (
            PoolAddress("https://127.0.0.1:2"),
            (
                "curl -fsS --cacert {folder}/ca.pem https://127.0.0.1:2/install.sh"
                " | sh -s -- --cacert {folder}/ca.pem 'https://127.0.0.1:2/install'"
            ),
        ),
        (PoolAddress("http://127.0.0.1:8080"), ""),
    ],
)
def test_the_line_that_updates_checks_the_pool(
    address: PoolAddress, line: str, tmp_path: Path
) -> None:
    """It is the invitation's line without a token: by pin, by certificate, or by the pool's CA."""
    save_pool_address(
        tmp_path, address.url, public_certificate=address.public_certificate,
        key_pin=address.key_pin,
    )  # fmt: skip

    assert line.replace("{folder}", str(tmp_path)) == find_update_command(tmp_path).get(
        "command", ""
    )


def test_a_machine_that_trusts_a_release_updates_by_releases(tmp_path: Path) -> None:
    """Its pool is not asked; the command names the folder, unless it is the account's own."""
    save_pool_address(tmp_path, "https://127.0.0.1:1", public_certificate=True)
    (tmp_path / TRUSTED).mkdir()

    expected = {"command": f"entraide node upgrade --dir '{tmp_path}'"}
    assert expected == find_update_command(tmp_path)


def joined(bus: NatsPool, folder: Path, **fields: object) -> NodeConfig:
    """A node whose folder is as joining leaves it."""
    config = configure(bus, folder, **{"engine": NoEngine(), **fields})
    (folder / "node.toml").write_text(dump_config(config), "utf-8")
    return config


def found(checks: tuple[Check, ...]) -> dict[str, str]:
    """What was found, by what was looked at."""
    return {check.name: check.code for check in checks}


async def test_a_node_that_does_not_run(bus: NatsPool, tmp_path: Path) -> None:
    """A sound node without a running agent has one warning."""
    joined(bus, tmp_path / "node")
    checks = await inspect_node(tmp_path / "node", listen_s=0.1)

    assert not node_checks.has_failure(checks)
    assert "absent" == found(checks)["agent"]
    assert ("plain", "ok") == (found(checks)["bus"], found(checks)["twin"])
    assert ("readable", True) == (found(checks)["terms"], "presence" in found(checks))


async def test_the_visit_disturbs_nobody(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A running agent stays connected and sends no new hello during an inspection."""
    folder = tmp_path / "node"
    config = joined(bus, folder)
    async with serving(config, ScriptedEngine()):
        await eventually(
            lambda: (s := owner_files.read_status(folder, now=time.time())) and s.welcomed
        )
        checks = await inspect_node(folder, listen_s=0.3)
        still = owner_files.read_status(folder, now=time.time())

        assert still is not None
        assert (True, True) == (still.connected, still.welcomed)
        assert [] == peer.said(Goodbye)
        assert 1 == len({hello.boot for hello in peer.said(Hello)})
        assert "ok" == found(checks)["agent"]


async def test_two_agents_with_one_identity(bus: NatsPool, peer: Peer, tmp_path: Path) -> None:
    """A pool that keeps asking for a hello shows that two agents share an identity."""
    joined(bus, tmp_path / "node")
    visiting = asyncio.create_task(inspect_node(tmp_path / "node", listen_s=1.0))
    while not visiting.done():
        await peer.tell(HelloRequest())
        await asyncio.wait({visiting}, timeout=0.1)
    checks = await visiting

    assert "two" == found(checks)["twin"]
    assert node_checks.has_failure(checks)


async def test_an_identity_that_the_bus_refuses(bus: NatsPool, tmp_path: Path) -> None:
    """A revoked node is reported as refused, and not as a second agent."""
    folder = tmp_path / "node"
    joined(bus, folder)
    seed = keys.read_identity(folder).seed
    stranger, _ = NatsPool(tmp_path / "other").new_node(NODE)
    keys.save_identity(folder, keys.StoredIdentity(node=NODE, jwt=stranger.jwt, seed=seed))
    checks = await inspect_node(folder, listen_s=0.1)
    bus_check = next(check for check in checks if check.name == "bus")

    assert "bus_refused" == report_check(bus_check, "en").code
    assert "twin" not in found(checks)


@contextlib.contextmanager
def dropping_port() -> Iterator[str]:
    """A port to which the system drops new connections: nobody accepts, and its queue is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"nats://127.0.0.1:{server.getsockname()[1]}"


async def test_a_network_that_drops_packets_is_named(bus: NatsPool, tmp_path: Path) -> None:
    """The doctor tells a dropped port from a refused one, and which other way the node takes."""
    with dropping_port() as dropping:
        urls = {
            "fallback": (dropping, bus.url),
            "dropped": (dropping,),
            "refused": ("nats://127.0.0.1:1",),
            "unknown_name": ("nats://no.invalid",),
        }
        for name, servers in urls.items():
            joined(bus, tmp_path / name, nats_urls=servers)
        inspections = (inspect_node(tmp_path / name, listen_s=0.1) for name in urls)
        results = await asyncio.gather(*inspections)
    of_bus = {
        name: next(check for check in result if check.name == "bus")
        for name, result in zip(urls, results, strict=True)
    }
    sentences = {name: report_check(check, "en") for name, check in of_bus.items()}

    assert {name: name for name in urls} == {name: check.code for name, check in of_bus.items()}
    assert (
        f"drops what goes to {dropping.removeprefix('nats://')}" in sentences["fallback"].sentence
    )
    assert bus.url in sentences["fallback"].sentence
    assert all(each.mend for name, each in sentences.items() if name != "fallback")


def test_a_probe_works_on_the_agents_event_loop() -> None:
    """The commands run on uvloop where it is there, which lacks some of asyncio's arguments."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"nats://localhost:{server.getsockname()[1]}"

        assert {url: Reach.OPEN} == run_event_loop(probe((url,)))


async def test_nobody_there(tmp_path: Path) -> None:
    """A folder without a node is reported, with the next step."""
    checks = await inspect_node(tmp_path)

    assert {"config": "absent"} == found(checks)
    assert "entraide node join" in report_check(checks[0], "en").mend


async def test_a_configuration_that_cannot_be_read(bus: NatsPool, tmp_path: Path) -> None:
    """An unknown key is named, and the rest is left alone."""
    folder = tmp_path / "node"
    joined(bus, folder)
    with (folder / "node.toml").open("a", encoding="utf-8") as file:
        file.write("\n[engin]\n")
    checks = await inspect_node(folder)

    assert "engin" in report_check(checks[0], "en").sentence
    assert node_checks.has_failure(checks)


async def test_engines_that_are_not_there(bus: NatsPool, tmp_path: Path) -> None:
    """A server that does not answer, and an environment that was not made, are named."""
    folder = tmp_path / "node"
    attached = Attach(url="http://127.0.0.1:9", model="big", key="sk-secret")
    joined(bus, folder, engine=attached, engines=(Vllm(model="missing"),))
    checks = await inspect_node(folder, listen_s=0.1)
    engines = [report_check(check, "en") for check in checks if check.name == "engine"]

    assert ["engine_unreachable", "environment"] == [engine.code for engine in engines]
    assert "entraide node engine install vllm" == engines[1].mend
    assert "absent" == found(checks)["model"]


async def test_terms_that_cannot_be_used(bus: NatsPool, tmp_path: Path) -> None:
    """The line of the owner's file that is wrong is named; the node may work all the same."""
    folder = tmp_path / "node"
    joined(bus, folder)
    (folder / "owner.toml").write_text('hours = ["sometimes"]\n', "utf-8")
    checks = await inspect_node(folder, listen_s=0.1)
    terms = next(check for check in checks if check.name == "terms")

    assert Level.WARN is terms.level
    assert "sometimes" in report_check(terms, "en").sentence
    assert not node_checks.has_failure(checks)


async def test_no_secret_is_told(bus: NatsPool, tmp_path: Path) -> None:
    """The doctor's output contains no key, token, seed or password."""
    folder = tmp_path / "node"
    joined(bus, folder, engine=Attach(url="http://127.0.0.1:9", model="big", key="sk-secret"))
    identity = keys.read_identity(folder)
    checks = await inspect_node(folder, listen_s=0.1)
    said = msgspec.json.encode(
        [report_check(check, lang) for check in checks for lang in ("fr", "en")]
    )

    for secret in ("sk-secret", identity.seed, identity.jwt):
        assert secret.encode() not in said
