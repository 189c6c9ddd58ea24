"""The pool's catalogue: stored, signed, changed with version checks, sent to nodes."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.core.builders import Pool, card, entry, replica
from tests.scheduler.pool_support import RunningScheduler
from tests.waiting import eventually

from entraide import catalogue as documents
from entraide.catalogue import InvalidCatalogue, shipped
from entraide.catalogue.signature import verify_catalogue
from entraide.errors import PoolError
from entraide.models import Artefact, ArtefactFile, Catalogue
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide_scheduler.catalogue import NAME, PoolCatalogue
from entraide_scheduler.core import events
from entraide_scheduler.gateway.jobs import model_entry
from entraide_scheduler.gateways.scheduler_adapters import _card_of
from entraide_scheduler.nats.receipt_keys import load_catalogue_key

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()


def opened(home: Path) -> PoolCatalogue:
    """The catalogue of a pool whose state is there."""
    return PoolCatalogue(home, KEY, now=lambda: 1_000.0)


def test_what_ships_is_in_force_first(tmp_path: Path) -> None:
    """Until the operator changes something, the catalogue that ships is signed and given."""
    catalogue = opened(tmp_path)

    assert shipped() == catalogue.catalogue
    assert shipped() == verify_catalogue(
        catalogue.message.document, catalogue.message.signature, PUBLIC
    )
    assert not (tmp_path / NAME).exists()


def test_a_change_is_kept(tmp_path: Path) -> None:
    """A change has the next version and its time, is signed, and outlives a restart."""
    first = opened(tmp_path)
    notifications: list[int] = []
    first.add_listener(lambda: notifications.append(first.catalogue.version))
    smaller = documents.without(shipped(), "qwen3-8b")
    message = first.replace(documents.write(smaller), base_version=shipped().version)
    again = opened(tmp_path)

    assert message is not None
    assert (shipped().version + 1, 1_000.0) == (again.catalogue.version, again.catalogue.issued_at)
    assert again.catalogue == verify_catalogue(message.document, message.signature, PUBLIC)
    assert documents.find(again.catalogue, "qwen3-8b") is None
    assert [again.catalogue.version] == notifications


def pinned(sha256: str, **changes: Any) -> Artefact:
    """An artefact with one file."""
    file = ArtefactFile("model.gguf", 10, sha256)
    return Artefact("gguf", "Q4_K_M", "", files=(file,), weights_bytes=10, **changes)


def test_a_pin_has_the_time_at_which_the_pool_got_it(tmp_path: Path) -> None:
    """The pool's clock counts, not the sender's word; a change of something else moves nothing."""
    times = iter((1_000.0, 2_000.0, 3_000.0))
    catalogue, pins = PoolCatalogue(tmp_path, KEY, now=lambda: next(times)), []
    for sha256, more in (("a" * 64, ()), ("a" * 64, (entry("other"),)), ("b" * 64, ())):
        model = entry("tiny", artefacts=(pinned(sha256, pinned_at=5.0),))
        asked = Catalogue(0, 0.0, (model, *more))
        catalogue.replace(documents.write(asked), base_version=catalogue.catalogue.version)
        model = documents.find(catalogue.catalogue, "tiny")
        pins.append(model and model.artefacts[0].pinned_at)

    assert [1_000.0, 1_000.0, 3_000.0] == pins


def test_a_model_is_listed_with_the_time_of_its_pin() -> None:
    """OpenAI's ``created`` is the pin's Unix time; 0 for weights that the catalogue lacks."""
    pool = Pool("alpha", "beta")
    artefact = pinned("a" * 64, pinned_at=1_795_612_841.5)
    models = Catalogue(1, 0.0, (entry("tiny", artefacts=(artefact,)),))
    pool.tell(events.CatalogueChanged, models)
    served = (replica("tiny", revision=artefact.checksum), replica("own"))
    pool.join(card("n1", replicas=served))
    cards = [_card_of(view, loaded=True) for view in pool.core.models()]
    entries = [model_entry(each, "pool") for each in cards]

    assert [
        ("own", 0, "1970-01-01T00:00:00Z"),
        ("tiny", 1_795_612_841, "2026-11-25T13:20:41Z"),
    ] == [(each.id, each.created, each.created_at) for each in entries]


def test_two_changes_of_one_version(tmp_path: Path) -> None:
    """Of two changes made of the same version the second is not taken."""
    pool = opened(tmp_path)
    base = pool.catalogue.version
    first = pool.replace(
        documents.write(documents.without(shipped(), "qwen3-8b")), base_version=base
    )
    second = pool.replace(documents.write(shipped()), base_version=base)

    assert first is not None
    assert second is None
    assert documents.find(pool.catalogue, "qwen3-8b") is None


def test_an_unsound_change(tmp_path: Path) -> None:
    """An unsound change is refused, and what was in force stays so."""
    pool = opened(tmp_path)
    with pytest.raises(InvalidCatalogue):
        pool.replace(b'{"version": 1}', base_version=pool.catalogue.version)

    assert shipped() == pool.catalogue
    assert not (tmp_path / NAME).exists()


def test_a_damaged_catalogue(tmp_path: Path) -> None:
    """A pool does not start with a catalogue that nobody can read, and names the file."""
    (tmp_path / NAME).write_bytes(b"{")

    with pytest.raises(PoolError) as refused:
        opened(tmp_path)
    assert "config_refused" == refused.value.code
    assert str(tmp_path / NAME) == refused.value.values["path"]


async def test_nodes_ask_and_are_told(pool: RunningScheduler, tmp_path: Path) -> None:
    """A node gets the signed catalogue when it lacks it, nothing when it has it, and changes."""
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: node.received(m.Welcome))
    await node.send(m.CatalogueRequest(""))
    await eventually(lambda: node.received(m.CatalogueReply))
    first = node.received(m.CatalogueReply)[0]
    await node.send(m.CatalogueRequest(documents.digest(first.document)))
    answer = await pool.operator.ask("GetCatalogue", admin_pb2.GetCatalogueRequest())
    changed = documents.without(documents.read(answer.document), "qwen3-8b")
    request = admin_pb2.SetCatalogueRequest(
        document=documents.write(changed), base_version=changed.version
    )
    after = await pool.operator.ask("SetCatalogue", request)
    await eventually(lambda: len(node.received(m.CatalogueReply)) == 2)
    second = node.received(m.CatalogueReply)[1]
    key = load_catalogue_key(Path(pool.service._config.dir)).public_key()
    public = base64.b64encode(key.public_bytes_raw()).decode()

    assert (first.document, first.signature) == (answer.document, answer.signature)
    assert isinstance(verify_catalogue(first.document, first.signature, public), Catalogue)
    assert after.document == second.document
    assert changed.version + 1 == json.loads(second.document)["version"]
