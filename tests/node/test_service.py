"""The agent as a service: the commands to the system, their order, and their results."""

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from entraide.system_service.manager import (
    CommandResult,
    LaunchdManager,
    SystemdManager,
    run_system_command,
)
from entraide.system_service.units import (
    FINAL_STATUS,
    ServiceState,
    ServiceUnit,
    launchd_plist,
    launchd_state,
    systemd_unit,
)
from entraide.wire.enrolment import JoinSecret
from entraide_node import logs, pool_address, service_commands
from entraide_node.config import NodeConfig
from entraide_node.engines.process import LOG_BYTES_MAX
from entraide_node.pool_http import PoolClient
from entraide_node.service import make_service

ODD = '/home/été/my "node" $HOME 100% \\'


def service(folder: str = "/home/a/node", *, default: str = "/home/a/node") -> ServiceUnit:
    """The service of a node."""
    return make_service(Path(folder), node="mini", drain_s=30.0, default=Path(default), logs=False)


class System:
    """The commands of a system: records them, and answers as the test sets."""

    def __init__(self, answers: dict[str, CommandResult] | None = None) -> None:
        self.asked: list[str] = []
        self._answers = answers or {}

    def __call__(self, command: tuple[str, ...]) -> CommandResult:
        """Answers the first of the test's answers whose words stand in the command."""
        said = " ".join(command)
        self.asked.append(said)
        answers = (answer for words, answer in self._answers.items() if words in said)
        return next(answers, CommandResult(0, ""))


def test_one_service_for_each_folder() -> None:
    """The default folder has the plain name; another folder's service has a suffix."""
    usual, other = service(), service("/home/a/second")

    assert "entraide-node" == usual.name
    assert usual.name != other.name
    assert other.name == service("/home/a/second").name
    assert usual.label != other.label


def test_unit() -> None:
    """The unit starts this very Python, comes back, and leaves the agent the time to end."""
    unit = systemd_unit(service()).splitlines()

    assert (
        f'ExecStart="{sys.executable}" "-P" "-m" "entraide_node" "run" "--dir" "/home/a/node"'
        in unit
    )
    assert {"Restart=on-failure", "TimeoutStopSec=45", "WantedBy=default.target"} <= set(unit)
    assert f"RestartPreventExitStatus={FINAL_STATUS}" in unit


def test_plist() -> None:
    """launchd's property list says the same."""
    properties = plistlib.loads(launchd_plist(service()))

    assert [
        sys.executable,
        "-P",
        "-m",
        "entraide_node",
        "run",
        "--dir",
        "/home/a/node",
    ] == properties["ProgramArguments"]
    assert {"SuccessfulExit": False} == properties["KeepAlive"]
    assert (45, True) == (properties["ExitTimeOut"], properties["RunAtLoad"])


def test_where_the_log_goes() -> None:
    """If the system keeps no log, the agent writes its own."""
    folder = Path("/home/a/node")
    kept, own = (
        make_service(folder, node="mini", drain_s=1.0, default=folder, logs=logs)
        for logs in (False, True)
    )

    assert (*kept.command, "--log") == own.command


def test_odd_folders() -> None:
    """A folder's name with special characters is passed on unchanged."""
    odd = service(ODD)

    assert ODD == plistlib.loads(launchd_plist(odd))["ProgramArguments"][-1]
    assert '"/home/été/my \\"node\\" $$HOME 100%% \\\\"' in systemd_unit(odd)


if shutil.which("systemd-analyze"):

    @pytest.mark.parametrize("folder", ["/home/a/node", ODD])
    def test_systemd_accepts_the_unit(folder: str, tmp_path: Path) -> None:
        """systemd's own checker finds nothing to say against the unit."""
        path = tmp_path / "entraide-node.service"
        path.write_text(systemd_unit(service(folder)), "utf-8")
        command = ["systemd-analyze", "verify", "--user", str(path)]
        env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)

        assert (0, "") == (done.returncode, done.stderr)


def test_systemd_installs_and_removes(tmp_path: Path) -> None:
    """Installing writes the unit, enables and starts it; removing undoes all of it."""
    system = System()
    manager = SystemdManager(system, units=tmp_path / "user")
    installed = manager.install(service())
    there = (tmp_path / "user/entraide-node.service").exists()
    asked = [*system.asked]
    removed = manager.remove(service())

    assert ("", True, "") == (installed, there, removed)
    assert [
        "systemctl --user daemon-reload",
        "systemctl --user enable entraide-node.service",
        "systemctl --user restart entraide-node.service",
    ] == asked
    assert "systemctl --user disable --now entraide-node.service" in system.asked
    assert not (tmp_path / "user/entraide-node.service").exists()


def test_systemd_refuses(tmp_path: Path) -> None:
    """The system's error text is returned."""
    system = System({"enable": CommandResult(1, "Failed to enable unit: access denied\n")})

    assert "Failed to enable unit: access denied" == SystemdManager(system, units=tmp_path).install(
        service()
    )


