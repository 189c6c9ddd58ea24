"""Three organisations on one machine: a pool's host, two members' sites behind routers, a client.

Each has its own network namespace, home folder and Unix user. The commands are those of the French
guides, ``found-a-pool.fr.md`` and ``invite.fr.md``; the engine and the model are real.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.testbed.guides import Guide
from tests.testbed.hosts import Started, Testbed, running_testbed
from tests.testbed.network import POOL_NAME, ROUTER_ADDRESS, SITE_ADDRESS

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

COOP = {"a": "boreale", "b": "tournesol"}
VOUCHED: dict[str, dict[str, str]] = {
    "a": {},
    "b": {"boreale": "tournesol", "CA-QC": "CA-ON", "Rimouski": "Sudbury"},
}
ZONE = {"a": "CA-QC", "b": "CA-ON"}
LIVE_S = 120.0
LISTEN = """
import socket
server = socket.create_server(("0.0.0.0", 8080))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""
CONNECT = "import socket; socket.create_connection(('{address}', 8080), 1.5).close()"


class Federation:
    """The pool that runs, its members' machines and the client, with the guides that made them."""

    def __init__(self, bed: Testbed) -> None:
        self.bed = bed
        self.pool, self.client = bed.hosts["pool"], bed.hosts["client"]
        self.sites = {site: bed.hosts[f"site-{site}"] for site in COOP}
        self.founding, self.inviting = Guide("found-a-pool.fr.md"), Guide("invite.fr.md")
        self.agents: dict[str, Started] = {}

    def found(self) -> None:
        """Creates the pool, runs it, adds the co-ops and gives the client a key."""
        self.founding.run("create", self.pool)
        self.run_pool()
        self.founding.run("coops", self.pool)
        key = self.founding.run("key", self.pool).out.split()[0]
        self.founding.keep("settings", self.client, key=key)
        self.client.write("parc.pem", (self.pool.home / "parc/tls/ca.pem").read_bytes())

    def run_pool(self) -> None:
        """Starts the pool and waits until it is ready."""
        self.process = self.founding.start("run", self.pool)
        ready = (self.pool.home / "parc/pool.json").exists
        self.bed.until(lambda: self.process.has_ended or ready(), "the pool is ready")
        assert not self.process.has_ended, self.pool.logs()

    def join(self, site: str) -> None:
        """Invites a site's machine, lets it join, and starts its agent."""
        invited = self.inviting.run("invite", self.pool, **VOUCHED[site])
        self.inviting.run("join", self.sites[site], link=invited.out.split()[0])
        self.run_agent(site)

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

    def live(self) -> set[str]:
        """Sites whose machine is live and serves a model."""
        nodes = self.nodes().items()
        return {site for site, node in nodes if node["state"] == "live" and node["models"]}

    def until_live(self, *sites: str) -> None:
        """Waits until the machines of these sites are live, and no others."""
        self.bed.until(lambda: self.live() == set(sites), f"live: {sites}", LIVE_S)

    def ask(self) -> Any:
        """Asks the guide's question by ``curl``; returns the answer."""
        return json.loads(self.founding.run("curl", self.client).out)


@pytest.fixture(scope="module")
def federation() -> Iterator[Federation]:
    """A pool with a live machine at each site."""
    with running_testbed() as bed:
        made = Federation(bed)
        made.found()
        for site in COOP:
            made.join(site)
        made.until_live(*COOP)
        yield made


def test_each_client_gets_an_answer(federation: Federation) -> None:
    """``curl``, the client of OpenAI and Entraide's own get an answer with a receipt, over TLS."""
    answer = federation.ask()
    official = federation.founding.run("openai", federation.client)
    own = federation.founding.run("sdk", federation.client)

    nodes = {node["node"]: site for site, node in federation.nodes().items()}
    receipt = answer["entraide"]
    site = nodes[receipt["node"]]
    assert (ZONE[site], "member") == (receipt["province"], receipt["controlled_by"])
    assert answer["choices"][0]["message"]["content"]
    assert official.out.strip()
    assert any(name in own.out for name in nodes)


def test_a_receipt_changed_in_one_digit_is_false(federation: Federation) -> None:
    """The client checks its receipt without the pool, and finds a changed one out."""
    founding, client = federation.founding, federation.client
    answer = federation.ask()
    founding.run("pool-keys", client)
    client.write("reponse.json", json.dumps(answer).encode())
    genuine = founding.run("verify", client)
    answer["entraide"]["output_tokens"] += 1
    client.write("reponse.json", json.dumps(answer).encode())
    changed = founding.run("verify", client, check=False)

    assert (0, 1) == (genuine.status, changed.status)
    assert genuine.out != changed.out


