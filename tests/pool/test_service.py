"""The pool as a service: units that systemd accepts, and what the commands say."""

import json
import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.commands import forked_entraide
from tests.pool.support import pool_config

from entraide.system_service.manager import CommandResult, SystemdManager
from entraide.system_service.units import ServiceUnit, launchd_plist, systemd_unit
from entraide_scheduler.pool.config import PoolConfig, PoolHttp
from entraide_scheduler.pool.create import create_pool
from entraide_scheduler.pool.service import make_service


def service(folder: Path, config: PoolConfig | None = None) -> ServiceUnit:
    """The service of a pool in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return make_service(folder, config or pool_config())


def test_unit_starts_this_very_installation(tmp_path: Path) -> None:
    """The unit runs the command with this Python, and leaves the parts the time to end."""
    unit = systemd_unit(service(tmp_path / "pool"), system=True).splitlines()
    words = ("-P", "-m", "entraide.cli", "--lang", "fr", "pool", "run", str(tmp_path / "pool"))

    assert "ExecStart=" + " ".join(f'"{word}"' for word in (sys.executable, *words)) in unit
    assert {
        "Restart=on-failure",
        "TimeoutStopSec=45",
        "LimitNOFILE=65536",
        "WantedBy=multi-user.target",
    } <= set(unit)


def test_low_port_is_allowed_where_it_is_configured(tmp_path: Path) -> None:
    """Only a pool on port 443 gets the right to such ports, and only from the system."""
    low = msgspec.structs.replace(pool_config(), http=PoolHttp(port=443))
    right = "AmbientCapabilities=CAP_NET_BIND_SERVICE"

    assert right in systemd_unit(service(tmp_path / "low", low), system=True)
    assert right not in systemd_unit(service(tmp_path / "low", low))
    assert right not in systemd_unit(service(tmp_path / "high"), system=True)


def test_each_directory_has_its_service(tmp_path: Path) -> None:
    """Two pools of one machine have two services, whatever their names are."""
    names = {service(tmp_path / name).name for name in ("a", "b", "été", "with space")}

    assert 4 == len(names)


def test_property_list_says_the_same(tmp_path: Path) -> None:
    """launchd keeps the pool running, with enough files."""
    properties = plistlib.loads(launchd_plist(service(tmp_path / "pool")))

    assert str(tmp_path / "pool") == properties["ProgramArguments"][-1]
    assert (45, True) == (properties["ExitTimeOut"], properties["RunAtLoad"])
    assert {"NumberOfFiles": 65_536} == properties["SoftResourceLimits"]


if shutil.which("systemd-analyze"):

    @pytest.mark.parametrize("system", [True, False])
    def test_systemd_accepts_the_unit(tmp_path: Path, *, system: bool) -> None:
        """systemd's own checker finds nothing to say against the unit."""
        low = msgspec.structs.replace(pool_config(), http=PoolHttp(port=443))
        made = service(tmp_path / 'parc "100%" à $HOME', low)
        path = tmp_path / f"{made.name}.service"
        path.write_text(systemd_unit(made, system=system), "utf-8")
        scope = "--system" if system else "--user"
        done = subprocess.run(
            ["systemd-analyze", "verify", scope, str(path)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        )

        assert (0, "") == (done.returncode, done.stderr)


def test_system_manager_speaks_for_the_system(tmp_path: Path) -> None:
    """Root's commands go to the system's manager, and need no lingering session."""
    asked: list[str] = []

    def run(command: tuple[str, ...]) -> CommandResult:
        asked.append(" ".join(command))
        return CommandResult(0, "")

    manager = SystemdManager(run, units=tmp_path / "units", system=True)
    made = service(tmp_path / "pool")
    problem = manager.install(made)

    assert "" == problem
    assert [
        "systemctl daemon-reload",
        f"systemctl enable {made.name}.service",
        f"systemctl restart {made.name}.service",
    ] == asked
    assert not manager.needs_linger()


def test_commands_say_where_there_is_no_service(tmp_path: Path) -> None:
    """Status and removal of a service that was never installed say so, without an error."""
    state = tmp_path / "pool"
    create_pool(state, pool_config())
    status = forked_entraide("pool", "service", "status", str(state), "--json")
    removed = forked_entraide("pool", "service", "remove", str(state))

    assert (0, "absent") == (status.returncode, json.loads(status.stdout)["state"])
    assert (0, "This pool has no service.\n") == (removed.returncode, removed.stdout)


def test_directory_without_a_pool_is_refused(tmp_path: Path) -> None:
    """No unit is written for a directory that has no pool."""
    done = forked_entraide("pool", "service", "install", str(tmp_path))

    assert 1 == done.returncode
    assert "entraide pool create" in done.stderr
