"""A session of systemd's user manager, in namespaces of its own, for tests that need a real one.

It needs root, ``unshare`` and systemd's own program, and nothing of the machine's real session:
all that it starts ends with it.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

SYSTEMD = Path("/usr/lib/systemd/systemd")
READY_S = 30
GROUP = "entraide-test-session"
ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
# Control groups belong to the whole machine, where another worker may try at the same time.
PROBED = f"/sys/fs/cgroup/entraide-test-probe-{os.getpid()}"
PROBE = f"mount -t cgroup2 none /sys/fs/cgroup && mkdir {PROBED} && rmdir {PROBED}"

SETUP = f"""
mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run || exit 1
mkdir -p /run/systemd/system /run/user/0 /sys/fs/cgroup/{GROUP}
chmod 700 /run/user/0
echo $$ > /sys/fs/cgroup/{GROUP}/cgroup.procs
export XDG_RUNTIME_DIR=/run/user/0
unset DBUS_SESSION_BUS_ADDRESS
{SYSTEMD} --user --log-target=null >/dev/null 2>&1 &
for _ in $(seq {READY_S * 10}); do
  systemctl --user is-system-running >/dev/null 2>&1 && break
  sleep 0.1
done
systemctl --user show-environment >/dev/null || exit 1
"""


def can_have_session() -> bool:
    """Whether this machine lets us have one."""
    tools = SYSTEMD.exists() and shutil.which("unshare") and shutil.which("systemctl")
    if not tools or os.geteuid() != 0:
        return False
    tried = subprocess.run(
        ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", PROBE],
        check=False,
        capture_output=True,
    )
    return tried.returncode == 0


class Session:
    """One session; commands run in it one after another."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "HOME": str(home)}
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
            env.pop(name, None)
        self._shell = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", "bash"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=env, start_new_session=True,
        )  # fmt: skip
        status, said = self._ask(SETUP)
        assert status == 0, said

    def run(self, *command: str) -> tuple[int, str]:
        """Runs a command in it; returns its status and all that it wrote."""
        return self._ask(shlex.join(command))

    def entraide(self, *words: str) -> tuple[int, str]:
        """Runs the ``entraide`` command in it."""
        return self.run(sys.executable, "-m", "entraide.cli", "--lang", "en", *words)

    def close(self) -> None:
        """Ends it and all that runs in it."""
        self._shell.kill()
        self._shell.communicate()
        groups = [root / GROUP for root in ROOTS if (root / GROUP).is_dir()]
        deadline = time.monotonic() + READY_S
        while groups and not all(map(_removed, groups)):
            assert time.monotonic() < deadline, "a process of the session is left"
            time.sleep(0.05)

    def _ask(self, script: str) -> tuple[int, str]:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f'{{ {script}\n}} </dev/null\necho "END $?"\n')
        self._shell.stdin.flush()
        said = []
        for line in self._shell.stdout:
            head, mark, status = line.rpartition("END ")
            if mark and status.strip().isdecimal():
                return int(status), "".join([*said, head])
            said.append(line)
        return 1, "".join(said)


def _removed(group: Path) -> bool:
    """Takes a control group away, once nothing runs in it any more."""
    try:
        for folder in sorted(group.rglob("*"), reverse=True):
            if folder.is_dir():
                folder.rmdir()
        if group.is_dir():
            group.rmdir()
    except OSError:
        return False
    return True
