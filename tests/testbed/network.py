"""Network of a testbed: namespaces for a pool's host, members' sites behind routers, and a client.

::

    pool 198.51.100.10 ──┐            ┌── router a ── site a 192.168.1.10
                         ├─ internet ─┤
    client 198.51.100.40 ┘            └── router b ── site b 192.168.1.10

The routers translate addresses as home routers do (``masquerade``), so that both sites may use the
same private addresses and nobody outside can open a connection to them. No namespace reaches the
machine's own network. Names contain the process id of the run: runs at the same time do not meet,
and a run removes what a killed one left behind.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import psutil

PREFIX = "entraide-tb"
FOLDER = Path("/etc/netns")  # `ip netns exec` binds files of FOLDER/NAME over those of /etc
TEMPORARY = Path(tempfile.gettempdir())  # has the hosts' home folders
MASQUERADE = Path(__file__).with_name("masquerade.py")
POOL_NAME = "pool.example.coop"
POOL_ADDRESS = "198.51.100.10"
CLIENT_ADDRESS = "198.51.100.40"
SPARE_ADDRESS = "198.51.100.11"
ROUTER_ADDRESS = "198.51.100.2{number}"
SITE_ADDRESS, GATEWAY_ADDRESS = "192.168.1.10", "192.168.1.1"
SITES = ("a", "b")
PLUGGED = {"pool": POOL_ADDRESS, "client": CLIENT_ADDRESS}  # hosts without a router
ALLOWED, REST = "100", "200"  # order of a router's rules
PROBE = f"{PREFIX}-probe-{{pid}}"


def find_obstacle() -> str:
    """Returns why this machine cannot have such a network; "" where it can."""
    if not sys.platform.startswith("linux") or shutil.which("ip") is None:
        return "`ip` of Linux is missing"
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    probe = PROBE.format(pid=os.getpid())
    made = _try("ip", "netns", "add", probe)
    if made:
        return made
    try:
        return _try("ip", "netns", "exec", probe, sys.executable, str(MASQUERADE), "inside")
    finally:
        _try("ip", "netns", "del", probe)


def _try(*command: str) -> str:
    """Runs a command; returns the last line of its error output, or ""."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines() or [f"status {done.returncode}"]
    return lines[-1] if done.returncode else ""


