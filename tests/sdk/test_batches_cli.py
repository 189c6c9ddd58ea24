"""``entraide batches`` in this process, against the mock transport's batches."""

import datetime as dt
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.sdk.conftest import Cli

from entraide.cli.moments import read_moment
from entraide.client import MockTransport
from entraide.errors import error_for


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MockTransport:
    """A pool that the commands find at ``tmp_path``, and whose batches are in memory."""
    transport = MockTransport(answer_line=answer)
    monkeypatch.setattr("entraide.client.failover.GrpcTransport", lambda *_, **__: transport)
    monkeypatch.setattr("entraide.client.batches.waiting.BATCH_POLL_MIN_S", 0.0)
    monkeypatch.setattr("entraide.client.batches.waiting.BATCH_POLL_PART", 0.0)
    file = {"grpc": "127.0.0.1:1", "keys": {"boreale": "k"}, "http": "http://127.0.0.1:1"}
    (tmp_path / "pool.json").write_bytes(msgspec.json.encode(file))
    return transport


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Answers a question with itself; one of them is too long."""
    text = body["messages"][-1]["content"]
    if text == "trop long":
        raise error_for("context_length_exceeded", "C’est trop long.")
    return {"choices": [{"message": {"content": text.upper()}}]}


def requests(tmp_path: Path, *texts: str) -> str:
    """A file with a prompt per line."""
    path = tmp_path / "questions.txt"
    path.write_text("\n".join(texts) + "\n", "utf-8")
    return str(path)


def test_one_command_gives_the_answers(pool: MockTransport, cli: Cli, tmp_path: Path) -> None:
    """Questions in a text become a file of answers; the error output has the progress."""
    out = tmp_path / "reponses.jsonl"
    file = requests(tmp_path, "un", "trop long", "deux")
    result = cli(["batches", "submit", file, "--out", str(out), "--state", str(tmp_path)])
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]

    assert 0 == result.status
    assert {"line-1": "UN", "line-3": "DEUX", "line-2": ""} == {
        row["custom_id"]: row["text"] for row in rows
    }
    assert "context_length_exceeded" == rows[-1]["error"]["code"]
    assert "Le lot batch_1 est envoyé." in result.err
    assert f"3 lignes écrites dans {out}, dont 1 en erreur." in result.err
    assert "batch_1 · terminé" in result.out
    assert [] == [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_a_file_is_replaced_only_when_that_is_asked(
    pool: MockTransport, cli: Cli, tmp_path: Path
) -> None:
    """An existing file stops the command before anything is sent; --force replaces it."""
    out = tmp_path / "reponses.jsonl"
    out.write_text("à garder")
    arguments = ["batches", "submit", requests(tmp_path, "un"), "--out", str(out), "--lang", "en"]
    state = ["--state", str(tmp_path)]
    refused = cli([*arguments, *state])
    kept = out.read_text()
    nothing_sent = not pool.batches.files
    folder = cli(["batches", "fetch", "batch_1", "--out", str(tmp_path / "x" / "y"), *state])
    replaced = cli([*arguments, *state, "--force"])

    assert (1, "à garder") == (refused.status, kept)
    assert nothing_sent
    assert "exists already" in refused.err
    assert "--force" in refused.err
    assert str(tmp_path / "x") in folder.err
    assert (0, "UN") == (replaced.status, json.loads(out.read_text())["text"])


def test_a_batch_that_runs_gives_what_it_has(pool: MockTransport, cli: Cli, tmp_path: Path) -> None:
    """Fetching before the end prints the answers so far, and says how many are missing."""
    state = ["--state", str(tmp_path), "--lang", "en"]
    cli(["batches", "submit", requests(tmp_path, "un", "deux", "trois", "quatre"), *state])
    partial = cli(["batches", "fetch", "batch_1", *state])
    rows = cli(["batches", "fetch", "batch_1", "--json", *state])

    assert ["line-1", "UN", "", "line-2", "DEUX", ""] == partial.out.splitlines()
    assert "these are 2 of 4 lines" in partial.err
    assert "UN" == json.loads(rows.out.splitlines()[0])["text"]


def test_batches_are_shown_and_cancelled(pool: MockTransport, cli: Cli, tmp_path: Path) -> None:
    """A batch is shown with its deadline, listed with the others, cancelled, and unknown."""
    state = ["--state", str(tmp_path)]
    submitted = cli(["batches", "submit", requests(tmp_path, "un", "deux"), *state])
    headings, row = cli(["batches", "show", *state]).out.splitlines()
    shown = cli(["batches", "show", "batch_1", *state])
    document = json.loads(cli(["batches", "show", "batch_1", "--json", *state]).out)
    cancelled = cli(["batches", "cancel", "batch_1", *state])
    waited = cli(["batches", "wait", "batch_1", *state])

    assert f"    entraide batches wait batch_1 --state {tmp_path}" in submitted.out.splitlines()
    assert ["LOT", "ÉTAT", "LIGNES"] == headings.split()[:3]
    assert row.startswith("batch_1  vérifié en ce moment  0/2")
    assert "0 sur 2 lignes" in shown.out
    assert ("in_progress", 2) == (document["state"], document["counts"]["lines"])
    assert "batch_1 · annulé" in cancelled.out
    assert 1 == waited.status
    assert "batch_2" in cli(["batches", "show", "batch_2", *state]).err


def test_what_the_pool_expects_is_said_once(
    monkeypatch: pytest.MonkeyPatch, pool: MockTransport, cli: Cli, tmp_path: Path
) -> None:
    """A wait says when the lines run and why, and a batch shows its hours, tokens and grams."""
    now = time.time()
    hours = [
        {"zone": zone, "starts_at": now, "part": 0.5, "g_per_kwh": 21.5} for zone in ("CA-QC", "XX")
    ]
    expected = {
        "reason": "later", "starts_at": now, "ends_at": now + 7_300, "hours": hours,
        "sentence": {"fr": "Les lignes attendent.", "en": "The lines wait."},
    }  # fmt: skip
    counts = {"total": 2, "completed": 1, "failed": 0}
    running = {
        "id": "batch_9", "status": "in_progress", "endpoint": "/v1/embeddings", "model": "m",
        "request_counts": counts, "entraide": {"deadline_at": now + 9_000, "expected": expected},
    }  # fmt: skip
    ended = running | {
        "status": "expired", "metadata": {"projet": "bulletin"},
        "usage": {"input_tokens": 1_200, "output_tokens": 34},
        "entraide": {"energy_wh": 0.5, "carbon_lifecycle_gco2e": 0.25, "saved_g": 1.5,
                     "saved_sentence": {"fr": "Les lignes ont consommé.", "en": "Used."}},
    }  # fmt: skip
    views = [msgspec.json.encode(view) for view in (running, running, running, ended)]
    pool._answers["GET /v1/batches/batch_9"] = views
    state = ["--state", str(tmp_path)]
    shown = cli(["batches", "show", "batch_9", *state])
    waited = cli(["batches", "wait", "batch_9", *state])
    ended["entraide"] |= {"saved_g": 9.39e-7, "carbon_lifecycle_gco2e": 0.0}
    pool._answers["GET /v1/batches/batch_9"] = [msgspec.json.encode(ended)] * 2
    saved_nothing = cli(["batches", "wait", "batch_9", *state])

    assert "Les lignes attendent." in shown.out
    assert "21,5\u00a0g\u00a0CO2e/kWh" in shown.out
    assert "50\u00a0%" in shown.out
    assert 1 == waited.err.count("Les lignes attendent.")
    assert "1 sur 2 lignes · encore 2\u00a0h environ" in waited.err
    assert "1 200 jetons de questions" in waited.out.replace("\u00a0", " ").replace("\u202f", " ")
    assert "Les lignes ont consommé." in waited.out
    assert "Le choix des heures et des machines a épargné 1,5" in waited.out
    assert "aucune différence qui compte" in saved_nothing.out
    assert "épargné" not in saved_nothing.out
    assert "projet: bulletin" in waited.out
    assert 1 == waited.status


def test_an_interrupted_wait_leaves_the_batch_running(
    monkeypatch: pytest.MonkeyPatch, pool: MockTransport, cli: Cli, tmp_path: Path
) -> None:
    """Ctrl-C ends the command with status 130 and the command that goes on."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    state = ["--state", str(tmp_path), "--lang", "en"]
    with monkeypatch.context() as patched:
        clock = SimpleNamespace(sleep=interrupt, monotonic=time.monotonic)
        patched.setattr("entraide.client.batches.sync.time", clock)
        result = cli(["batches", "submit", requests(tmp_path, "un"), "--wait", *state])
    resumed = cli(["batches", "wait", "batch_1", *state])

    assert 130 == result.status
    assert f"    entraide batches wait batch_1 --state {tmp_path}" in result.err.splitlines()
    assert (0, "batch_1 · completed") == (resumed.status, resumed.out[:19])


