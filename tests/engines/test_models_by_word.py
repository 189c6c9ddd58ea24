"""A real agent that loads and unloads real models at the pool's word."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.engines.support import demo_model
from tests.integration.nats_support import NatsPool, running_pool
from tests.node.support import POWER, Peer, configure, run
from tests.waiting import eventually

from entraide import catalogue as documents
from entraide import i18n
from entraide.catalogue.signature import sign
from entraide.files import write_private
from entraide.models import Artefact, ArtefactFile, Catalogue, ModelEntry
from entraide.types import Outcome
from entraide.wire.messages import (
    CatalogueReply,
    CatalogueRequest,
    Decline,
    Hello,
    LoadFailed,
    LoadModel,
    RunEnded,
    UnloadModel,
    UsageReport,
)
from entraide_node.agent import Agent
from entraide_node.config import ModelsConfig, NodeConfig, NoEngine
from entraide_node.core.hardware import Hardware
from entraide_node.core.phases import PhaseEvent
from entraide_node.keys import POOL_KEY_NAME
from entraide_node.machine_setup import MachineSetup
from entraide_node.model_manager.catalogue_source import CatalogueSource

pytestmark = pytest.mark.engines

MACHINE = Hardware(os="linux", arch="x86_64", cpu="", cores=2, memory_bytes=64 * 1024**3)
CHAT_BODY = {"messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 6}
CUT_BYTES = 20_000_000


def entry(name: str, file: ArtefactFile, **fields: Any) -> ModelEntry:
    """A model of the catalogue with the demo's figures, and these weights."""
    known = documents.find(documents.shipped(), "smollm2-135m-instruct")
    assert known is not None
    artefact = Artefact("gguf", "Q4_1", "", files=(file,), weights_bytes=file.size_bytes)
    return msgspec.structs.replace(
        known, name=name, artefacts=(artefact,), context_tokens_max=2_048, **fields
    )


def catalogue(mirror: Path) -> Catalogue:
    """Two sound models, one whose weights are cut off, and one for a larger machine."""
    shipped = documents.find(documents.shipped(), "smollm2-135m-instruct")
    assert shipped is not None
    sound = shipped.artefacts[0].files[0]
    cut = demo_model().path.read_bytes()[:CUT_BYTES]
    mirror.mkdir()
    (mirror / "cut.gguf").write_bytes(cut)
    broken = ArtefactFile("cut.gguf", len(cut), sha256(cut).hexdigest())
    return Catalogue(7, 1e9, (
        entry("broken", broken), entry("vast", sound, kv_bytes_per_token=90_000_000),
        entry("one", sound), entry("two", sound),
    ))  # fmt: skip


class Pool:
    """The pool's side: its bus, its peer of the node, and the key that it signs with."""

    def __init__(self, bus: NatsPool, peer: Peer) -> None:
        self.bus = bus
        self.peer = peer
        self.key = Ed25519PrivateKey.generate()

    async def hand_out(self, models: Catalogue) -> None:
        """Answers the node that asks for the catalogue."""
        await self.peer.hear(CatalogueRequest, digest="")
        document = documents.write(models)
        await self.peer.tell(CatalogueReply(document, sign(document, self.key)))

    async def card_when(self, **counts: int) -> Hello:
        """Waits for a card with so many replicas, loadables, or models loading."""
        await eventually(lambda: self._matches(counts))
        return self.peer.said(Hello)[-1]

    def _matches(self, counts: dict[str, int]) -> bool:
        hellos = self.peer.said(Hello)
        return bool(hellos) and all(
            len(getattr(hellos[-1].card, name)) == count for name, count in counts.items()
        )

    async def answer(self, job: str, model: str) -> RunEnded:
        """Lets the node run a chat."""
        body = msgspec.json.encode(CHAT_BODY)
        await self.peer.send(run(job, model=model, body=body))
        return await self.peer.hear(RunEnded, job=job)


@asynccontextmanager
async def node(pool: Pool, config: NodeConfig) -> AsyncIterator[CatalogueSource]:
    """An agent without an engine of its own, at work."""
    public = base64.b64encode(pool.key.public_key().public_bytes_raw())
    write_private(Path(config.dir) / POOL_KEY_NAME, public)
    supply = CatalogueSource(config, hardware=lambda: MACHINE, root=Path(config.dir))
    await supply.open()
    agent = Agent(config, machine=MachineSetup((), POWER), model_source=supply)
    task = asyncio.create_task(agent.run())
    try:
        yield supply
    finally:
        agent.apply_event(PhaseEvent.ORPHANED)
        await task


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[Pool]:
    """A pool with a real bus."""
    async with running_pool(tmp_path / "pool") as bus:
        peer = Peer(bus)
        await peer.start()
        yield Pool(bus, peer)


