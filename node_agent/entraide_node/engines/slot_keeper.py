"""Slot keeper: carries out the plans for llama.cpp's slots, so that a run finds its own prompts.

Input: runs as they begin and end. Output: the fields of each request that name its slot, and
requests to llama.cpp that erase a slot, or save its state in a file and restore it from there
(``prefix_files``). ``core.prefix_slots`` decides. A run gets the cache only after the engine has
said that its slot is erased; if it does not say so, the run is sent without the cache.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

import msgspec
import structlog

from entraide.wire.messages import PARTITION_BYTES
from entraide_node.core.prefix_slots import SlotContent, SlotPlan, SlotTable
from entraide_node.engines.base import EngineRequest, HeldPrefixes
from entraide_node.engines.prefix_files import PrefixFiles
from entraide_node.engines.prefix_keeper import PrefixLease, count_blocks
from entraide_node.engines.retention import random_words
from entraide_node.engines.untrusted_json import parse_count, parse_object

ACTION_TIMEOUT_S = 30.0  # the engine does it between two of its steps
PROBE_WORDS, PROBE_TIMEOUT_S = 6, 120.0

# Sends a POST request to the engine; returns its answer, b"" if it refused or was silent.
Post = Callable[[str, bytes, float], Awaitable[bytes]]


class SlotKeeper:
    """The slots of one process of llama.cpp; see ``prefix_keeper.PrefixKeeper``."""

    def __init__(
        self, post: Post, *, slots: int, clock: Callable[[], float], files: PrefixFiles | None
    ) -> None:
        """All slots are empty.

        Args:
            post: to the process.
            slots: number of them.
            clock: monotonic, seconds.
            files: for states at rest; None where no file system is only in memory.
        """
        self._post = post
        self._clock = clock
        self._files = files
        self._table = SlotTable(slots)
        self._keeps = True
        self._changed = asyncio.Event()
        self._turn = asyncio.Event()  # set, and replaced, when a slot may have become free
        self._tending: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("entraide.node")

    async def take(self, request: EngineRequest, body: dict[str, Any]) -> PrefixLease:
        """See ``PrefixKeeper``."""
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend())
        choices = _count_choices(body)
        if choices > 1:
            return await self._take_loose(choices)
        is_kept = self._keeps and request.prefix_keep_s > 0
        partition = request.partition if is_kept else b""
        if len(partition) != PARTITION_BYTES:
            partition = b""
        while (plan := self._table.take(partition, at=self._clock())) is None:
            await self._wait()
        finds = False
        try:
            finds = await self._prepare(plan)
        except BaseException:
            self._release(plan, request, tokens=0, keeps=False)
            raise
        keeps = finds and bool(plan.partition)
        return PrefixLease(
            {"id_slot": plan.slot, "cache_prompt": keeps},
            on_begun=lambda: self._note_begun(plan.slot),
            on_end=lambda tokens, _: self._release(plan, request, tokens=tokens, keeps=keeps),
        )

    async def _take_loose(self, choices: int) -> PrefixLease:
        """A run of several choices or prompts, for which the engine takes further slots itself."""
        while (plan := self._table.take_loose(choices, at=self._clock())) is None:
            await self._wait()

        def end(_tokens: int, is_clean: bool) -> None:
            self._table.end_loose(plan, at=self._clock(), is_clean=is_clean)
            self._note_change()

        try:
            for number in plan.lost:
                await self._save(number, self._table.slots[number].partition)
        except BaseException:
            self._table.begin_loose(plan)
            end(0, True)
            raise
        self._table.begin_loose(plan)
        self._note_change()
        return PrefixLease({"id_slot": plan.slots[0], "cache_prompt": False}, on_end=end)

    async def _prepare(self, plan: SlotPlan) -> bool:
        """Prepares a slot; returns whether its run may look for its prompt there."""
        if plan.saves:
            await self._save(plan.slot, plan.saves)
        if plan.erases and not await self._erase(plan.slot):
            return False
        return not plan.restores or await self._restore(plan.slot, plan.partition)

    def _note_begun(self, number: int) -> None:
        self._table.note_begun(number)
        self._note_change()

    def _release(self, plan: SlotPlan, request: EngineRequest, *, tokens: int, keeps: bool) -> None:
        self._table.release(
            plan.slot, at=self._clock(), keep_s=request.prefix_keep_s, job=request.job,
            tokens=tokens, keeps=keeps,
        )  # fmt: skip
        self._note_change()

    def limit(self, rest_bytes_max: int | None) -> None:
        """See ``PrefixKeeper``."""
        self._keeps = rest_bytes_max is not None
        if self._files is not None:
            self._files.limit(rest_bytes_max or 0)
        if not self._keeps:
            self.forget(b"")

    def forget(self, owner: bytes) -> None:
        """See ``PrefixKeeper``."""
        self._table.forget(owner)
        if self._files is not None:
            self._files.forget(owner)
        self._note_change()

    def held(self) -> HeldPrefixes:
        """See ``PrefixKeeper``."""
        slots = [s for s in self._table.slots if s.content is SlotContent.HELD and s.job]
        held = {slot.partition: (slot.used_at, slot.job, slot.tokens) for slot in slots}
        rest_bytes = 0
        if self._files is not None:
            held = self._files.jobs() | held
            rest_bytes = self._files.size
        newest = sorted(held.values(), reverse=True)
        return HeldPrefixes(
            jobs=tuple(job for _, job, _ in newest),
            rest_bytes=rest_bytes,
            blocks=sum(count_blocks(tokens) for _, _, tokens in newest),
        )

    async def close(self) -> None:
        """See ``PrefixKeeper``."""
        if self._tending is not None:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        if self._files is not None:
            self._files.close()

    # What happens between runs.

    async def _tend(self) -> None:
        """Erases what nobody may find any more, and saves the state that gives way next."""
        while True:
            self._changed.clear()
            try:
                await self._tend_once()
            except OSError as error:  # of the files' folder
                self._log.warning("engine.prefix_files", detail=str(error))
            deadline = self._table.next_deadline()
            if self._files is not None:
                deadline = min(deadline, self._files.next_deadline())
            wait_s = None if deadline == inf else max(0.0, deadline - self._clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    async def _tend_once(self) -> None:
        if self._files is not None:
            self._files.expire(self._clock())
        for number in self._table.due(self._clock()):
            if self._table.slots[number].is_busy:  # taken meanwhile
                continue
            self._table.reserve(number)
            is_erased = False
            try:
                is_erased = await self._erase(number)
            finally:
                content = SlotContent.EMPTY if is_erased else SlotContent.UNKNOWN
                self._table.finish(number, content)
                self._note_change()
        number_to_save = self._table.next_to_save()
        if number_to_save is None or self._files is None or not self._files.limit_bytes:
            return
        partition = self._table.reserve(number_to_save).partition
        try:
            await self._save(number_to_save, partition)
        finally:
            # Tried once: a state that does not fit is not tried until a run has used its slot.
            self._table.finish(number_to_save, SlotContent.HELD, is_saved=True)
            self._note_change()

    def _note_change(self) -> None:
        self._changed.set()
        changed, self._turn = self._turn, asyncio.Event()
        changed.set()

    async def _wait(self) -> None:
        await self._turn.wait()

    # Requests to the engine.

    async def _erase(self, number: int) -> bool:
        if await _erase(self._post, number):
            return True
        self._table.doubt(number, at=self._clock())
        return False

    async def _save(self, number: int, partition: bytes) -> bool:
        """Saves a slot's state at rest; returns whether it is there."""
        slot, files = self._table.slots[number], self._files
        name = files.make_room(partition, slot.tokens) if files is not None else ""
        if files is None or not name:
            return False
        answer = await self._act(number, "save", name)
        return files.add(
            partition, name, size=parse_count(answer.get("n_written")),
            tokens=parse_count(answer.get("n_saved")), job=slot.job, used_at=slot.used_at,
            expires_at=slot.expires_at,
        )  # fmt: skip

    async def _restore(self, number: int, partition: bytes) -> bool:
        """Restores a partition's state, if one is at rest; False if it is not known what it did."""
        name = self._files.file_of(partition) if self._files is not None else ""
        if self._files is None or not name:
            return True
        answer = await self._act(number, "restore", name)
        if parse_count(answer.get("n_restored")) > 0:
            return True
        self._files.remove(partition)
        self._table.doubt(number, at=self._clock())
        return False

    async def _act(self, number: int, action: str, filename: str) -> dict[str, Any]:
        body = msgspec.json.encode({"filename": filename})
        path = f"/slots/{number}?action={action}"
        return parse_object(await self._post(path, body, ACTION_TIMEOUT_S))