def test_faults_are_found_before_anything_is_sent(
    pool: MockTransport, cli: Cli, tmp_path: Path
) -> None:
    """A fault of the file is printed with its line; nothing is sent."""
    path = tmp_path / "lot.jsonl"
    path.write_text('{"messages": []}\n{"oops"\n')
    result = cli(["batches", "submit", str(path), "--state", str(tmp_path), "--lang", "en"])
    moment = cli(["batches", "submit", str(path), "--until", "demain", "--lang", "en"])

    assert 1 == result.status
    assert "line 2: This line is not valid JSON (column 8)." in result.err
    assert not pool.batches.files
    assert 2 == moment.status
    assert '"demain" is not a moment' in moment.err


NOW = dt.datetime(2026, 12, 1, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5)))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("8h", "2026-12-01T17:30:00-05:00"),
        ("90 min", "2026-12-01T11:00:00-05:00"),
        ("3j", "2026-12-04T09:30:00-05:00"),
        ("1,5d", "2026-12-02T21:30:00-05:00"),
        ("18:00", "2026-12-01T18:00:00-05:00"),
        ("09:30", "2026-12-02T09:30:00-05:00"),
        ("2026-12-05", "2026-12-05T00:00:00-05:00"),
        ("2026-12-05T08:00", "2026-12-05T08:00:00-05:00"),
        ("2026-12-05T08:00Z", "2026-12-05T08:00:00+00:00"),
    ],
)
def test_a_moment_as_a_person_writes_it(text: str, moment: str) -> None:
    """Durations count from now; times without a zone are those of the machine."""
    assert moment == read_moment(text, "fr", now=NOW).isoformat()


@pytest.mark.parametrize("text", ["", "8", "25:00", "h", "2026-13-01", "-3h"])
def test_no_moment(text: str) -> None:
    """Anything else is refused with the forms that there are."""
    with pytest.raises(Exception, match="18:00"):
        read_moment(text, "en", now=NOW)
