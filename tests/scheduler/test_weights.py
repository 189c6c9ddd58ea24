"""Weights: pinned files are served to approved nodes only."""

import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.scheduler.pool_support import RunningScheduler

from entraide.catalogue import shipped, with_entries
from entraide.models import Artefact, ArtefactFile
from entraide.v1 import admin_pb2
from entraide.wire import node_pass
from entraide.wire.nats import new_user_key
from entraide_scheduler.gateway.machines import NodePasses, WeightServer, weights
from entraide_scheduler.gateway.machines.weights import PART_BYTES_MAX

DATA = bytes(range(256)) * (PART_BYTES_MAX // 256) + b"the last bytes"
SHA256 = hashlib.sha256(DATA).hexdigest()
PATH = f"/weights/{SHA256}"
SEED, PUBLIC = new_user_key()
NOW = 1_800_000_000.0


@pytest.fixture
def served(tmp_path: Path) -> WeightServer:
    """Weights of one pinned file, for one approved node."""
    file = ArtefactFile("toy.gguf", len(DATA), SHA256)
    artefact = Artefact(
        format="gguf", quantisation="Q4", repository="", weights_bytes=len(DATA), files=(file,)
    )
    entry = with_one_artefact(artefact)
    place = tmp_path / artefact.relative_folder(entry.name)
    place.mkdir(parents=True)
    (place / "toy.gguf").write_bytes(DATA)
    (tmp_path / "secret").write_bytes(b"x")
    catalogue = with_entries(shipped(), entry)
    return WeightServer(
        catalogue=lambda: catalogue,
        folders=[tmp_path],
        passes=NodePasses(key_of=lambda node: PUBLIC if node == "n1" else "", now=lambda: NOW),
    )


def with_one_artefact(artefact: Artefact):
    """A model of the shipped catalogue with other weights."""
    from msgspec.structs import replace

    return replace(shipped().models[0], name="toy", artefacts=(artefact,))


def test_a_file_comes_in_pieces(served: WeightServer) -> None:
    """Pieces of bounded length, from where the download stands, make the file."""
    first = served.read_part(SHA256, 0)
    assert first is not None
    second = served.read_part(SHA256, len(first.data))
    assert second is not None

    assert DATA == first.data + second.data
    assert PART_BYTES_MAX == len(first.data)


@pytest.mark.parametrize("sha256", ["0" * 64, "../secret", "", "secret"])
def test_what_is_not_pinned_is_not_served(served: WeightServer, sha256: str) -> None:
    """Only a checksum of the catalogue leads to a file."""
    assert served.read_part(sha256, 0) is None


def test_a_file_of_another_length_is_not_served(served: WeightServer, tmp_path: Path) -> None:
    """A file that was changed since it was pinned is left alone."""
    (part,) = tmp_path.rglob("toy.gguf")
    part.write_bytes(b"short")

    assert served.read_part(SHA256, 0) is None


OTHER_SEED, _ = new_user_key()
GOOD = node_pass.write("n1", seed=SEED, path=PATH, now=NOW)


@pytest.mark.parametrize(
    ("header", "approved"),
    {
        "its own": (GOOD, True),
        "an hour's clock": (node_pass.write("n1", seed=SEED, path=PATH, now=NOW + 3_000), True),
        "old": (node_pass.write("n1", seed=SEED, path=PATH, now=NOW - 4_000), False),
        "another file": (node_pass.write("n1", seed=SEED, path="/weights/0", now=NOW), False),
        "another's key": (node_pass.write("n1", seed=OTHER_SEED, path=PATH, now=NOW), False),
        "not approved": (node_pass.write("n2", seed=SEED, path=PATH, now=NOW), False),
        "a member's key": ("Bearer ent_x", False),
        "nothing": ("", False),
        "broken": (GOOD[:-8] + "é" * 8, False),
        "digits of elsewhere": (f"Entraide-Node n1 {'٣' * 4} AAAA", False),
        "long": ("Entraide-Node " * 1_000, False),
    }.values(),
)
def test_who_is_served(served: WeightServer, header: str, approved: bool) -> None:
    """A pass counts for its node, its file and its hour."""
    assert ("n1" if approved else "") == served._passes.find_node(header, PATH)


@pytest.fixture
async def session(pool: RunningScheduler) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP session with a real pool, without a key."""
    async with aiohttp.ClientSession(pool.gateway.url) as session:
        yield session


async def test_a_revoked_node_gets_nothing(
    pool: RunningScheduler, session: aiohttp.ClientSession
) -> None:
    """Over HTTP: 401 without a pass, 404 for an unknown file, 401 once the node is revoked."""
    node = await pool.join("n1")
    path = f"{weights.PATH}{'0' * 64}"

    async def status(header: str) -> int:
        async with session.get(path, headers={"Authorization": header}) as answer:
            return answer.status

    mine = node_pass.write("n1", seed=node.identity.seed, path=path, now=time.time())
    before = [await status(""), await status(mine)]
    await pool.operator.ask("RevokeNode", admin_pb2.NodeRequest(node="n1"))

    assert [401, 404] == before
    assert 401 == await status(mine)
