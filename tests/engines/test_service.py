"""A member's machine, from joining to leaving, with a real session of systemd's user manager."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.engines.session import Session, can_have_session
from tests.integration.local_pool import RunningPool, up

NODE = "member"


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[RunningPool]:
    """A pool with one machine of its own."""
    running = up(tmp_path / "pool", "--nodes", "1")
    try:
        yield running
    finally:
        running.entraide("down")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The member's session."""
    running = Session(tmp_path / "home")
    try:
        yield running
    finally:
        running.close()


def agents(folder: Path) -> list[psutil.Process]:
    """The agents that run in a folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "entraide_node" in (process.info["cmdline"] or [])
        and str(folder) in process.info["cmdline"]
    ]


if can_have_session():

    @pytest.mark.engines
    @pytest.mark.timeout(300)
    def test_from_joining_to_leaving(pool: RunningPool, session: Session, tmp_path: Path) -> None:
        """One command joins and serves for good; another one leaves no process and no identity."""
        folder = tmp_path / "node"
        token = pool.entraide("nodes", "token", "--coop", "boreale", "--json")["token"]
        joined, said = session.entraide(
            "node",
            "join",
            pool.file.http,
            "--token",
            token,
            "--name",
            NODE,
            "--dir",
            str(folder),
            "--any-time",
        )

        assert (0, True) == (joined, "systemd" in said), said

        pool.until(lambda: NODE in pool.live(), "the member's machine serves")
        (first,) = agents(folder)
        _, status = session.entraide("node", "service", "status", "--dir", str(folder), "--json")
        ended, checked = session.entraide("node", "doctor", "--dir", str(folder), "--json")

        assert '"state":"running"' in status
        assert (0, True) == (ended, '"ok":true' in checked), checked

        first.kill()
        pool.until(lambda: agents(folder) not in ([], [first]), "the agent is back by itself")
        pool.until(lambda: NODE in pool.live(), "it serves again")
        left, said = session.entraide("node", "leave", "--dir", str(folder), "--keep-weights")
        shown = next(node for node in pool.nodes() if node["node"] == NODE)

        assert (0, True) == (left, "revoked" in said), said
        assert [] == agents(folder)
        assert "revoked" == shown["approval"]
        assert not (folder / "identity.json").exists()
        assert not list((tmp_path / "home").rglob("*.service"))
