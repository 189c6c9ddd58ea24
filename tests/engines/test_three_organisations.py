"""Three organisations on one machine: a pool's host, two members' sites behind routers, a client.

Each has its own network namespace, home folder and Unix user. The commands are those of the French
guides, ``found-a-pool.fr.md``, ``invite.fr.md`` and ``backup.fr.md``; the engine and the model are
real. One site installs Entraide from the pool, the other one has the pool's HTTPS port only.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pool.wheelhouse import add_migration, build_version, repack_installed
from tests.scheduler.postgres_support import programs, running_postgres
from tests.testbed.federation import BUS_PORT, COOP, WITHOUT_BUS_PORT, ZONE, Federation
from tests.testbed.hosts import Testbed, running_testbed
from tests.testbed.network import POOL_ADDRESS, POOL_NAME, ROUTER_ADDRESS, SITE_ADDRESS

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

LISTEN = """
import socket
server = socket.create_server(("0.0.0.0", 8080))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""
CONNECT = "import socket; socket.create_connection(('{address}', {port}), 1.5).close()"
LATER = "9.1.0"
OWN_PYTHON = "~/.local/share/entraide/environment/bin/python"  # of the site that had none


@pytest.fixture(scope="module")
def federation() -> Iterator[Federation]:
    """A pool with a live machine at each site."""
    with running_testbed() as bed:
        made = Federation(bed)
        made.found()
        made.join("b")
        made.install("a")
        made.until_live(*COOP)
        yield made


def test_a_site_installs_from_the_pool_alone(federation: Federation) -> None:
    """Without Python, the invitation's line brings one, and the pool's wheels with the engine."""
    site = federation.sites["a"]
    without = site.run("command -v python3 python3.9", check=False)
    used = site.run("command -v entraide; readlink -f $(command -v entraide)").out.split()
    program = "import sys, xllamacpp; print(sys.base_prefix)"
    python = site.run(f"{OWN_PYTHON} -c '{program}'").out.strip()

    assert "" == without.out
    assert site.home / ".local/share/entraide/python" == Path(python).parent
    assert str(site.home / ".local/bin/entraide") == used[0]
    assert used[1].startswith(str(site.home / ".local/share/entraide/environment"))


def test_a_site_with_the_https_port_alone_is_in_the_pool(federation: Federation) -> None:
    """Where a router drops what goes to the bus's port, the machine is live all the same.

    The doctor of that machine says which port is closed, and how.
    """
    reached = {
        site: connects(federation.bed, f"site-{site}", POOL_ADDRESS, BUS_PORT) for site in COOP
    }

    assert {site: site != WITHOUT_BUS_PORT for site in COOP} == reached
    assert WITHOUT_BUS_PORT in federation.live()

    checked = federation.sites[WITHOUT_BUS_PORT].run("entraide --lang fr node doctor", check=False)

    assert f"jette ce qui va à {POOL_NAME}:{BUS_PORT}" in checked.out, checked
    assert f"Le parc répond par wss://{POOL_NAME}:8443/bus" in checked.out


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


def connects(bed: Testbed, namespace: str, address: str, port: int = 8080) -> bool:
    """Whether a program in a namespace reaches a server at an address."""
    command = ["ip", "netns", "exec", bed.network.namespace(namespace), "python3", "-c"]
    script = CONNECT.format(address=address, port=port)
    return not subprocess.run([*command, script], check=False, capture_output=True).returncode


def test_no_connection_reaches_a_site(federation: Federation) -> None:
    """A server at a member's site is reached from its own network only, whatever the route."""
    bed = federation.bed
    site = federation.sites["a"]
    router = ROUTER_ADDRESS.format(number=1)
    server = site.start(f"exec {OWN_PYTHON} -c '{LISTEN}'")
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

    names = [node["node"] for node in federation.nodes().values()]
    name = federation.nodes()["a"]["node"]
    federation.inviting.run("revoke", federation.pool, **{"boreale-1": name})
    federation.until_live("b")
    answer = federation.ask()
    ended = federation.agents["a"]
    federation.bed.until(lambda: ended.has_ended, "the agent ends")
    said = site_status()
    federation.join("a")
    federation.until_live(*COOP)

    assert federation.nodes()["b"]["node"] == answer["entraide"]["node"]
    assert federation.nodes()["a"]["node"] not in names
    assert "Le parc a révoqué cette machine" in said


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
    """From a backup comes the same pool: its machines return without joining, its keys count, and
    a receipt of before is genuine by the keys that the restored pool publishes."""
    pool, client, keeping = federation.pool, federation.client, federation.keeping
    client.write("reponse.json", json.dumps(federation.ask()).encode())
    keeping.run("passphrase", pool)
    pool.write("phrase-secrete", b"quatre mots bien choisis\n")
    before = {site: node["node"] for site, node in federation.nodes().items()}
    federation.founding.run("backup", pool)
    keeping.run("backup", pool)
    federation.process.stop()
    shutil.rmtree(pool.home / "parc")
    federation.founding.run("restore", pool)
    keeping.run("restore", pool)
    federation.run_pool()
    federation.until_live(*COOP)
    answer = federation.ask()
    (client.home / "parc.json").unlink(missing_ok=True)
    federation.founding.run("pool-keys", client)

    assert before == {site: node["node"] for site, node in federation.nodes().items()}
    assert answer["entraide"]["node"] in before.values()
    assert 0 == federation.founding.run("verify", client).status
    assert (pool.home / "parc-restaure/store.db").is_file()


def test_a_pool_moves_to_postgresql(federation: Federation) -> None:
    """The guide's blocks make a pool in a directory and a database of PostgreSQL from the first."""
    server = programs()
    if server is None:
        pytest.skip("no PostgreSQL here")
    with running_postgres(server) as database:
        Path(database.partition("host=")[2]).chmod(0o711)  # another user reaches its socket
        federation.keeping.run(
            "move", federation.pool, **{"postgresql:///entraide": f"'{database}'"}
        )
        moved = federation.pool.home / "parc-postgresql"

        assert "postgresql://" in (moved / "pool.toml").read_text()
        assert not (moved / "store.db").exists()


def test_a_running_pool_is_upgraded(federation: Federation, tmp_path: Path) -> None:
    """A later version takes the running pool over, its machines return, and its receipts count; the
    same version is not taken twice."""
    pool, keeping, wheel = federation.pool, federation.keeping, f"entraide-{LATER}-py3-none-any.whl"
    shutil.move(repack_installed(tmp_path / "wheels", "scheduler"), pool.home / "paquets")
    shutil.move(build_version(tmp_path, LATER, add_migration), pool.home)
    pool.own(pool.home / "paquets")
    pool.own(pool.home / wheel)
    done = keeping.run("upgrade-offline", pool, wheel=wheel)
    federation.until_live(*COOP)
    answer = federation.ask()
    again = keeping.run("upgrade", pool, wheel=wheel, check=False)

    assert LATER in done.out
    assert (pool.home / "parc/versions/current").read_text().startswith(LATER)
    assert answer["choices"][0]["message"]["content"]
    assert 0 == again.status
    assert f"déjà la version {LATER}" in again.out
