"""A real pool's journal: exported while it runs, without a text in it, replayed to the byte."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.local_pool import RunningPool

pytestmark = pytest.mark.engines  # minutes of a real pool

PROMPT = "Le mot de passe du voisin est zygomatique-4417."
SESSION = "séance-de-madame-tremblay"
DIFFERENT_STATUS = 1  # the recorded life was not simulated as it was


def replay(journal: Path, out: Path, *arguments: str, statuses: tuple[int, ...] = (0,)) -> Any:
    """Replays a journal and returns what the command printed as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "entraide.cli", "sim", "replay", str(journal), "--out", str(out),
         "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )  # fmt: skip
    assert done.returncode in statuses, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_a_real_pools_journal_is_replayed_to_the_byte_and_holds_no_text(
    pool: RunningPool, tmp_path: Path
) -> None:
    """Jobs, refusals and a dead scheduler come out alike; prompt, answer and names do not."""
    headers = {"X-Entraide-Session": SESSION, "Idempotency-Key": "clé-de-madame-tremblay"}
    _, _, answer = pool.chat(PROMPT, tokens=24, headers=headers)
    pool.chat("x" * 40_000)  # does not fit the model's context
    pool.until(lambda: bool(pool.live()), "a live node")
    journal = tmp_path / "pool.journal"
    exported = pool.entraide("scheduler", "journal", "export", "--out", str(journal), "--json")
    replayed = replay(journal, tmp_path / "out")
    raw = gzip.decompress(journal.read_bytes())
    said = answer["choices"][0]["message"]["content"]

    assert (True, exported["events"]) == (replayed["exact"], replayed["events"])
    assert replayed["commands"] > 0
    for text in (PROMPT, "zygomatique", said, SESSION, "clé-de-madame-tremblay"):
        assert text.encode() not in raw, text


def test_another_policy_is_tried_on_a_real_pools_journal(pool: RunningPool, tmp_path: Path) -> None:
    """What the pool lived through is held against a proposed policy, for each co-op.

    If its life was not simulated as it was, which chance decides in a pool of some questions on a
    busy machine, the command names the figure that differs and compares nothing.
    """
    for number in range(3):
        pool.chat(f"Question {number}", tokens=8)
    journal = tmp_path / "pool.journal"
    pool.entraide("scheduler", "journal", "export", "--out", str(journal))
    tried = replay(
        journal, tmp_path / "out", "--policy", "round_robin", statuses=(0, DIFFERENT_STATUS)
    )
    baseline = tried["baseline"]
    assert tried["exact"]
    if baseline["verdict"] == "different":
        beyond = [
            abs(row["recorded"] - row["simulated"]) > row["allowed"]
            for row in baseline["differences"]
        ]
        assert ({True}, False) == (set(beyond), "compared" in tried)
        return
    rows = tried["compared"]["all"]
    over = ("completed", "refused", "failed", "cancelled", "waiting")

    assert rows["old"]["jobs"] >= 3
    assert rows["recorded"]["jobs"] == rows["old"]["jobs"] == rows["proposed"]["jobs"]
    assert rows["proposed"]["jobs"] == sum(rows["proposed"][name] for name in over)
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
