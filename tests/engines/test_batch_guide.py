"""The guide on batches: its own commands and programs, against a pool of real processes."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.local_pool import MODEL, RunningPool, up
from tests.testbed.guides import POOL, Guide, read_blocks
from tests.testbed.hosts import Host

PAGE = "batches.fr.md"
BATCH = re.compile(r"batch_[0-9a-f]{22}")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool with two machines."""
    running = up(tmp_path_factory.mktemp("state") / "pool", "--nodes", "2")
    try:
        yield running
    finally:
        running.entraide("down")


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_the_guide_runs_batches(pool: RunningPool, tmp_path: Path) -> None:
    """Each block runs: one command, a deadline, JSON lines, Python, OpenAI's client."""
    (tmp_path / "client").mkdir()
    host = Host("client", "", tmp_path / "client", 0, Path(sys.executable).parent)
    guide = Guide(PAGE)
    guide.keep("settings", host, key=next(iter(pool.file.keys.values())), **{POOL: pool.file.http})
    guide.run("questions", host)
    once = guide.run("once", host)
    answers = [json.loads(line) for line in (host.home / "reponses.jsonl").read_text().splitlines()]
    sent = BATCH.search(guide.run("submit", host).out)
    assert sent is not None
    followed = guide.run("follow", host, **{"batch_…": sent[0]}).out
    lines = guide.run("lines", host).out
    program = guide.run("sdk", host).out
    official = json.loads(guide.run("openai", host).out)
    guide.run("mock", host)
    host.write("questions.txt", b"Bonjour\n" * 300)
    long = BATCH.search(guide.run("submit", host).out)
    assert long is not None
    cancelled = guide.run("cancel", host, **{"batch_…": long[0]}).out

    assert "3 sur 3 lignes" in once.out
    assert ["line-1", "line-2", "line-3"] == sorted(answer["custom_id"] for answer in answers)
    assert all(answer["text"] for answer in answers)
    assert f"{sent[0]} · terminé" in followed
    assert "2 sur 2 lignes" in lines
    assert "BatchCounts(lines=2, completed=2, failed=0)" in program
    assert ("a", 200) == (official["custom_id"], official["response"]["status_code"])
    assert long[0] in cancelled
    assert "annul" in cancelled
    steps = {block.step for block in read_blocks(PAGE)}
    assert {"settings", "questions", "once", "submit", "follow", "lines", "sdk", "openai", "mock",
            "cancel"} == steps  # fmt: skip


@pytest.mark.engines
@pytest.mark.timeout(600)
def test_the_toy_fails_french(pool: RunningPool) -> None:
    """The real small model is measured, 40 items at most: it fails French."""
    evaluate = ["models", "evaluate", MODEL, "--task", "answer", "--task", "compute"]
    measured = pool.entraide(*evaluate, "--language", "fr", "--items", "20", "--yes", "--json")
    entry = pool.entraide("models", "show", MODEL, "--json")
    checksums = {artefact["files"][0]["sha256"] for artefact in entry["artefacts"][:1]}

    assert ["answer", "compute"] == [cell["task"] for cell in entry["quality"]]
    assert {"quality": entry["quality"], "figures": entry["figures"]} == measured
    for cell in entry["quality"]:
        assert cell["rate"] <= cell["high"] < 0.8, cell
        assert cell["n"] <= 20
        assert checksums == {cell["weights"].removeprefix("sha256:")}
    assert sum(cell["n"] for cell in entry["quality"]) == sum(
        figures["answers"] for figures in entry["figures"]
    )
    for figures in entry["figures"]:
        assert figures["tokens_per_s"] > 0
        assert figures["energy_wh_per_answer"] > 0
        assert ("llama.cpp", True) == (figures["engine"], figures["machine"] != "unknown")
