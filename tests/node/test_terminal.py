"""``entraide node run`` at a terminal: sentences there, and the log in the node's folder."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from entraide_node.config import Attach, NodeConfig, dump_config
from entraide_node.logs import LOG_NAME


def read_until(terminal: int, word: str) -> str:
    """Returns what a terminal shows until it has shown a word."""
    shown = b""
    while word.encode() not in shown:
        shown += os.read(terminal, 4_096)
    return shown.decode()


def test_a_terminal_shows_sentences_and_the_folder_has_the_log(tmp_path: Path) -> None:
    """At a terminal a member reads why the node works or not; each event is in ``agent.log``."""
    config = NodeConfig(
        node="essai", coop="boreale", zone="CA-QC", nats_urls=("nats://127.0.0.1:1",),
        dir=str(tmp_path), engine=Attach(url="http://127.0.0.1:1", model="m"), lang="fr",
    )  # fmt: skip
    (tmp_path / "node.toml").write_text(dump_config(config), "utf-8")
    ours, theirs = pty.openpty()
    command = Path(sys.executable).with_name("entraide")
    with subprocess.Popen(
        [command, "node", "run", "--dir", str(tmp_path)], stdout=theirs, stderr=theirs
    ) as agent:
        os.close(theirs)
        shown = read_until(ours, "son moteur ne répond pas")
        agent.send_signal(signal.SIGINT)
        shown += read_until(ours, "s’est arrêté")
        code = agent.wait()
    os.close(ours)
    logged = [json.loads(line) for line in (tmp_path / LOG_NAME).read_text("utf-8").splitlines()]

    assert 0 == code
    assert "essai" in shown
    assert str(tmp_path / LOG_NAME) in shown
    assert "{" not in shown
    assert "node.engine_unreachable" in [event["event"] for event in logged]
