"""Weights from a server that speaks the hub's API, through the hub's own library."""

import asyncio
import resource
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.node.weights import COMMIT, Hub, a_hub, a_model, cancelled, content, left

from entraide.catalogue.hub import ENDPOINT_VARIABLE
from entraide.catalogue.model_store import PART_SUFFIX, ModelStore
from entraide_node.engines.base import EngineProblem
from entraide_node.models import fetch
from entraide_node.models.fetch import WeightSources

DATA = content(300_000)
OTHER = content(300_000, seed=2)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store that has nothing, on a disk that it may fill."""
    return ModelStore(tmp_path / "store", room_bytes=0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's attempts follow one another at once, and the real hub is never asked."""
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    at_once = SimpleNamespace(sleep=lambda _: None, time=time.time, monotonic=time.monotonic)
    monkeypatch.setattr("huggingface_hub.utils._http.time", at_once)
    monkeypatch.setattr("huggingface_hub.file_download.time", at_once)


HUB_FILES = {"m.gguf": DATA, "config.json": b"{}"}


@pytest.fixture
async def from_the_hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """A hub on loopback, and its address where the library looks for it."""
    async with a_hub(HUB_FILES, large=("m.gguf",)) as served:
        monkeypatch.setenv(ENDPOINT_VARIABLE, served.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield served


async def test_from_the_hub(store: ModelStore, from_the_hub: Hub) -> None:
    """Only the files that are named come from the hub, at the pinned revision."""
    entry, artefact = a_model(m__gguf=DATA)
    progress: list[int] = []
    path = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources(),
                             tell=lambda done, _whole: progress.append(done))  # fmt: skip

    assert isinstance(path, Path)
    assert DATA == path.read_bytes()
    assert len(DATA) == progress[-1]
    assert all("config.json" not in asked for _, asked, _ in from_the_hub.asked)
    assert any(f"/resolve/{COMMIT}/m.gguf" in asked for _, asked, _ in from_the_hub.asked)
    assert [] == list(path.parent.rglob(f"*{PART_SUFFIX}"))


async def test_a_hub_that_breaks_off(
    store: ModelStore,
    from_the_hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line to the hub that breaks is taken up where it broke."""
    entry, artefact = a_model(m__gguf=DATA)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 20_000)
    from_the_hub.break_after = 120_000
    path = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())
    ranges = [wanted for method, asked, wanted in from_the_hub.asked
              if method == "GET" and asked.startswith("/cdn/")]  # fmt: skip

    assert isinstance(path, Path)
    assert DATA == path.read_bytes()
    assert ranges[0] == ""
    assert 2 < len(ranges) < 6
    assert all(int(after[6:-1]) > 0 for after in ranges[1:])
    assert sorted(ranges[1:], key=lambda wanted: int(wanted[6:-1])) == ranges[1:]


async def test_a_fetch_goes_on_after_a_restart(store: ModelStore, from_the_hub: Hub) -> None:
    """A partial file of an earlier process is continued where it ends."""
    entry, artefact = a_model(m__gguf=DATA)
    part = store.part_path(entry.name, artefact, artefact.files[0])
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA[:200_000])
    path = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())
    ranges = [wanted for _, asked, wanted in from_the_hub.asked if asked.startswith("/cdn/")]

    assert isinstance(path, Path)
    assert (DATA, ["bytes=200000-"]) == (path.read_bytes(), ranges)


async def test_a_hub_that_sends_more(store: ModelStore, from_the_hub: Hub) -> None:
    """A hub that sends more than the file is long is stopped, and nothing is left of it."""
    entry, artefact = a_model(m__gguf=DATA)
    from_the_hub.wrong["m.gguf"] = DATA + OTHER
    problem = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())

    assert isinstance(problem, EngineProblem)
    assert ("checksum_wrong", []) == (problem.code, left(store))


async def test_a_hub_that_sends_wrong_bytes(store: ModelStore, from_the_hub: Hub) -> None:
    """Wrong bytes of the right length from the hub are refused and deleted."""
    entry, artefact = a_model(m__gguf=DATA)
    from_the_hub.wrong["m.gguf"] = OTHER
    problem = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())

    assert isinstance(problem, EngineProblem)
    assert ("checksum_wrong", []) == (problem.code, left(store))


async def test_a_hub_that_fills_the_disk(store: ModelStore, from_the_hub: Hub) -> None:
    """A full disk during a fetch from the hub is a problem, and nothing is left of it."""
    entry, artefact = a_model(m__gguf=DATA)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        problem = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert isinstance(problem, EngineProblem)
    assert ("disk_full", []) == (problem.code, left(store))


async def test_what_the_hub_refuses(store: ModelStore, from_the_hub: Hub) -> None:
    """Terms that were not accepted, and files that are gone, have sentences of their own."""
    entry, artefact = a_model(m__gguf=DATA)
    gone = replace(artefact, files=(replace(artefact.files[0], name="n.gguf"),))
    missing = await fetch.fetch_weights(store, entry, gone, sources=WeightSources())
    from_the_hub.gated = True
    gated = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())

    assert isinstance(missing, EngineProblem)
    assert isinstance(gated, EngineProblem)
    assert ("model_not_on_hub", "model_gated") == (missing.code, gated.code)


async def test_a_hub_that_is_not_there(store: ModelStore) -> None:
    """An unreachable hub is a problem, and the fetch ends."""
    entry, artefact = a_model(m__gguf=DATA)
    problem = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())

    assert isinstance(problem, EngineProblem)
    assert "fetch_failed" == problem.code


async def test_a_fetch_that_is_given_up(
    store: ModelStore, from_the_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's thread has ended before the place is free for another."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 20_000)
    entry, artefact = a_model(m__gguf=DATA)
    loop, begun, held = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    progress: list[int] = []

    def tell(done: int, _whole: int) -> None:
        progress.append(done)
        loop.call_soon_threadsafe(begun.set)
        held.wait(20)

    work = asyncio.create_task(
        fetch.fetch_weights(store, entry, artefact, sources=WeightSources(), tell=tell)
    )
    ending = asyncio.create_task(cancelled(work, begun))
    await begun.wait()
    while not work.cancelling():  # noqa: ASYNC110  (another task does it)
        await asyncio.sleep(0)
    waits = not work.done()
    held.set()
    ended = await ending
    path = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())

    assert waits
    assert ended
    assert 1 == len(progress)
    assert isinstance(path, Path)
