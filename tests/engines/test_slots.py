"""A real llama.cpp finds a prompt again for its own partition, and for no other."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.engines.support import llamacpp, ran, request
from tests.waiting import eventually

from entraide.types import Outcome
from entraide_node.engines import prefix_files
from entraide_node.engines.base import EngineEnd, EngineRequest, HeldPrefixes
from entraide_node.engines.supervised_engine import SupervisedEngine

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

TEXT = "The minutes of the meeting name each of the members who were there. " * 6
# The toy hesitates at the first word of its answer; a prompt of more than 64 tokens.
NEAR = (
    "Résume en une phrase : Une coopérative est une entreprise qui appartient à ses membres et "
    "qu'ils dirigent ensemble."
)
KEEP_S = 600.0
ROOM = 1 << 30


@pytest.fixture
def list_states(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Lists the folders of states at rest; no other test's engine has its states there."""
    memory = prefix_files.find_memory_place()
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        monkeypatch.setattr(prefix_files, "PLACES", (folder,))
        yield lambda: [each.name for each in Path(folder).iterdir()]


def partition(owner: int, part: int = 0) -> bytes:
    """Of a person, and of one of that person's conversations."""
    return bytes([owner]) * 16 + bytes([part]) * 16


def asked(
    job: str, of: bytes, *, text: str = TEXT, keep_s: float = KEEP_S, **more: Any
) -> EngineRequest:
    """A run of a partition."""
    messages = [{"role": "user", "content": text}]
    fields: dict[str, Any] = {"messages": messages, "temperature": 0, "max_tokens": 8}
    plain = request(job, stream=False, **fields | more)
    return msgspec.structs.replace(plain, partition=of, prefix_keep_s=keep_s)


async def end_of(engine: SupervisedEngine, asked: EngineRequest) -> EngineEnd:
    """The end of a run that completes."""
    _, end = await ran(engine, asked)
    assert Outcome.COMPLETED is end.outcome, end
    return end


async def cached(engine: SupervisedEngine, of: bytes, **more: Any) -> int:
    """How many tokens a run of a partition finds again."""
    return (await end_of(engine, asked("job", of, **more))).usage.cached_tokens


def texts_of(end: EngineEnd) -> list[str]:
    """The answers of a run."""
    whole = msgspec.json.decode(end.body)
    return [choice["message"]["content"] for choice in whole["choices"]]


async def test_only_the_same_partition_finds_a_prompt_again() -> None:
    """Nor does one whose run asks for two answers, or that has no partition, help another."""
    ada, bo = partition(1), partition(2)
    async with llamacpp(slots=2) as engine:
        features = engine.facts.features
        first = await end_of(engine, asked("job-1", ada))
        others = [await cached(engine, of) for of in (bo, partition(1, 1), b"", bo[:31])]
        again = await end_of(engine, asked("job-2", ada))
        loose = await end_of(engine, asked("job-3", ada, n=2))
        after = await cached(engine, bo, text=TEXT + " ?")

    assert "prefix_cache" in features
    assert 0 == first.usage.cached_tokens == loose.usage.cached_tokens == after
    assert [0, 0, 0, 0] == others
    assert again.usage.cached_tokens == 0  # three others took both slots, and none rests
    assert texts_of(first) == texts_of(again) == texts_of(loose)[:1]


async def test_states_at_rest_let_more_partitions_than_slots_find_their_prompts(
    list_states: Callable[[], list[str]],
) -> None:
    """They are files of a memory file system, removed with the engine; the answers are the same."""
    owners = [partition(n) for n in range(5)]
    async with llamacpp(slots=2) as engine:
        engine.limit_prefixes(ROOM)
        first = [await end_of(engine, asked(f"first-{n}", of)) for n, of in enumerate(owners)]
        again = [await end_of(engine, asked(f"again-{n}", of)) for n, of in enumerate(owners)]
        folders = list_states()
        held = engine.held_prefixes()
        engine.forget_prefixes(owners[0][:16])
        forgotten = await cached(engine, owners[0])
        kept = await cached(engine, owners[3])
        engine.limit_prefixes(None)
        off = [await cached(engine, of) for of in owners]
        nothing = engine.held_prefixes()

    assert [0] * 5 == [end.usage.cached_tokens for end in first]
    assert all(end.usage.cached_tokens > end.usage.prompt_tokens / 2 for end in again)
    assert [texts_of(end) for end in first] == [texts_of(end) for end in again]
    assert {f"again-{n}" for n in range(5)} == {*held.jobs}
    assert held.blocks > 0 < held.rest_bytes
    assert 0 == forgotten < kept
    assert ([0] * 5, HeldPrefixes()) == (off, nothing)
    assert 1 == len(folders)
    assert [] == list_states()


async def test_what_is_found_again_changes_no_answer() -> None:
    """Whole or in part, the prompt gives the answer that it gives when all of it is read."""
    async with llamacpp(slots=1) as engine:
        ends = [await end_of(engine, asked("off", b"", text=NEAR, max_tokens=32))]
        for text in (NEAR, NEAR, NEAR[:60], NEAR):
            job = f"job-{len(ends)}"
            ends.append(await end_of(engine, asked(job, partition(1), text=text, max_tokens=32)))
    off, first, again, _, half = ends

    assert 0 == first.usage.cached_tokens < half.usage.cached_tokens < again.usage.cached_tokens
    assert texts_of(off) == texts_of(first) == texts_of(again) == texts_of(half)


async def test_a_prompt_is_erased_when_its_time_is_over() -> None:
    """It is not only not found: the slot is empty, and the file is gone."""
    async with llamacpp(slots=1) as engine:
        engine.limit_prefixes(ROOM)
        await end_of(engine, asked("job-1", partition(1), keep_s=0.2))
        await eventually(lambda: engine.held_prefixes() == HeldPrefixes())
        again = await cached(engine, partition(1))

    assert 0 == again


async def test_a_run_that_is_cancelled_early_leaves_nothing_to_others() -> None:
    """Runs that end before the engine answers, beside others: nobody finds a foreign prompt."""
    async with llamacpp(slots=2) as engine:
        engine.limit_prefixes(ROOM)
        for number in range(4):
            job = f"cancelled-{number}"
            run = asyncio.create_task(engine.run(asked(job, partition(9)), lambda _: None))
            await asyncio.sleep(0)
            engine.cancel(job)
            tokens = await cached(engine, partition(number))
            end = await run
            assert (0, Outcome.CANCELLED) == (tokens, end.outcome)


async def test_runs_of_one_partition_at_a_time_do_not_wait_for_each_other() -> None:
    """Two at once get two slots; each later one finds what one of them has read."""
    ada = partition(1)
    async with llamacpp(slots=2) as engine:
        ends = await asyncio.gather(
            *(end_of(engine, asked(f"job-{n}", ada, max_tokens=32)) for n in range(2))
        )
        again = await cached(engine, ada)

    assert [0, 0] == [end.usage.cached_tokens for end in ends]
    assert again > 0
