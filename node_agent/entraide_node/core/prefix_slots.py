"""Prefix slots: which slot of an engine a run gets, and whose prompt it may find there.

Input: the partitions of runs as they begin and end, and times in seconds on any clock. Output: for
each run a slot, with what the engine must do to it before. A partition is a keyed hash of who asks
(32 bytes, the first 16 of them of the person or program alone); only a run of the same partition
may find a prompt again. The shell ``engines.slot_keeper`` carries the plans out.

The rule of shares: when room is wanted, the owner that holds most gives the oldest of what it
holds, and an owner counts what it asks for. So nobody loses anything to one who holds as much.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from math import inf

from msgspec import Struct
from msgspec.structs import replace

# A run that ended before the engine answered it may still begin there. Its slot is given to no
# partition until then; an engine that is silent for this long counts as hung.
SETTLE_S = 5.0


class Held(Struct, frozen=True):
    """Something that a partition holds: a slot, or a state at rest.

    Attributes:
        key: its name.
        partition: who holds it.
        size: how much it is, in any unit.
        used_at: when a run last used it.
    """

    key: int | bytes
    partition: bytes
    size: int
    used_at: float

    @property
    def owner(self) -> bytes:
        """The person or program that it belongs to."""
        return owner_of(self.partition)


def owner_of(partition: bytes) -> bytes:
    """Returns the half of a partition that says whose it is."""
    return partition[: len(partition) // 2]


def pick_victim(held: Iterable[Held], *, asker: bytes, size: int) -> Held | None:
    """Returns what is given up for a partition that asks for room, by the rule of shares.

    Among owners that hold equally much the asker gives first, then the one whose oldest is oldest.

    Args:
        held: what may be given up.
        asker: the partition; b"" for a run that keeps nothing.
        size: how much it asks for.

    Returns:
        None if the asker alone would hold most, and has nothing else to give.
    """
    candidates = list(held)
    totals = Counter({owner_of(asker): size} if asker else {})
    for each in candidates:
        totals[each.owner] += each.size
    most = max(totals.values(), default=0)
    largest = {owner for owner, total in totals.items() if total == most}
    own = [each for each in candidates if asker and each.owner == owner_of(asker)]
    if asker and owner_of(asker) in largest and (own or len(largest) == 1):
        givers = own
    else:
        givers = [each for each in candidates if each.owner in largest]
    return min(givers, key=lambda each: each.used_at, default=None)


class SlotContent(StrEnum):
    """What a slot has."""

    EMPTY = "empty"  # the engine said that it erased it, or has just started
    HELD = "held"  # the prompt of a partition
    UNKNOWN = "unknown"  # something that no run may find: it is erased before one may look


class Slot(Struct, frozen=True):
    """One slot.

    Attributes:
        content: what it has.
        partition: whose prompt it has, or gets while a run uses it; b"" for nobody's.
        is_busy: whether a run uses it, or the engine works on it.
        has_begun: whether the engine has answered the run that uses it.
        job: the last run of its partition.
        tokens: of that run's prompt and answer.
        is_saved: whether its state is also at rest.
        used_at: when it was last used.
        expires_at: when its partition's time is over.
        settles_at: before this, a run that ended may still begin there.
        forgets: whether what its run leaves must be erased.
    """

    content: SlotContent = SlotContent.EMPTY
    partition: bytes = b""
    is_busy: bool = False
    has_begun: bool = False
    job: str = ""
    tokens: int = 0
    is_saved: bool = False
    used_at: float = -inf
    expires_at: float = inf
    settles_at: float = -inf
    forgets: bool = False


class SlotPlan(Struct, frozen=True):
    """What happens to a slot before its run begins.

    Attributes:
        slot: its number.
        partition: whose prompt the run may find; b"" for nobody's.
        saves: partition whose state is saved first; b"" for none.
        erases: whether it is erased.
        restores: whether the partition's state may be at rest.
    """

    slot: int
    partition: bytes = b""
    saves: bytes = b""
    erases: bool = False
    restores: bool = False


class LoosePlan(Struct, frozen=True):
    """What happens before a run of several choices begins.

    Attributes:
        slots: that it is believed to get; it begins in the first.
        lost: slots whose states are lost unless they are saved first.
    """

    slots: tuple[int, ...]
    lost: tuple[int, ...]


class SlotTable:
    """The slots of one process of an engine.

    Attributes:
        slots: by number.
        loose_runs: runs of several choices, for which the engine takes the slots that it likes.
            While there are any, no run may find a prompt, and none leaves one, since nobody knows
            which slots they write to.
    """

    def __init__(self, slots: int) -> None:
        """All slots are empty: the process has just started."""
        self.slots = [Slot()] * slots
        self.loose_runs = 0

    def take(self, partition: bytes, *, at: float) -> SlotPlan | None:
        """Gives a run its slot; None while all are busy.

        Args:
            partition: of the run; b"" for one that may find nothing and leaves nothing.
            at: now.
        """
        partition = b"" if self.loose_runs else partition
        number = self._choose(partition, at)
        if number is None:
            return None
        slot = self.slots[number]
        is_warm = bool(partition) and _has(slot, partition, at)
        finds = is_warm or (bool(partition) and slot.settles_at <= at)
        plan = SlotPlan(
            number,
            partition=partition if finds else b"",
            saves=slot.partition if not is_warm and _is_lost(slot, at) else b"",
            erases=finds and not is_warm and slot.content is not SlotContent.EMPTY,
            restores=finds and not is_warm,
        )
        self.slots[number] = replace(
            slot, partition=partition if finds else b"", is_busy=True, has_begun=False,
            content=SlotContent.HELD if is_warm else SlotContent.UNKNOWN, used_at=at,
            is_saved=False, forgets=False,
        )  # fmt: skip
        return plan

    def take_loose(self, choices: int, *, at: float) -> LoosePlan | None:
        """Begins a run of several choices; ``begin_loose`` once the states are saved.

        Returns:
            None while no slot is free, and until the engine has answered every other run and has
            ended its work on slots: what it was sent for a slot before would find what this run
            writes.
        """
        idle = [number for number, slot in enumerate(self.slots) if not slot.is_busy]
        if not idle or any(slot.is_busy and not slot.has_begun for slot in self.slots):
            return None
        self.loose_runs += 1
        plan = LoosePlan(
            slots=tuple(idle[:choices]),  # llama.cpp gives the lowest free ones to the others
            lost=tuple(number for number in idle if _is_lost(self.slots[number], at)),
        )
        for number in idle:
            if number in plan.slots or number in plan.lost:
                self.reserve(number)
            else:
                self.slots[number] = _emptied(self.slots[number])
        return plan

    def begin_loose(self, plan: LoosePlan) -> None:
        """Frees the slots whose states were saved, but for those that the run gets."""
        for number in {*plan.slots, *plan.lost}:
            is_busy = number in plan.slots
            emptied = _emptied(self.slots[number])
            self.slots[number] = replace(emptied, is_busy=is_busy, has_begun=is_busy)

    def end_loose(self, plan: LoosePlan, *, at: float, is_clean: bool) -> None:
        """Ends such a run; ``is_clean`` if the engine answered it to its end."""
        self.loose_runs -= 1
        for number in plan.slots:
            self.slots[number] = replace(_emptied(self.slots[number]), used_at=at)
        if not is_clean:
            self.slots = [replace(slot, settles_at=at + SETTLE_S) for slot in self.slots]

    def note_begun(self, number: int) -> None:
        """Notes that the engine has answered the run of a slot."""
        self.slots[number] = replace(self.slots[number], has_begun=True)

    def release(
        self, number: int, *, at: float, keep_s: float, job: str, tokens: int, keeps: bool = True
    ) -> None:
        """Ends the run of a slot.

        Args:
            number: of the slot.
            at: now.
            keep_s: how long its prompt is kept.
            job: the run.
            tokens: of its prompt and answer.
            keeps: whether the slot has its partition's prompt.
        """
        slot = self.slots[number]
        holds = keeps and bool(slot.partition) and not (slot.forgets or self.loose_runs)
        settles_at = slot.settles_at if slot.has_begun else at + SETTLE_S
        if holds and slot.has_begun and keep_s > 0:
            self.slots[number] = replace(
                slot, content=SlotContent.HELD, is_busy=False, job=job, tokens=tokens,
                used_at=at, expires_at=at + keep_s, is_saved=False,
            )  # fmt: skip
            return
        self.slots[number] = _emptied(replace(slot, used_at=at, settles_at=settles_at))

    def doubt(self, number: int, *, at: float) -> None:
        """Notes that the engine did not say what it did to a slot, and may still do it."""
        self.slots[number] = replace(self.slots[number], settles_at=at + SETTLE_S)

    def reserve(self, number: int) -> Slot:
        """Takes an idle slot for work of the engine on it; returns what it has."""
        slot = self.slots[number]
        assert not slot.is_busy
        self.slots[number] = replace(slot, is_busy=True, has_begun=False)
        return slot

    def finish(self, number: int, content: SlotContent, *, is_saved: bool = False) -> None:
        """Ends that work; ``content`` is what the slot has now."""
        slot = self.slots[number]
        if content is SlotContent.HELD and not slot.forgets:
            self.slots[number] = replace(slot, is_busy=False, is_saved=is_saved)
        else:
            is_empty = content is SlotContent.EMPTY
            self.slots[number] = _emptied(slot, content if is_empty else SlotContent.UNKNOWN)

    def forget(self, owner: bytes) -> None:
        """Marks the slots of an owner, or all for b"", so that what they have is erased."""
        for number, slot in enumerate(self.slots):
            if slot.partition and slot.partition.startswith(owner):
                self.slots[number] = replace(slot, forgets=True, expires_at=-inf)

    def due(self, at: float) -> tuple[int, ...]:
        """Returns the idle slots whose partition's time is over."""
        return tuple(
            number
            for number, slot in enumerate(self.slots)
            if slot.content is SlotContent.HELD and not slot.is_busy and slot.expires_at <= at
        )

    def next_deadline(self) -> float:
        """Returns when the next slot's time is over; infinity for never."""
        return min(
            (s.expires_at for s in self.slots if s.content is SlotContent.HELD and not s.is_busy),
            default=inf,
        )

    def next_to_save(self) -> int | None:
        """Returns the slot to save now, so that the next partition need not wait for it.

        None while a slot is free to be taken, or if the one that would be taken is saved.
        """
        if any(not s.is_busy and s.content is not SlotContent.HELD for s in self.slots):
            return None
        victim = self._victim(b"")
        return victim if victim is not None and not self.slots[victim].is_saved else None

    def _choose(self, partition: bytes, at: float) -> int | None:
        idle = [number for number, slot in enumerate(self.slots) if not slot.is_busy]
        if partition:
            own = [number for number in idle if _has(self.slots[number], partition, at)]
            if own:
                return max(own, key=lambda number: self.slots[number].used_at)
        free = [n for n in idle if self.slots[n].content is not SlotContent.HELD]
        if free:
            # A partition needs a slot that has settled; other runs leave the empty ones to it.
            return min(free, key=lambda n: self._preference(n, partition, at))
        return self._victim(partition)

    def _preference(self, number: int, partition: bytes, at: float) -> tuple[bool, bool, float]:
        slot = self.slots[number]
        is_empty = slot.content is SlotContent.EMPTY
        if partition:
            return slot.settles_at > at, not is_empty, slot.used_at
        return is_empty, slot.settles_at <= at, slot.used_at

    def _victim(self, asker: bytes) -> int | None:
        held = (
            Held(number, slot.partition, 1, slot.used_at)
            for number, slot in enumerate(self.slots)
            if not slot.is_busy and slot.content is SlotContent.HELD
        )
        victim = pick_victim(held, asker=asker, size=1)
        return victim.key if victim is not None and isinstance(victim.key, int) else None


def _has(slot: Slot, partition: bytes, at: float) -> bool:
    is_held = slot.content is SlotContent.HELD and slot.expires_at > at
    return is_held and slot.partition == partition


def _is_lost(slot: Slot, at: float) -> bool:
    """Whether an idle slot has a state that is nowhere else and still counts."""
    is_held = slot.content is SlotContent.HELD and slot.expires_at > at
    return is_held and not slot.is_busy and not slot.is_saved


def _emptied(slot: Slot, content: SlotContent = SlotContent.UNKNOWN) -> Slot:
    return Slot(content=content, used_at=slot.used_at, settles_at=slot.settles_at)
