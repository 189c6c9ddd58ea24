"""A co-op's memory on a pool of two co-ops: the guide's commands, real engines and real models."""

import asyncio
import os
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from tests.engines.sentence_model import NAME
from tests.engines.sentence_node import TEXT_MODEL, sentence_node
from tests.engines.support import DEADLINE_S
from tests.integration.nats_support import running_pool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.testbed.guides import read_blocks

pytestmark = [
    pytest.mark.engines,
    pytest.mark.checkout,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/memoire"
PAGE = "memory.fr.md"
OWN, OTHER = "alpha", "beta"

QUESTIONS = {
    "Combien de personnes compte le conseil ?": "statuts.md – Article 4",
    "Quand se tient l’assemblée générale annuelle ?": "statuts.md – Article 3",
    "Qui compare les camionnettes électriques ?": "proces-verbal-2026-03.md – Camionnette",
    "Quel est le prix de la brioche ?": "tarifs.txt",
    "Quelle offre pour reconstruire le four à bois ?": "proces-verbal-2026-03.md – Four à bois",
}
OFF_TOPIC = ("Qui a découvert la pénicilline ?", "Quelle est la hauteur de la tour Eiffel ?")
MAKE_DOCUMENTS = """
import docx
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject as Name

word = docx.Document()
word.add_heading("Chorale", 1)
word.add_paragraph("La chorale du village chante le jeudi soir.")
word.save("documents/chorale.docx")
pdf = PdfWriter()
page = pdf.add_blank_page(300, 99)
font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
names = DictionaryObject({Name(key): Name(value) for key, value in font.items()})
fonts = DictionaryObject({Name("/F"): names})
page[Name("/Resources")] = DictionaryObject({Name("/Font"): fonts})
text = DecodedStreamObject()
text.set_data(b"BT /F 12 Tf 9 50 Td (Le chien de garde se nomme Filou.) Tj ET")
page[Name("/Contents")] = text
pdf.write("documents/chien.pdf")
"""


class Office:
    """An office with the example's folder, an environment of its own and a key of its co-op.

    Attributes:
        home: home folder.
        folder: copy of the example.
    """

    def __init__(self, home: Path, url: str, key: str, store: Path) -> None:
        self.home = home
        self.folder = home / "memoire-exemple"
        self.url = url
        self.key = key
        self._store = store
        shutil.copytree(EXAMPLE, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        settings = {"HOME": str(home), "ENTRAIDE_URL": url, "ENTRAIDE_KEY": key}
        self._environment = os.environ | settings

    async def run(self, script: str) -> str:
        """Runs a shell script in the example's folder; returns what it prints."""
        process = await asyncio.create_subprocess_exec(
            "bash", "-ec", script, cwd=self.folder, env=self._environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        printed, _ = await process.communicate()
        assert 0 == process.returncode, printed.decode()
        return printed.decode().replace("\u00a0", " ")

    async def step(self, step: str, question: str = "") -> str:
        """Runs a step of the guide, with the models of the test and perhaps another question."""
        (text,) = (block.text for block in read_blocks(PAGE) if block.step == step)
        if question:
            text = re.sub(r'"[^"]+"', f'"{question}"', text)
        models = f" --sentences {NAME} --model {TEXT_MODEL} --tokens 40"
        return await self.run(text if step == "install" else text.strip() + models)

    def settled(self) -> Counter[tuple[str, str, str]]:
        """The settled jobs by lender, node and model."""
        with closing(sqlite3.connect(f"file:{self._store}?mode=ro", uri=True)) as store:
            rows = store.execute("SELECT lender, node, model FROM settled")
            return Counter((str(lender), str(node), str(model)) for lender, node, model in rows)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """The office; its co-op has a machine in Alberta, the other co-op a greener one in Québec."""
    folder, home = tmp_path_factory.mktemp("pool"), tmp_path_factory.mktemp("home")
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(running_pool(folder))
        scheduler = await stack.enter_async_context(running_scheduler(folder, bus))
        for name, coop, zone in (("own", OWN, "CA-AB"), ("other", OTHER, "CA-QC")):
            await stack.enter_async_context(
                sentence_node(scheduler, folder / name, name=name, coop=coop, zone=zone)
            )
        key = await scheduler.operator.key(OWN)
        made = Office(home, scheduler.gateway.url, key, folder / "store.db")
        async with asyncio.timeout(DEADLINE_S):
            while await count_replicas(scheduler) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await made.step("install")
        yield made


async def count_replicas(scheduler: RunningScheduler) -> int:
    """How many models the live machines serve together."""
    nodes = [await scheduler.operator.node(name) for name in ("own", "other")]
    return sum(len(node.models) for node in nodes)


async def test_the_documents_answer_with_their_sources(office: Office) -> None:
    """Five questions find their passages; the answer names them, and the machine of the co-op."""
    read = await office.step("read")
    answers = {question: await office.step("ask", question) for question in QUESTIONS}
    guide = await office.step("ask")

    assert "3 lus, 0 inchangés, 0 retirés" in read
    assert {} == {
        question: answer
        for question, answer in answers.items()
        if f"] {QUESTIONS[question]}" not in answer
    }
    assert "] tarifs.txt – Les Trois Clochers" in guide
    assert {True} == {f"Répondu par own ({OWN})." in answer
                      for answer in (*answers.values(), guide)}  # fmt: skip


async def test_it_says_that_nothing_answers(office: Office) -> None:
    """Off-topic questions get a plain sentence, no source, and ask no model for text."""
    await office.step("read")
    before = office.settled()
    answers = [await office.step("nothing")]
    answers += [await office.step("nothing", question) for question in OFF_TOPIC]
    used = office.settled() - before

    assert ["Rien dans les documents ne répond à cette question."] * 3 == [
        answer.strip() for answer in answers
    ]
    assert {NAME} == {model for _, _, model in used}


async def test_only_an_edited_document_is_read_again(office: Office) -> None:
    """Unchanged documents are not embedded again; deleted ones leave; an unreadable one stays."""
    await office.step("read")
    same_from = office.settled()
    same = await office.step("read")
    edited_from = office.settled()
    prices, minutes = (office.folder / "documents" / n for n in ("tarifs.txt", "pv.pdf"))
    prices.write_text(prices.read_text("utf-8").replace("4,75 $", "5,25 $"), "utf-8")
    edited = await office.step("read")
    embedded = office.settled() - edited_from
    (office.folder / "documents/statuts.md").unlink()
    minutes.write_bytes(b"no PDF")
    gone = await office.step("read")
    answer = await office.step("ask", "Quel est le quorum de l’assemblée générale ?")
    minutes.unlink()
    shutil.copy(EXAMPLE / "documents/statuts.md", office.folder / "documents")

    assert "0 lus, 3 inchangés, 0 retirés" in same
    assert edited_from == same_from
    assert "tarifs.txt : 1 passages lus" in edited
    assert "1 lus, 2 inchangés, 0 retirés" in edited
    assert {(OWN, "own", NAME): 2} == embedded  # its passage, and the questions beside it
    assert "statuts.md : retiré" in gone
    assert "pv.pdf : illisible" in gone
    assert "statuts.md" not in answer


async def test_pdf_and_word_documents_are_read(office: Office) -> None:
    """Their text answers as that of the others does."""
    (office.folder / "make.py").write_text(MAKE_DOCUMENTS)
    await office.run("~/memoire/bin/python make.py")
    await office.step("read")
    dog = await office.step("ask", "Comment se nomme le chien de garde ?")
    choir = await office.step("ask", "Quand chante la chorale du village ?")

    assert "] chien.pdf – Le chien de garde se nomme Filou." in dog
    assert "] chorale.docx – Chorale" in choir


async def test_the_memory_is_the_accounts_own(office: Office) -> None:
    """Its texts can be read by no other account."""
    await office.step("read")

    assert 0o600 == (office.home / "memoire.db").stat().st_mode & 0o777


async def test_no_machine_of_another_co_op_gets_anything(office: Office) -> None:
    """All jobs of the memory ran on the co-op's machine, though the other one is greener."""
    await office.step("read")
    await office.step("ask")
    of_memory = office.settled()
    async with AsyncOpenAI(base_url=f"{office.url}/v1", api_key=office.key) as client:
        open_to_all = await client.embeddings.create(model=NAME, input="Bonjour")

    assert {(OWN, "own")} == {(lender, node) for lender, node, _ in of_memory}
    assert (OTHER, "other") == (
        open_to_all.model_extra["entraide"]["node_coop"],  # type: ignore[index]
        open_to_all.model_extra["entraide"]["node"],  # type: ignore[index]
    )
