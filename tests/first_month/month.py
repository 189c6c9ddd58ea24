"""First month of a pool: founded, joined, served, upgraded, restored on another machine.

The founder has a folder of each release and the file of a model, and no internet. Members have the
line of their invitation. What people type is that of the guides.
"""

import json
import re
import shutil

from tests.first_month.machines import SITES
from tests.first_month.record import Command, Person, Record
from tests.first_month.releases import TARGET, Published, Releases
from tests.pool.release_lies import link_file
from tests.testbed.guides import read_blocks
from tests.testbed.hosts import PYTHON, Host, Started, Testbed
from tests.testbed.network import POOL_NAME, SPARE_ADDRESS

from entraide.catalogue import demonstration

COOPS = {"a": "boreale", "b": "tournesol", "c": "erable"}
ZONES = {"a": "CA-QC", "b": "CA-ON", "c": "CA-AB"}
MODEL = "smollm2-135m-instruct"
PORT = 443
URL = f"https://{POOL_NAME}"
LIVE_S = 180.0
RELEASE, USB = "release", "cle-usb"
PASSPHRASE, BACKUP = "phrase-secrete", "sauvegardes/parc.backup"
ASKED = {"model": MODEL, "max_tokens": 16, "messages": [{"role": "user", "content": "Bonjour !"}]}