ACTIVE = {
    "active": ServiceState.RUNNING,
    "activating": ServiceState.RUNNING,
    "inactive": ServiceState.STOPPED,
    "failed": ServiceState.FAILED,
    "deactivating": ServiceState.STOPPED,
    "": ServiceState.STOPPED,
}


@pytest.mark.parametrize("word", ACTIVE)
def test_systemd_states(word: str, tmp_path: Path) -> None:
    """systemd's word for a unit is read as ours; without a unit file there is no service."""
    manager = SystemdManager(System({"ActiveState": CommandResult(0, f"{word}\n")}), units=tmp_path)
    before = manager.state(service())
    (tmp_path / "entraide-node.service").touch()

    assert (ServiceState.ABSENT, ACTIVE[word]) == (before, manager.state(service()))


LINGER = {"no": True, "yes": False}


@pytest.mark.parametrize("word", LINGER)
def test_linger(word: str, tmp_path: Path) -> None:
    """A service that ends with its owner's session is recognised."""
    manager = SystemdManager(System({"Linger": CommandResult(0, f"{word}\n")}), units=tmp_path)
    untold = SystemdManager(System({"Linger": CommandResult(1, "")}), units=tmp_path)

    assert (LINGER[word], False) == (manager.needs_linger(), untold.needs_linger())


def test_launchd_installs_and_removes(tmp_path: Path) -> None:
    """Installing loads the property list into the session; removing takes it out again."""
    system = System()
    manager = LaunchdManager(system, agents=tmp_path, uid=501)
    installed = manager.install(service())
    path = tmp_path / "coop.entraide.node.plist"
    there = path.exists()
    removed = manager.remove(service())

    assert ("", True, "", False) == (installed, there, removed, path.exists())
    assert f"launchctl bootstrap gui/501 {path}" in system.asked
    assert "launchctl bootout gui/501/coop.entraide.node" == system.asked[-2]


def test_launchd_without_a_screen(tmp_path: Path) -> None:
    """Without a session on the screen, the agent runs in the owner's own domain."""
    system = System(
        {"bootstrap gui/": CommandResult(125, "Domain does not support specified action")}
    )
    installed = LaunchdManager(system, agents=tmp_path, uid=501).install(service())

    assert "" == installed
    assert system.asked[-1].startswith("launchctl bootstrap user/501 ")


PRINTED = {
    "running": (
        "\tstate = running\n\tpid = 123\n\tlast exit code = (never exited)\n",
        ServiceState.RUNNING,
    ),
    "stopped": ("\tstate = not running\n\tlast exit code = 0\n", ServiceState.STOPPED),
    "never run": (
        "\tstate = not running\n\tlast exit code = (never exited)\n",
        ServiceState.STOPPED,
    ),
    "failed": ("\tstate = spawn scheduled\n\tlast exit code = 1\n", ServiceState.FAILED),
    "another part's state": (
        "\tstate = running\n\tendpoints = {\n\t\tstate = 0\n\t}\n",
        ServiceState.RUNNING,
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_launchd_states(name: str) -> None:
    """What launchd prints of a service is read as its state."""
    printed, expected = PRINTED[name]

    assert expected == launchd_state(printed)


def test_a_command_that_is_not_there() -> None:
    """A system without the command answers as a shell would, and nothing raises."""
    said = run_system_command(("entraide-no-such-command",))

    assert 127 == said.status
    assert said.text


def test_log_stays_small(tmp_path: Path) -> None:
    """The log in the node's folder is cut at its cap; the one before it is kept."""
    try:
        logs.log_to_folder(tmp_path)
        log = structlog.get_logger("test")
        for number in range(4 * LOG_BYTES_MAX // 60_000):
            log.info("test.line", number=number, text="x" * 60_000)
    finally:
        structlog.reset_defaults()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}

    assert {"agent.log", "agent.log.1"} >= set(sizes)
    assert max(sizes.values()) <= LOG_BYTES_MAX + 61_000
    assert '"event": "test.line"' in (tmp_path / "agent.log.1").read_text("utf-8")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://user:secret@pool.coop/some?x=1", "https://pool.coop"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("pool.coop:7000", "https://pool.coop:7000"),
    ],
)
def test_the_pool_is_remembered_without_a_password(url: str, kept: str, tmp_path: Path) -> None:
    """The address by which a node joined is kept, and nothing secret in it."""
    pool = PoolClient(url, secret=JoinSecret("join_abc"))
    pool_address.save_pool_address(tmp_path, pool.url, public_certificate=pool.trusts_system)
    address = pool_address.read_pool_address(tmp_path)

    assert (kept, kept.startswith("https")) == (address.url, address.public_certificate)
    assert "" == pool_address.read_pool_address(tmp_path / "elsewhere").url


def test_the_command_by_hand(tmp_path: Path) -> None:
    """Without a service, the command that starts the agent of this folder is shown."""
    config = NodeConfig(node="mini", coop="c", zone="CA-QC", nats_urls=(), dir=str(tmp_path))

    assert f"entraide node run --dir {tmp_path}" == service_commands.run_command(config)
    assert (
        service_commands.run_command(config)
        == service_commands.report_service(config, None).command
    )