def test_another_authority_is_not_believed(federation: Federation) -> None:
    """Without the pool's CA, no client sends its key."""
    refused = federation.client.run("curl -sS https://pool.example.coop:8443/readyz", check=False)

    assert 60 == refused.status


def connects(bed: Testbed, namespace: str, address: str) -> bool:
    """Whether a program in a namespace reaches the site's server at an address."""
    command = ["ip", "netns", "exec", bed.network.namespace(namespace), "python3", "-c"]
    script = CONNECT.format(address=address)
    return not subprocess.run([*command, script], check=False, capture_output=True).returncode


def test_no_connection_reaches_a_site(federation: Federation) -> None:
    """A server at a member's site is reached from its own network only, whatever the route."""
    bed = federation.bed
    site = federation.sites["a"]
    router = ROUTER_ADDRESS.format(number=1)
    server = site.start(f"exec python -c '{LISTEN}'")
    bed.until(lambda: "listening" in site.logs(), "the site's server listens")
    route = ["ip", "-n", bed.network.namespace("client"), "route"]
    subprocess.run([*route, "add", SITE_ADDRESS, "via", router], check=True)
    try:
        reached = {
            "from the router": connects(bed, "router-a", SITE_ADDRESS),
            "at the router": connects(bed, "client", router),
            "by a route": connects(bed, "client", SITE_ADDRESS),
        }
    finally:
        subprocess.run([*route, "del", SITE_ADDRESS], check=True)
        server.stop()

    assert {"from the router": True, "at the router": False, "by a route": False} == reached


def test_a_cut_site_is_lost_and_comes_back(federation: Federation) -> None:
    """Without its link a site's machine is not live, the other one answers; then it comes back."""
    federation.bed.network.cut("a")
    federation.until_live("b")
    answer = federation.ask()
    federation.bed.network.heal("a")
    federation.until_live(*COOP)

    assert federation.nodes()["b"]["node"] == answer["entraide"]["node"]
    assert "CA-ON" == answer["entraide"]["province"]


def test_a_revoked_machine_is_refused_until_invited_again(federation: Federation) -> None:
    """A revocation counts at once and stays; a new invitation lets the machine return."""

    def site_status() -> str:
        return federation.inviting.run("status", federation.sites["a"], check=False).out

    name = federation.nodes()["a"]["node"]
    federation.inviting.run("revoke", federation.pool, **{"boreale-1": name})
    federation.until_live("b")
    answer = federation.ask()
    federation.run_agent("a")
    federation.bed.until(lambda: "révoqué" in site_status(), "the agent says it is revoked")
    federation.until_live("b")
    federation.join("a")
    federation.until_live(*COOP)

    assert federation.nodes()["b"]["node"] == answer["entraide"]["node"]
    assert name == federation.nodes()["a"]["node"]


def test_the_pool_lacks_nothing(federation: Federation) -> None:
    """The doctor finds nothing that keeps the pool from working, and the status has its address."""
    checked = federation.founding.run("doctor", federation.pool)

    assert f"https://{POOL_NAME}:8443" in checked.out


def test_status_and_list_name_the_machine(federation: Federation) -> None:
    """The owner's and the operator's view name the machine and its model."""
    for site, host in federation.sites.items():
        status = federation.inviting.run("status", host).out
        listed = federation.inviting.run("nodes", federation.pool).out

        name = federation.nodes()[site]["node"]
        assert name in status
        assert name in listed


def test_a_destroyed_pool_is_restored(federation: Federation) -> None:
    """From a backup comes the same pool: its machines return without joining, its keys count."""
    pool = federation.pool
    pool.write("phrase-secrete", b"quatre mots bien choisis\n")
    before = {site: node["node"] for site, node in federation.nodes().items()}
    federation.founding.run("backup", pool)
    federation.process.stop()
    shutil.rmtree(pool.home / "parc")
    federation.founding.run("restore", pool)
    federation.run_pool()
    federation.until_live(*COOP)
    answer = federation.ask()

    assert before == {site: node["node"] for site, node in federation.nodes().items()}
    assert answer["entraide"]["node"] in before.values()
