"""``entraide models evaluate``: the price first, nothing twice, the result in the catalogue."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from tests.sdk import scripted_answers as scripted
from tests.sdk.conftest import Cli, CliResult, ServedPool, of

from entraide import catalogue as documents
from entraide.client import MockTransport
from entraide.enums import Task
from entraide.errors import error_for
from entraide.models import TaskQuality

MODEL = "qwen3-8b"
WEIGHTS = "sha256:" + "a" * 64
PROMPTS = {
    item.prompt: item
    for task in (Task.COMPUTE, Task.ANSWER)
    for item in scripted.items_of(task, "fr", 60)
}
Evaluate = Callable[..., CliResult]


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Computes right, and answers nothing else."""
    item = PROMPTS[body["messages"][-1]["content"]]
    text = scripted.answer(item, "polite" if item.task == "compute" else "ignorant")
    receipt = {"node": "on-1", "engine": "llama.cpp/1", "model_revision": WEIGHTS, "job": "job-1",
               "energy_wh": 0.25, "energy_basis": "estimated", "output_tokens": 12}  # fmt: skip
    return {"choices": [{"message": {"content": text}}], "entraide": receipt}


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, served: ServedPool) -> MockTransport:
    """The batches of the pool in memory; the rest of it is that of ``served``."""
    transport = MockTransport(answer_line=answer)
    monkeypatch.setattr("entraide.client.failover.GrpcTransport", lambda *_, **__: transport)
    monkeypatch.setattr("entraide.client.batches.waiting.BATCH_POLL_MIN_S", 0.0)
    monkeypatch.setattr("entraide.client.batches.waiting.BATCH_POLL_PART", 0.0)
    return transport


@pytest.fixture
def evaluate(pool: MockTransport, served: ServedPool, cli: Cli) -> Evaluate:
    """Runs the command on the French cells of two tasks."""

    def run(*more: str) -> CliResult:
        cells = ["--task", "compute", "--task", "answer", "--language", "fr"]
        arguments = ["models", "evaluate", MODEL, *cells, "--state", str(served.state)]
        return cli([*arguments, "--lang", "en", *more])

    return run


def asked(pool: MockTransport) -> list[str]:
    """The names of all items that were sent, in all batches."""
    lines = [line for file in pool.batches.files.values() for line in file.splitlines()]
    return [json.loads(line)["custom_id"] for line in lines]


