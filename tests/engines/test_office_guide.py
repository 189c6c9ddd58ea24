"""An office alone: the guide's own commands make a pool of one machine, which answers.

Pool, bus, agent, engine and model are real. The machine's service manager is out of the host's
reach, so that the commands install nothing on the machine that runs the tests.
"""

import json
import shutil
import ssl
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pool.support import wait_until
from tests.ports import free_ports
from tests.testbed.guides import Guide, read_blocks
from tests.testbed.hosts import Host

from entraide.catalogue import demonstration

PAGE = "office-alone.fr.md"
ADDRESS, SERVED_AT, MODEL = "bureau.local", "bureau.local:8443", "qwen3-8b --format gguf"
LINK = f"https://{SERVED_AT}/install#join_…"
TINY = "smollm2-135m-instruct"
PROGRAMS = ("bash", "curl")


class Office:
    """The office's machine, the guide, and the steps that ran."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.guide = Guide(PAGE)
        self.steps: list[str] = []
        self.http, self.grpc, self.bus = free_ports(3)

    def run(self, step: str, *, check: bool = True, **placeholders: str) -> str:
        """Runs a step; returns all that it prints."""
        self.steps.append(step)
        done = self.guide.run(step, self.host, check=check, **placeholders)
        return done.out + done.err

    def start(self, step: str) -> None:
        """Starts a step that stays in the background."""
        self.steps.append(step)
        self.guide.start(step, self.host)

    def keep(self, step: str, **placeholders: str) -> None:
        """Keeps a step's settings for every later one."""
        self.steps.append(step)
        self.guide.keep(step, self.host, **placeholders)

    def status(self, key: str) -> Any:
        """The pool's status, as programs with a key read it."""
        context = ssl.create_default_context(cafile=str(self.host.home / "parc/tls/ca.pem"))
        headers = {"authorization": f"Bearer {key}"}
        asked = urllib.request.Request(f"https://localhost:{self.http}/status.json", None, headers)
        with urllib.request.urlopen(asked, timeout=20, context=context) as page:
            return json.loads(page.read())

    def wait_for_pool(self) -> None:
        """Waits until the pool is ready."""
        wait_until((self.host.home / "parc/pool.json").exists, "the pool is ready")

    def wait_for_node(self, key: str) -> None:
        """Waits until the machine serves its model."""

        def serves() -> bool:
            return any(each["models"] for each in self.status(key)["nodes"])

        wait_until(serves, "a node serves")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """The machine, with a home folder of its own."""
    home, programs = tmp_path / "home", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).symlink_to(str(shutil.which(name)))
    commands = Path(sys.executable).parent
    host = Host("office", "", home, 0, commands, programs=str(programs))
    try:
        yield Office(host)
    finally:
        host.close()


@pytest.mark.engines
@pytest.mark.needs("curl")
def test_the_guide_makes_a_pool_of_one_machine(office: Office) -> None:
    """Every block of the page runs, from nothing to an answer with a receipt and a backup."""
    ports = f"--http-port {office.http} --grpc-port {office.grpc} --bus-port {office.bus}"
    office.run("create", **{ADDRESS: f"localhost {ports}"})
    without_service = office.run("service", check=False)
    office.start("run")
    office.wait_for_pool()
    office.run("doctor")
    key = next(word for word in office.run("coop").split() if word.startswith("ent_"))
    link = office.run("invite").split()[0]
    without_agent = office.run("join", check=False, **{LINK: link})
    office.start("node")
    office.keep("settings", key=key, **{SERVED_AT: f"localhost:{office.http}"})
    folder = Path(str(demonstration.path())).parent
    office.run("pin", **{MODEL: f"{TINY} --format gguf --folder {folder}"})
    office.wait_for_node(key)
    status, asked = office.run("status"), office.run("ask")
    receipt = json.loads(office.run("curl"))["entraide"]
    (office.host.home / "phrase-secrete").write_text("quatre mots bien choisis\n")
    office.run("backup")

    assert "entraide pool run" in without_service
    assert "entraide node run" in without_agent
    assert receipt["node"] in status
    assert f"Servi par {receipt['node']} au Québec (coop bureau" in asked
    assert ("bureau", "CA-QC", "member") == tuple(
        receipt[field] for field in ("node_coop", "province", "controlled_by")
    )
    assert (office.host.home / "parc.backup").stat().st_size
    assert sorted(block.step for block in read_blocks(PAGE)) == sorted(office.steps)