async def keeps_apart(post: Post) -> bool:
    """Whether an engine finds a prompt again in its slot, and does not once the slot is erased.

    It is asked with random words in slot 0, which is empty before and after.
    """
    prompt = random_words(PROBE_WORDS)
    cached = []
    for erases in (False, False, True):
        if erases and not await _erase(post, 0):
            return False
        body = {"prompt": prompt, "n_predict": 1, "id_slot": 0, "cache_prompt": True}
        answer = await post("/completion", msgspec.json.encode(body), PROBE_TIMEOUT_S)
        timings = parse_object(answer).get("timings")
        counts = timings if isinstance(timings, dict) else {}
        if not parse_count(counts.get("prompt_n")):
            return False
        cached.append(parse_count(counts.get("cache_n")))
    return cached[0] == cached[2] == 0 < cached[1] and await _erase(post, 0)


async def _erase(post: Post, number: int) -> bool:
    answer = await post(f"/slots/{number}?action=erase", b"{}", ACTION_TIMEOUT_S)
    return "n_erased" in parse_object(answer)


def _count_choices(body: dict[str, Any]) -> int:
    """Returns how many slots a request takes: one for each of its choices and prompts."""
    counts = [1]
    for field in ("n", "best_of"):
        value = body.get(field)
        counts.append(value if isinstance(value, int) else 1)
    prompts = body.get("prompt")
    return max(counts) * (max(1, len(prompts)) if isinstance(prompts, list) else 1)