def interrupted(monkeypatch: pytest.MonkeyPatch, evaluate: Evaluate) -> CliResult:
    """Runs the command until the first wait, where somebody presses Ctrl-C."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        clock = SimpleNamespace(sleep=interrupt, monotonic=time.monotonic)
        patched.setattr("entraide.client.batches.sync.time", clock)
        return evaluate("--yes")


def test_the_price_is_told_first(pool: MockTransport, evaluate: Evaluate) -> None:
    """Without a yes nothing is asked: the command says how many questions, tokens, Wh and hours."""
    result = evaluate()

    assert 1 == result.status
    assert "2 cells of task and language; 20 questions in the next round, 800 in all" in result.err
    assert " tokens read and " in result.err
    assert " Wh and " in result.err
    assert "the catalogue's estimate for its reference machine" in result.err
    assert "--yes" in result.err
    assert [] == asked(pool)


def test_the_price_is_that_of_a_machine_of_the_pool(
    monkeypatch: pytest.MonkeyPatch, served: ServedPool, evaluate: Evaluate
) -> None:
    """Where a machine serves the model, its benchmark tells time and energy, and is named."""
    node = served.admin._node()
    node.models[:] = [MODEL]
    node.tpot_base_s, node.tpot_per_sequence_s = 0.9, 0.1
    monkeypatch.setattr(served.admin, "_node", lambda: node)
    result = evaluate()
    figures = r"and ([\d,]+) written, ([\d,]+) Wh and .* measured speed and the power of on-1"
    said = re.search(figures, result.err)
    assert said is not None, result.err
    written, wh = (int(number.replace(",", "")) for number in said.groups())

    assert wh == pytest.approx(40.0 * written / 3_600, rel=0.1)


def test_what_is_measured_goes_into_the_catalogue(
    pool: MockTransport, served: ServedPool, evaluate: Evaluate
) -> None:
    """Each cell ends when it is decided; the catalogue gets cells and figures, others stay."""
    other = TaskQuality(Task.ANSWER, "en", 0.5, 0.3, 0.7, 20, "1", "c" * 64)
    before = of(served, MODEL)
    served.admin.catalogue = documents.with_entries(
        served.admin.catalogue, replace(before, quality=(other,))
    )
    result = evaluate("--yes")
    entry = of(served, MODEL)
    cells = {(cell.task.value, cell.language): cell for cell in entry.quality}
    (figures,) = entry.figures

    assert 0 == result.status, result.err
    assert {
        ("compute", "fr"): (1.0, 25),
        ("answer", "fr"): (0.0, 10),
        ("answer", "en"): (0.5, 20),
    } == {name: (cell.rate, cell.n) for name, cell in cells.items()}
    assert cells["compute", "fr"].low >= 0.8 > cells["answer", "fr"].high
    assert WEIGHTS == cells["compute", "fr"].weights
    assert ("mac-mini-m4", "llama.cpp", 35, 6.0, 0.25) == (
        figures.machine, figures.engine, figures.answers, figures.tokens_per_s,
        figures.energy_wh_per_answer,
    )  # fmt: skip
    assert before.artefacts == entry.artefacts
    assert "fr, compute: good enough" in result.out
    assert "fr, answer: not good enough" in result.out
    assert len(asked(pool)) == len(set(asked(pool))) == 35
    assert not list((served.state / "evaluations").iterdir())


def test_an_interrupted_evaluation_goes_on(
    monkeypatch: pytest.MonkeyPatch, pool: MockTransport, served: ServedPool, evaluate: Evaluate
) -> None:
    """After Ctrl-C nothing is asked twice; beginning anew is refused while a batch may run."""
    stopped = interrupted(monkeypatch, evaluate)
    anew = evaluate("--yes")
    resumed = evaluate("--yes", "--resume")

    assert 130 == stopped.status
    assert f"entraide models evaluate {MODEL} --resume" in stopped.err
    assert 0 != anew.status
    assert 0 == resumed.status, resumed.err
    assert len(asked(pool)) == len(set(asked(pool))) == 35
    assert {10, 25} == {cell.n for cell in of(served, MODEL).quality}


def test_a_batch_whose_name_was_lost_is_found(
    monkeypatch: pytest.MonkeyPatch, pool: MockTransport, served: ServedPool, evaluate: Evaluate
) -> None:
    """A command that died before it noted the name of its batch asks nothing again."""
    interrupted(monkeypatch, evaluate)
    (path,) = (served.state / "evaluations").iterdir()
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "batch": ""}))
    resumed = evaluate("--yes", "--resume")

    assert 0 == resumed.status, resumed.err
    assert len(asked(pool)) == len(set(asked(pool))) == 35


def test_nothing_to_resume(evaluate: Evaluate, served: ServedPool, tmp_path: Path) -> None:
    """Without an interrupted evaluation, or with one of other questions, none is resumed."""
    none = evaluate("--resume", "--yes")
    folder = served.state / "evaluations"
    folder.mkdir()
    state = {"evaluation": "e", "model": MODEL, "seed": 0, "items_max": 400, "cells": [],
             "items_version": "0"}  # fmt: skip
    (folder / f"{MODEL}.json").write_text(json.dumps(state))
    changed = evaluate("--resume", "--yes")

    assert "was interrupted" in none.err
    assert "questions changed" in changed.err


def test_an_embedding_model_is_asked_nothing(
    pool: MockTransport, served: ServedPool, cli: Cli
) -> None:
    """A model that only computes embeddings answers no question, so no price is told."""
    result = cli(["models", "evaluate", "bge-m3", "--state", str(served.state), "--lang", "en"])

    assert 1 == result.status
    assert '"bge-m3" only computes embeddings' in result.err
    assert [] == asked(pool)


def test_no_answer_is_said(
    monkeypatch: pytest.MonkeyPatch, pool: MockTransport, served: ServedPool, evaluate: Evaluate
) -> None:
    """A round that nobody answered ends the command, and the catalogue stays as it was."""
    monkeypatch.setattr(pool.batches, "_answer_line", _refuse)
    result = evaluate("--yes")

    assert 0 != result.status
    assert "answered no question of batch batch_1" in result.err
    assert () == of(served, MODEL).quality


def _refuse(_: dict[str, Any]) -> dict[str, Any]:
    raise error_for("no_model_fits", "No machine.")