class Network:
    """The namespaces and their links. ``close`` removes them with all that runs in them.

    A process has at most one at a time.

    Args:
        sites: letters of the members' sites.
        plugged: address of each host that is not behind a router.
    """

    def __init__(
        self, sites: Sequence[str] = SITES, plugged: Mapping[str, str] = MappingProxyType(PLUGGED)
    ) -> None:
        remove_left_behind()
        self._run = run_name()
        self._plugged = plugged
        self._routers = {site: f"router-{site}" for site in sites}
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def namespace(self, host: str) -> str:
        """Name of a host's namespace."""
        return f"{self._run}-{host}"

    def cut(self, site: str) -> None:
        """Cuts the link between a site's router and the internet."""
        self._ip(self._routers[site], "link", "set", "wan", "down")

    def heal(self, site: str) -> None:
        """Connects the site again, as it was."""
        self._ip(self._routers[site], "link", "set", "wan", "up")

    def drop_port(self, site: str, port: int) -> None:
        """Makes a site's router drop the site's TCP packets to a port of the internet."""
        dropped = ("iif", "inside", "ipproto", "tcp", "dport", str(port))
        self._ip(self._routers[site], "rule", "add", *dropped, "blackhole")

    def allow_only_port(self, site: str, port: int) -> None:
        """Makes a site's router drop all that the site sends but TCP packets to a port."""
        router = self._routers[site]
        passes = ("iif", "inside", "ipproto", "tcp", "dport", str(port))
        self._ip(router, "rule", "add", "priority", ALLOWED, *passes, "lookup", "main")
        self._ip(router, "rule", "add", "priority", REST, "iif", "inside", "blackhole")

    def allow_low_ports(self, host: str, port: int) -> None:
        """Lets a host's ordinary accounts listen at a port and above, as its administrator may."""
        setting = f"net.ipv4.ip_unprivileged_port_start={port}"
        subprocess.run(
            ["ip", "netns", "exec", self.namespace(host), "sysctl", "-q", setting], check=True
        )

    def point_pool(self, address: str) -> None:
        """Makes the pool's name lead to an address, from every host."""
        for host in self._hosts():
            path = FOLDER / self.namespace(host) / "hosts"  # written in place: it is mounted
            path.write_text(f"127.0.0.1 localhost\n{address} {POOL_NAME}\n")

    def close(self) -> None:
        """Ends every process in the namespaces, and removes them."""
        remove(self._run)

    def _hosts(self) -> tuple[str, ...]:
        routers, sites = self._routers.values(), map(_site, self._routers)
        return ("internet", *self._plugged, *routers, *sites)

    def _make(self) -> None:
        for host in self._hosts():
            subprocess.run(["ip", "netns", "add", self.namespace(host)], check=True)
            self._ip(host, "link", "set", "lo", "up")
            folder = FOLDER / self.namespace(host)
            folder.mkdir(parents=True)
            (folder / "resolv.conf").write_text("")
        self.point_pool(POOL_ADDRESS)
        self._ip("internet", "link", "add", "switch", "type", "bridge")
        self._ip("internet", "link", "set", "switch", "up")
        for host, address in self._plugged.items():
            self._plug(host, address)
        for number, (site, router) in enumerate(self._routers.items(), start=1):
            self._plug(router, ROUTER_ADDRESS.format(number=number))
            self._make_site(_site(site), router)

    def _plug(self, host: str, address: str) -> None:
        """Connects a host to the internet by an interface ``wan``."""
        self._link(host, "wan", "internet", host)
        self._ip("internet", "link", "set", host, "master", "switch", "up")
        self._address(host, "wan", address)

    def _make_site(self, site: str, router: str) -> None:
        """Connects a site to its router, which forwards and translates its connections."""
        self._link(site, "lan", router, "inside")
        self._address(site, "lan", SITE_ADDRESS)
        self._address(router, "inside", GATEWAY_ADDRESS)
        self._ip(site, "route", "add", "default", "via", GATEWAY_ADDRESS)
        inside = ("ip", "netns", "exec", self.namespace(router))
        subprocess.run([*inside, sys.executable, str(MASQUERADE), "inside"], check=True)
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        subprocess.run([*inside, "sh", "-c", forward], check=True)

    def _link(self, host: str, interface: str, other: str, other_interface: str) -> None:
        ends = (interface, "netns", self.namespace(host))
        peer = (other_interface, "netns", self.namespace(other))
        command = ("ip", "link", "add", *ends, "type", "veth", "peer", "name", *peer)
        subprocess.run(command, check=True)

    def _address(self, host: str, interface: str, address: str) -> None:
        self._ip(host, "address", "add", f"{address}/24", "dev", interface)
        self._ip(host, "link", "set", interface, "up")

    def _ip(self, host: str, *words: str) -> None:
        subprocess.run(["ip", "-n", self.namespace(host), *words], check=True)


def run_name() -> str:
    """The beginning of the names of all that this process makes."""
    return f"{PREFIX}-{os.getpid()}"


def _site(site: str) -> str:
    return f"site-{site}"


def namespaces(prefix: str) -> list[str]:
    """The namespaces of this machine whose names begin so."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    names = [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
    return [name for name in names if name.startswith(prefix)]


def remove(run: str) -> None:
    """Removes the namespaces of a run with their processes, files and home folders."""
    for name in namespaces(f"{run}-"):
        pids = subprocess.run(
            ["ip", "netns", "pids", name], capture_output=True, text=True, check=False
        ).stdout.split()
        processes = [psutil.Process(int(pid)) for pid in pids if psutil.pid_exists(int(pid))]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=10)
        subprocess.run(["ip", "netns", "del", name], check=True)
    for folder in (*FOLDER.glob(f"{run}-*"), *TEMPORARY.glob(f"{run}-*")):
        shutil.rmtree(folder)


def remove_left_behind() -> None:
    """Removes the namespaces of runs whose process has ended."""
    listed = namespaces(f"{PREFIX}-")
    for place in (FOLDER, TEMPORARY):
        listed += [folder.name for folder in place.glob(f"{PREFIX}-*")]
    pids = {name.removeprefix(f"{PREFIX}-").partition("-")[0] for name in listed}
    for pid in pids:
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            remove(f"{PREFIX}-{pid}")
