"""Weights for the neighbours: only proven ones, only when turned on, found by themselves."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.node.weights import a_model, content
from tests.waiting import eventually

from entraide.catalogue.model_store import PROOFS_NAME, ModelStore
from entraide_node.engines.base import EngineProblem
from entraide_node.models import fetch, weight_share
from entraide_node.models.fetch import WeightSources
from entraide_node.models.weight_share import WeightShare, is_private, private_addresses

DATA = content(200_000)
LOOPBACK = ("127.0.0.1",)


@pytest.fixture
async def giver(tmp_path: Path) -> ModelStore:
    """A machine's store with one proven model."""
    entry, artefact = a_model(m__gguf=DATA)
    store = ModelStore(tmp_path / "giver", room_bytes=0)
    (tmp_path / "m.gguf").write_bytes(DATA)
    await fetch.fetch_weights(
        store, entry, artefact, sources=WeightSources(folders=(tmp_path,), hub=False)
    )
    return store


@pytest.fixture
async def shared(giver: ModelStore) -> AsyncIterator[WeightShare]:
    """The same, shared on loopback."""
    sharing = WeightShare(giver, addresses=LOOPBACK)
    assert await sharing.start() is None
    yield sharing
    await sharing.stop()


@pytest.fixture
async def listening(giver: ModelStore) -> AsyncIterator[WeightShare]:
    """The same, listening without being announced, which takes its seconds."""
    sharing = WeightShare(giver, addresses=LOOPBACK)
    await sharing._listen(LOOPBACK)
    yield sharing
    await sharing.stop()


def url_of(sharing: WeightShare) -> str:
    """Where its weights are: other pools on this machine may share theirs on loopback as well."""
    return f"http://127.0.0.1:{sharing.port}"


async def test_neighbours_find_each_other(shared: WeightShare, tmp_path: Path) -> None:
    """A machine that shares finds the others by itself, and fetches from them, proven."""
    entry, artefact = a_model(m__gguf=DATA)
    store = ModelStore(tmp_path / "taker", room_bytes=0)
    taker = WeightShare(store, addresses=LOOPBACK)
    assert await taker.start() is None
    try:
        url = url_of(shared)
        await eventually(lambda: url in taker.neighbours())
        sources = WeightSources(neighbours=(url,), hub=False)
        path = await fetch.fetch_weights(store, entry, artefact, sources=sources)
    finally:
        await taker.stop()

    assert isinstance(path, Path)
    assert DATA == path.read_bytes()
    assert () == taker.neighbours()


async def test_one_that_stops_is_forgotten(shared: WeightShare, giver: ModelStore) -> None:
    """A machine that shares no more is no neighbour any more."""
    other = WeightShare(giver, addresses=LOOPBACK)
    assert await other.start() is None
    url = url_of(other)
    await eventually(lambda: url in shared.neighbours())
    await other.stop()
    await eventually(lambda: url not in shared.neighbours())

    assert url not in shared.neighbours()


async def status(url: str, path: str, **headers: str) -> tuple[int, bytes]:
    """What a stranger gets there; the path goes out as it is."""
    from yarl import URL

    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(f"{url}/{path}", encoded=True), headers=headers) as reply,
    ):
        return reply.status, await reply.read()


async def test_ranges(listening: WeightShare) -> None:
    """A part of a file can be asked for, so that a broken line is taken up."""
    entry, artefact = a_model(m__gguf=DATA)
    path = f"{artefact.relative_folder(entry.name)}/m.gguf"
    reply = await status(f"http://127.0.0.1:{listening.port}", path, Range="bytes=150000-")

    assert (206, DATA[150_000:]) == reply


@pytest.mark.parametrize(
    "path",
    [
        "",
        "qwen3-8b",
        "{place}",
        "{place}/n.gguf",
        "{place}/" + PROOFS_NAME,
        "{place}/../../../secret",
        "{place}/%2e%2e/%2e%2e/%2e%2e/secret",
        "..%2f..%2fetc/passwd/x",
        "qwen3-8b/other/m.gguf",
        "{place}/unproven.gguf",
    ],
)
async def test_nothing_else_is_given(listening: WeightShare, giver: ModelStore, path: str) -> None:
    """Only verified files of the catalogue can be read, for any requested path."""
    entry, artefact = a_model(m__gguf=DATA)
    place = artefact.relative_folder(entry.name)
    (giver.folder.parent / "secret").write_bytes(b"secret")
    (giver.folder / place / "unproven.gguf").write_bytes(DATA)
    code, _ = await status(f"http://127.0.0.1:{listening.port}", path.format(place=place))

    assert 404 == code


async def test_a_changed_file_is_not_given(listening: WeightShare, giver: ModelStore) -> None:
    """A file that was changed after its verification is not served."""
    entry, artefact = a_model(m__gguf=DATA)
    giver.file_path(entry.name, artefact, artefact.files[0]).write_bytes(DATA + b"!")
    code, _ = await status(
        f"http://127.0.0.1:{listening.port}", f"{artefact.relative_folder(entry.name)}/m.gguf"
    )

    assert 404 == code


async def test_only_so_many_at_once(
    listening: WeightShare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections above the limit are refused as unavailable."""
    monkeypatch.setattr(weight_share, "SENDS_MAX", 1)
    entry, artefact = a_model(m__gguf=DATA)
    url = f"http://127.0.0.1:{listening.port}/{artefact.relative_folder(entry.name)}/m.gguf"
    async with aiohttp.ClientSession() as first, aiohttp.ClientSession() as second:
        async with first.get(url) as reply:
            await reply.read()
        async with first.get(url) as again, second.get(url) as other:
            codes = (reply.status, again.status, other.status)

    assert (200, 200, 503) == codes


async def test_nothing_listens_before_it_starts(giver: ModelStore) -> None:
    """A share that was not started has no port and no neighbours, and stops at once."""
    sharing = WeightShare(giver)
    await sharing.stop()

    assert (0, ()) == (sharing.port, sharing.neighbours())


async def test_without_a_private_address(
    giver: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without a private address shares nothing, and reports it."""
    monkeypatch.setattr(weight_share, "private_addresses", tuple)
    problem = await WeightShare(giver).start()

    assert EngineProblem("share_failed", {"detail": "no private address"}) == problem


async def test_an_address_of_another_machine(giver: ModelStore) -> None:
    """An address that is not this machine's is a problem, and nothing stays open."""
    sharing = WeightShare(giver, addresses=("192.0.2.1",))
    problem = await sharing.start()

    assert isinstance(problem, EngineProblem)
    assert ("share_failed", None) == (problem.code, sharing._runner)


def test_which_addresses_are_private() -> None:
    """Only private addresses are served, and only such addresses of this machine listen."""
    public = ["8.8.8.8", "2001:4860:4860::8888", "", "example"]

    assert [] == [address for address in public if is_private(address)]
    assert all(
        is_private(address) and not address.startswith("127.") for address in private_addresses()
    )
