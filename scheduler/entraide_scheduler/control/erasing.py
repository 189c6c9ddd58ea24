"""Erasing: forgets persons, and keeps the lists of what was erased for restores.

In: who is to be forgotten, and which keys were that person's alone. Out: sessions and work under
way end at every gateway; the store has nothing of the person left; the lists outside of it have the
number. The keeper also lists what clients erased and what was revoked, and repeats the erasures of
the last day: a request that was under way may have written after them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import structlog
from msgspec import Struct

from entraide.errors import PoolError, error_for
from entraide.printable import shortened
from entraide.wire import messages as m
from entraide_scheduler.erasure_list import BESIDE_BACKUPS, FILE, ErasureList, merge_into
from entraide_scheduler.nodes import NodeRegistry
from entraide_scheduler.people import NAME_MAX, Actor, People
from entraide_scheduler.repeated_task import RepeatedTask
from entraide_scheduler.store import erasures
from entraide_scheduler.store.ended_access import Revocation, list_revocations
from entraide_scheduler.store.erasure_notes import is_noted
from entraide_scheduler.store.erasures import Erasure
from entraide_scheduler.store.store import Store
from entraide_scheduler.store.writer import WhenFull
from entraide_scheduler.upgrade_trial import delete_old_backup

KEEP_EVERY_S = 60.0
REPEATED_S = 86_400.0
KEYS_MAX = 100  # of one person


class Forgotten(Struct, frozen=True):
    """A person who was forgotten; the fields are those of ``ForgottenPerson``."""

    person: str
    forgotten_at: float
    lists: tuple[str, ...]
    missed_lists: tuple[str, ...]
    backup_at: float
    traces_remain: bool


class Erasing:
    """Erases, for one scheduler.

    Args:
        store, people, registry: hold what is erased.
        home: the pool's directory.
        end_work: cancels the kept jobs and batches of a person or a key.
        broadcast: tells every gateway of a revoked key.
        find_backup: returns when the last backup was made, and its path; 0 and "" without one.
    """

    def __init__(
        self,
        *,
        store: Store,
        people: People,
        registry: NodeRegistry,
        home: Path,
        end_work: Callable[[str], Awaitable[None]],
        broadcast: Callable[[m.Revocation], None],
        find_backup: Callable[[], tuple[float, str]],
    ) -> None:
        self._store = store
        self._people = people
        self._registry = registry
        self._home = home
        self._end_work = end_work
        self._broadcast = broadcast
        self._find_backup = find_backup
        self._listed: frozenset[Erasure | Revocation] | None = (
            None  # not known before the first time
        )
        self._task = RepeatedTask(
            "erasing", self._repeat, every_s=KEEP_EVERY_S,
            failed=lambda: self._log.exception("erasures.not_repeated"),
        )  # fmt: skip
        self._log = structlog.get_logger("entraide.people")

    async def forget(self, actor: Actor, person: str, keys: Sequence[str]) -> Forgotten:
        """Forgets a person, with keys of the person's co-op.

        Raises:
            EntraideError: ``unknown_person``, ``unknown_key``, or ``role_refused``.
        """
        if not await self._store.read(partial(is_noted, subject=person)):
            row = await self._people.find(actor, person)
            await self._check_keys(row.coop, keys)
            await self._people.disable(actor, person)
        elif keys:
            raise error_for("unknown_key", values={"key": shortened(keys[0], NAME_MAX)})
        for key in keys:
            await self._store.revoke_key(key)
            self._broadcast(m.KeyRevoked(key))
        for sender in (person, *keys):
            await self._end_work(sender)
        now = time.time()
        erase = partial(erasures.erase_person, person=person, now=now)
        if not await self._store.write(erase, WhenFull.WAIT):
            raise error_for("unknown_person", values={"person": shortened(person, NAME_MAX)})
        for key in keys:
            await self._store.write(partial(erasures.erase_key, key=key, now=now), WhenFull.WAIT)
        self._registry.take_vouched_by(await self._store.list_nodes())
        delete_old_backup(self._home)
        is_overwritten = await self._store.overwrite_log()
        lists, missed = await self._write_lists()
        self._log.warning("person.forgotten", person=person, by=actor.person)
        return Forgotten(person, now, lists, missed, self._find_backup()[0], not is_overwritten)

    async def _check_keys(self, coop: str, keys: Sequence[str]) -> None:
        own = {row.key for row in await self._store.list_keys(coop)}
        unknown = [key for key in keys if key not in own]
        if unknown or len(keys) > KEYS_MAX:
            values = {"key": shortened((unknown or keys)[0], NAME_MAX)}
            raise error_for("unknown_key", values=values)

    async def _write_lists(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Writes the lists; returns those that are written, and those that are not."""
        listed = ErasureList(
            await self._store.read(erasures.list_erasures),
            revoked=await self._store.read(list_revocations),
        )
        if listed == ErasureList():
            self._listed = frozenset()
            return (), ()
        places = [self._home / FILE]
        if backup := self._find_backup()[1]:
            places.append(Path(backup).parent / BESIDE_BACKUPS)
        written, missed = [], []
        for place in places:
            try:
                await asyncio.to_thread(merge_into, place, listed)
                written.append(str(place))
            except (OSError, PoolError) as problem:
                self._log.warning("erasures.not_listed", path=str(place), problem=str(problem))
                missed.append(str(place))
        if not missed:
            self._listed = frozenset((*listed.erased, *listed.revoked))
        return tuple(written), tuple(missed)

    # What goes on meanwhile.

    def start(self) -> None:
        """Starts to keep the lists."""
        self._task.start()

    async def stop(self) -> None:
        """Stops keeping the lists."""
        await self._task.stop()

    async def _repeat(self) -> None:
        since = time.time() - REPEATED_S
        recent = await self._store.read(partial(erasures.list_erasures, since=since))
        left = await self._store.read(partial(erasures.find_left, listed=recent))
        if left:
            await self._store.write(partial(erasures.repeat, listed=left), WhenFull.DROP)
            await self._store.overwrite_log()
        revoked = await self._store.read(list_revocations)
        if self._listed is None or {*recent, *revoked} - self._listed:
            await self._write_lists()