class Month:
    """The machines, the people at them, and what has been made."""

    def __init__(self, bed: Testbed, releases: Releases, record: Record) -> None:
        self.bed = bed
        self.releases = releases
        self.record = record
        self.people = {name: Person(record, host) for name, host in bed.hosts.items()}
        self.sites = {site: self.people[f"site-{site}"] for site in SITES}
        self.founder = self.people["pool"]
        self.lines: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._agents: dict[str, Started] = {}
        self._pool: Started | None = None

    def found(self) -> None:
        """The founder installs the release from its folder, and founds the pool offline."""
        founder = self.founder
        with self.record.step("founded"):
            self._install(founder, self.releases.first)
            create = "entraide pool create ~/parc --name 'Parc du quartier'"
            create += f" --address {POOL_NAME} --http-port {PORT} --zone CA-QC"
            founder.types(f"{create} --controlled-by member")
            self._repeat(founder, root=self.releases.root)
            self._run_pool(founder)
            founder.types(
                f"entraide models pin {MODEL} --format gguf --folder ~/{USB} --state ~/parc"
            )
            for site, coop in COOPS.items():
                founder.types(f"entraide coops add {coop} --state ~/parc")
                made = founder.types(f"entraide keys create --coop {coop} --state ~/parc")
                self._keys[site] = made.out.split()[0]
            founder.types("entraide pool doctor ~/parc")

    def join(self) -> None:
        """Each member pastes the line of an invitation, with the fingerprint of the root."""
        with self.record.step("joined"):
            for site, coop in COOPS.items():
                invite = f"entraide invite {coop} --zone {ZONES[site]} --controlled-by member"
                printed = self.founder.types(f"{invite} --state ~/parc").out
                line = next(each for each in printed.splitlines() if each.startswith("curl "))
                line = line.replace("sh -s -- ", f"sh -s -- --root {self.releases.root} ")
                self.lines[site] = f"{line} --any-time"
                self.sites[site].types(self.lines[site], shown=_without_secret(self.lines[site]))
                self._run_agent(site)
            self._until_live(has_model=False)
            for node in self._nodes(self.founder):
                self.founder.types(f"entraide models place {MODEL} --node {node} --state ~/parc")
            self._until_live()

    def serve(self, name: str) -> None:
        """A program of each co-op asks the model by the pool's API; the record has who answered."""
        with self.record.step(name):
            answered: set[str] = set()
            for site in SITES:
                receipt = self._ask(site)["entraide"]
                answered.add(receipt["node"])
            self.record.served.append(f"{name}: {', '.join(sorted(answered))}")

    def upgrade(self) -> None:
        """The founder takes the pool over to the second release, then each member their machine."""
        second = self.releases.second
        with self.record.step("upgraded"):
            self._bring(self.founder.host, second)
            self.founder.types(f"entraide pool upgrade ~/{RELEASE} --state ~/parc")
            self._repeat(self.founder)
            for site, person in self.sites.items():
                person.types("entraide node upgrade")
                self._run_agent(site)
            self._until_live(has_model=False)  # models come back by demand
        said = {person.host.run("entraide --version").out.strip() for person in self.sites.values()}
        said.add(self.founder.host.run("cat ~/parc/versions/current").out.strip())
        assert all(second.version in each for each in said), said

    def back_up(self) -> None:
        """The founder writes a backup and takes it away on a disk."""
        with self.record.step("backed up"):
            self.founder.edits(PASSPHRASE, "quatre mots bien choisis\n")
            self.founder.types(f"chmod 600 ~/{PASSPHRASE} && mkdir -p -m 700 ~/sauvegardes")
            backup = f"entraide pool backup ~/{BACKUP} --state ~/parc"
            self.founder.types(f"{backup} --passphrase-file ~/{PASSPHRASE}")

    def restore(self) -> None:
        """The pool's machine is lost; it is restored on another one, from release and backup."""
        assert self._pool is not None
        nodes = self._nodes(self.founder)
        self._pool.stop()
        spare, lost = self.people["spare"], self.founder.host
        self.bed.network.point_pool(SPARE_ADDRESS)
        with self.record.step("restored"):
            self._install(spare, self.releases.second)
            kept = spare.host.home / "sauvegardes"
            shutil.copytree(lost.home / "sauvegardes", kept)
            spare.host.own(kept)
            spare.edits(PASSPHRASE, "quatre mots bien choisis\n")
            restore = f"entraide pool restore ~/{BACKUP} ~/parc"
            spare.types(f"{restore} --passphrase-file ~/{PASSPHRASE}")
            self._repeat(spare)
            self._run_pool(spare)
            self.founder = spare
            self._until_live(has_model=False)
        assert nodes == self._nodes(spare)

    def _install(self, person: Person, release: Published) -> None:
        """Installs a release on a machine without a network, from its folder."""
        self._bring(person.host, release)
        install = next(each for each in read_blocks("found-a-pool.fr.md") if each.step == "install")
        text = install.text.replace("\\\n", "").replace("python3", str(PYTHON))
        text = text.replace("linux-x86_64-3.11", TARGET).replace("sha256:…", self.releases.root)
        for command in text.splitlines():
            if not command.startswith("export "):  # of one shell
                person.types(command)
        person.types("mkdir -p ~/.local/bin && ln -s ~/entraide/bin/entraide ~/.local/bin/")
        allow = f"sysctl net.ipv4.ip_unprivileged_port_start={PORT}"
        self.bed.network.allow_low_ports(person.host.name, PORT)  # only root may
        self.record.steps[-1].commands.append(Command(person.host.name, f"sudo {allow}", 0.0))

    def _bring(self, host: Host, release: Published) -> None:
        """Puts a release, a build of Python and a model on a machine, as from a disk."""
        shutil.rmtree(host.home / RELEASE, ignore_errors=True)
        shutil.copytree(release.folder, host.home / RELEASE, copy_function=link_file)
        disk = host.home / USB
        if not disk.exists():
            shutil.copytree(self.releases.pythons, disk)
            model = demonstration.path()
            assert model is not None
            shutil.copy(model, disk)
            host.own(disk)

    def _repeat(self, person: Person, root: str = "") -> None:
        """Makes the pool's mirror out of the release, with a Python and the models' files."""
        given = f" --root {root}" if root else ""
        person.types(f"entraide pool mirror ~/parc --release ~/{RELEASE} --folder ~/{USB}{given}")

    def _run_pool(self, person: Person) -> None:
        self._pool = process = person.starts("entraide pool run ~/parc")
        ready = (person.host.home / "parc/pool.json").exists
        self.bed.until(lambda: process.has_ended or ready(), "the pool is ready", LIVE_S)
        assert not process.has_ended, person.host.logs()

    def _run_agent(self, site: str) -> None:
        """Starts a member's agent, after the end of an earlier one."""
        if site in self._agents:
            self._agents[site].stop()
        self._agents[site] = self.sites[site].starts("entraide node run")

    def _until_live(self, *, has_model: bool = True) -> None:
        """Waits until all members' machines are live, and serve the model."""
        client, key = self.bed.hosts["client"], self._keys["a"]
        (client.home / "parc.pem").unlink(missing_ok=True)
        client.write("parc.pem", (self.founder.host.home / "parc/tls/ca.pem").read_bytes())
        asked = f"curl -sf --cacert parc.pem --oauth2-bearer {key} {URL}/status.json"

        def are_live() -> bool:
            page = client.run(asked, check=False)
            nodes = json.loads(page.out)["nodes"] if page.status == 0 else []
            ready = [each for each in nodes if each["models"] or not has_model]
            return {each["coop"] for each in ready if each["state"] == "live"} == {*COOPS.values()}

        self.bed.until(are_live, "all machines are live", LIVE_S)

    def _ask(self, site: str) -> dict[str, dict[str, str]]:
        """Asks with the key of a site's co-op; returns the answer."""
        line = f"curl -sS --fail-with-body --cacert parc.pem {URL}/v1/chat/completions -H"
        line += f" 'Content-Type: application/json' -d '{json.dumps(ASKED)}' --oauth2-bearer "
        said = self.people["client"].types(line + self._keys[site], shown=f"{line}ent_…").out
        answer: dict[str, dict[str, str]] = json.loads(said)
        return answer

    def _nodes(self, person: Person) -> list[str]:
        listed = person.host.run("entraide nodes list --json --state ~/parc").out
        return sorted(node["node"] for node in json.loads(listed))


def _without_secret(line: str) -> str:
    """A line of an invitation without its token."""
    return re.sub(r"#join_[^']*", "#join_…", line)