def said(failed: LoadFailed, lang: str) -> str:
    """What a person reads of it."""
    return i18n.text(f"node-{failed.code.replace('_', '-')}", lang, **failed.values)


async def test_models_come_and_go_at_the_pools_word(
    pool: Pool, tmp_path: Path, engines: Callable[[], list[int]]
) -> None:
    """Two models are fetched, loaded, measured, served and unloaded; their memory is free again."""
    folder = tmp_path / "node"
    models = ModelsConfig(mirror=str(tmp_path / "mirror"), hub=False, memory_gb=3.0, threads=1)
    config = configure(pool.bus, folder, engine=NoEngine(), models=models)
    known = catalogue(tmp_path / "mirror")
    async with node(pool, config):
        first = await pool.card_when(replicas=0)
        await pool.hand_out(known)
        offered = await pool.card_when(loadable=3)
        await pool.peer.tell(LoadModel("one"))
        await pool.card_when(loading=1)
        await pool.peer.tell(LoadModel("two"))
        both = await pool.card_when(replicas=2, loading=0)
        running = len(engines())
        answers = [await pool.answer(f"job-{name}", name) for name in ("one", "two")]
        await pool.peer.tell(UnloadModel("one"))
        left = await pool.card_when(replicas=1)
        await pool.peer.send(run("job-late", model="one"))
        declined = await pool.peer.hear(Decline, job="job-late")
        await eventually(lambda: len(engines()) == 1)
        again = await pool.answer("job-again", "two")
    twin = [path.stat().st_ino for path in (folder / "models").rglob("*.gguf")]

    assert (True, "", 0) == (first.accepting, first.reason, len(first.card.loadable))
    assert ["broken", "one", "two"] == [loadable.model for loadable in offered.card.loadable]
    assert 3_000_000_000 == offered.card.models_bytes
    assert ["one", "two"] == sorted(replica.model for replica in both.card.replicas)
    assert 2 == running
    assert {Outcome.COMPLETED} == {end.outcome for end in (*answers, again)}
    assert ["one", "two"] == [msgspec.json.decode(end.body)["model"] for end in answers]
    assert all(report.usage.energy_decode_uwh > 0 for report in pool.peer.said(UsageReport))
    assert ["two"] == [replica.model for replica in left.card.replicas]
    assert "not_loaded" == declined.code
    assert [] == engines()
    assert 1 == len(set(twin)), "the same weights lie twice on the disk"
    assert [0, 0] == [
        loadable.fetch_bytes for loadable in both.card.loadable if loadable.model != "broken"
    ]


async def test_what_cannot_be_loaded_is_said(
    pool: Pool, tmp_path: Path, engines: Callable[[], list[int]]
) -> None:
    """Damaged weights, too large a model and an unknown one each come back as one sentence."""
    models = ModelsConfig(mirror=str(tmp_path / "mirror"), hub=False, memory_gb=3.0, threads=1)
    config = configure(pool.bus, tmp_path / "node", engine=NoEngine(), models=models)
    async with node(pool, config):
        await pool.hand_out(catalogue(tmp_path / "mirror"))
        await pool.card_when(loadable=3)
        failed = []
        for name in ("broken", "broken", "vast", "other"):
            count = len(pool.peer.said(LoadFailed))
            await pool.peer.tell(LoadModel(name))
            await eventually(lambda count=count: len(pool.peer.said(LoadFailed)) > count)
            failed.append(pool.peer.said(LoadFailed)[-1])
        settled = await pool.card_when(loading=0, replicas=0)

    assert ["model_damaged", "load_resting", "model_too_large", "load_unknown"] == [
        failure.code for failure in failed
    ]
    assert (True, "") == (settled.accepting, settled.reason)
    for failure in failed:
        assert all(failure.code not in said(failure, lang) for lang in i18n.LANGUAGES)
    assert [] == engines()


async def test_another_pools_catalogue_is_not_believed(pool: Pool, tmp_path: Path) -> None:
    """A catalogue that the pool did not sign changes nothing; one it signed outlives a restart."""
    config = configure(pool.bus, tmp_path / "node", engine=NoEngine())
    known = catalogue(tmp_path / "mirror")
    document = documents.write(known)
    async with node(pool, config) as supply:
        await pool.peer.hear(CatalogueRequest, digest="")
        forged = sign(document, Ed25519PrivateKey.generate())
        believed = await supply.accept_catalogue(document, forged)
        before = supply.loadable
        await pool.hand_out(known)
        await pool.card_when(loadable=3)
    async with node(pool, config) as supply:
        after = [loadable.model for loadable in supply.loadable]

    assert (False, ()) == (believed, before)
    assert ["broken", "one", "two"] == after
