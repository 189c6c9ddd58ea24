"""Federation: a pool that runs on a testbed, its members' machines and a client.

It is made by the commands of the French guides. Site a has no Python: it installs Entraide, with a
Python of its own, from the pool's mirror. Site b's router lets nothing through to
the bus's port, so that its machine reaches the bus through the pool's HTTPS port.
"""

import json
import platform
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from tests.pool.standalone_python import pack_python
from tests.pool.wheelhouse import build_version, repack, repack_installed
from tests.testbed.guides import POOL, Guide
from tests.testbed.hosts import Started, Testbed

from entraide import __version__
from entraide.catalogue import demonstration
from entraide_scheduler.gateway.machines import FOLDER
from entraide_scheduler.pool.mirror import _publish
from entraide_scheduler.pool.mirror_pythons import gather_pythons
from entraide_scheduler.pool.wheel_download import describe_wheel

COOP = {"a": "boreale", "b": "tournesol"}
VOUCHED: dict[str, dict[str, str]] = {
    "a": {},
    "b": {"boreale": "tournesol", "CA-QC": "CA-ON", "Rimouski": "Sudbury"},
}
ZONE = {"a": "CA-QC", "b": "CA-ON"}
BUS_PORT = 4222
WITHOUT_BUS_PORT = "b"
LIVE_S = 120.0


class Federation:
    """The pool, its members' machines and the client, with the guides that made them."""

    def __init__(self, bed: Testbed) -> None:
        self.bed = bed
        self.pool, self.client = bed.hosts["pool"], bed.hosts["client"]
        self.sites = {site: bed.hosts[f"site-{site}"] for site in COOP}
        self.founding, self.inviting = Guide("found-a-pool.fr.md"), Guide("invite.fr.md")
        self.keeping = Guide("backup.fr.md")
        self.agents: dict[str, Started] = {}
        bed.network.drop_port(WITHOUT_BUS_PORT, BUS_PORT)

    def found(self) -> None:
        """Creates the pool, runs it, adds the co-ops, pins a model and gives the client a key.

        Its mirror is filled if a site has to install Entraide from it.
        """
        self.founding.run("create", self.pool)
        if any(site.is_bare for site in self.sites.values()):
            fill_mirror(self.pool.home / "parc" / FOLDER)
            self.pool.own(self.pool.home / "parc" / FOLDER)
        self.run_pool()
        self.founding.run("coops", self.pool)
        self.founding.run("recommend", self.pool)
        self.founding.run("pin", self.pool, **{"qwen3-4b": "smollm2-135m-instruct"})
        self.key = self.founding.run("key", self.pool).out.split()[0]
        self.founding.keep("settings", self.client, key=self.key)
        self.client.write("parc.pem", (self.pool.home / "parc/tls/ca.pem").read_bytes())

    def run_pool(self) -> None:
        """Starts the pool and waits until it is ready."""
        self.process = self.founding.start("run", self.pool)
        ready = (self.pool.home / "parc/pool.json").exists
        self.bed.until(lambda: self.process.has_ended or ready(), "the pool is ready")
        assert not self.process.has_ended, self.pool.logs()

    def install(self, site: str) -> None:
        """Invites a site's machine, which installs Entraide from the pool and joins."""
        if not self.sites[site].is_bare:
            self.join(site)
            return
        self.inviting.run("install", self.sites[site], line=self._invite(site)[1])
        self.run_agent(site)

    def join(self, site: str) -> None:
        """Invites a site's machine, lets it join, and starts its agent."""
        self.inviting.run("join", self.sites[site], link=self._invite(site)[0])
        self.run_agent(site)

    def _invite(self, site: str) -> list[str]:
        """The lines of an invitation: the link, and the line that installs."""
        printed = self.inviting.run("invite", self.pool, **VOUCHED[site]).out
        return [line.strip() for line in printed.splitlines() if "#join_" in line]

    def run_agent(self, site: str) -> None:
        """Starts a site's agent, after the end of an earlier one."""
        if site in self.agents:
            self.agents[site].stop()
        self.agents[site] = self.inviting.start("node", self.sites[site])

    def nodes(self) -> dict[str, Any]:
        """The nodes by their site, as the operator sees them."""
        listed = self.pool.run("entraide nodes list --json --state ~/parc").out
        site = {coop: site for site, coop in COOP.items()}
        return {site[node["coop"]]: node for node in json.loads(listed)}

    def status(self) -> Any:
        """The pool's status for members; None if it does not answer."""
        asked = f"curl --silent --fail --cacert parc.pem --oauth2-bearer {self.key}"
        page = self.client.run(f"{asked} {POOL}/status.json", check=False)
        return json.loads(page.out) if page.status == 0 else None

    def live(self) -> set[str]:
        """Sites whose machine is live and serves a model, as the pool's status says.

        A wait asks often; a command of Entraide's takes much longer to start than ``curl``.
        """
        status = self.status()
        nodes = status["nodes"] if status is not None else []
        live = {node["coop"] for node in nodes if node["state"] == "live" and node["models"]}
        return {site for site, coop in COOP.items() if coop in live}

    def until_live(self, *sites: str) -> None:
        """Waits until the machines of these sites are live, and no others."""
        self.bed.until(lambda: self.live() == set(sites), f"live: {sites}", LIVE_S)

    def ask(self) -> Any:
        """Asks the guide's question by ``curl``; returns the answer."""
        return json.loads(self.founding.run("curl", self.client).out)


def fill_mirror(mirror: Path) -> None:
    """Fills a mirror for this machine, as ``pool mirror`` does from an index.

    The wheels are those of the installed packages, and that of the demonstration's model; the
    build of Python is made of the Python that runs the tests.
    """
    platform_name = f"linux-{platform.machine()}"
    target = f"{platform_name}-{sys.version_info.major}.{sys.version_info.minor}"
    mirror.mkdir(mode=0o700)
    with tempfile.TemporaryDirectory(dir=mirror) as work:
        wheels = repack_installed(Path(work) / "wheels", "node")
        repack(distribution(demonstration.PACKAGE), wheels)
        own = build_version(Path(work), __version__, lambda _: None)
        described = [describe_wheel(each) for each in (own, *sorted(wheels.iterdir()))]
        _publish(mirror, {target: described})
        pinned = pack_python(Path(work), platform_name)
        gather_pythons(mirror, [target], pinned, folders=[Path(work)], is_offline=True)
