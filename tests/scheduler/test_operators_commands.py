"""The operator's commands with the folder of a founded pool, which holds no co-op's key."""

import asyncio
import io
import json
from pathlib import Path

import pytest
from pypdf import PdfReader
from tests.core.builders import MODEL
from tests.scheduler.pool_support import ADMIN_KEY, RunningScheduler
from tests.scheduler.test_service import CHAT, live_node, submit

from entraide.cli.app import run_command


class Command:
    """Runs commands with ``--state`` of a pool."""

    def __init__(
        self, pool: RunningScheduler, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._capsys = folder, capsys
        addresses = {"grpc": f"127.0.0.1:{pool.service.grpc.port}", "http": pool.gateway.url}
        (folder / "pool.json").write_text(json.dumps({**addresses, "admin_key": ADMIN_KEY}))

    async def run(self, *words: str, lang: str = "en") -> tuple[int, str]:
        """Returns the status and what the command wrote."""
        self._capsys.readouterr()
        named = [*words, "--state", str(self.folder)]
        status = await asyncio.to_thread(run_command, named, lang)
        captured = self._capsys.readouterr()
        return status, captured.err + captured.out


@pytest.fixture
def command(pool: RunningScheduler, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Commands with the folder of the pool."""
    return Command(pool, tmp_path, capsys)


@pytest.mark.parametrize(("lang", "title"), [("fr", "Relevé"), ("en", "Statement")])
async def test_the_operator_writes_the_statement_as_pdf(
    command: Command, tmp_path: Path, lang: str, title: str
) -> None:
    """No co-op's key is needed; the page is in the command's language; no other co-op exists."""
    path = tmp_path / "releve.pdf"
    status, said = await command.run("report", "--coop", "alpha", "--pdf", str(path), lang=lang)
    unknown = await command.run("report", "--coop", "nosuch", "--pdf", str(path), lang=lang)

    assert (0, True) == (status, str(path) in said)
    assert title in PdfReader(io.BytesIO(path.read_bytes())).pages[0].extract_text()
    assert (1, True) == (unknown[0], "nosuch" in unknown[1])


async def test_the_operator_lists_the_models(pool: RunningScheduler, command: Command) -> None:
    """The models are those that members may name."""
    await live_node(pool)
    status, said = await command.run("models", "list")
    as_json = await command.run("models", "list", "--json")

    assert (0, True) == (status, MODEL in said)
    assert MODEL in {each["model"] for each in json.loads(as_json[1])}


async def test_the_operator_lists_jobs_without_text_and_sender(
    pool: RunningScheduler, command: Command
) -> None:
    """Each row has the co-op, and neither the question, the key, nor the project."""
    await live_node(pool)
    key = await pool.operator.key("alpha")
    job = await submit(pool, key)
    status, said = await command.run("jobs", "list")
    as_json = await command.run("jobs", "list", "--json")
    of_beta = await command.run("jobs", "list", "--coop", "beta", "--json")
    row = json.loads(as_json[1])[0]
    (sent,) = pool.driver.core.jobs("alpha")
    texts = said + as_json[1]

    assert (0, True, True) == (status, job in said, "alpha" in said)
    assert [] == [each for each in (sent.key, CHAT["messages"][0]["content"]) if each in texts]
    assert sent.project not in row.values()
    assert {"job", "coop", "state", "job_class", "model", "submitted_at", "ended_at"} == row.keys()
    assert (job, "alpha") == (row["job"], row["coop"])
    assert [] == json.loads(of_beta[1])
