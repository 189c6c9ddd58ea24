"""Prefix slots: who may find a prompt in which slot, and who gives room."""

import random
from math import inf

import pytest

from entraide_node.core.prefix_slots import (
    SETTLE_S,
    Held,
    LoosePlan,
    SlotContent,
    SlotPlan,
    SlotTable,
    pick_victim,
)

ADA, BO, CY = (bytes([n]) * 32 for n in (1, 2, 3))
KEEP_S = 900.0


def ran(table: SlotTable, partition: bytes, *, at: float, keep_s: float = KEEP_S) -> SlotPlan:
    """A run that begins and ends at once."""
    plan = table.take(partition, at=at)
    assert plan is not None
    table.note_begun(plan.slot)
    table.release(plan.slot, at=at, keep_s=keep_s, job=f"job-{at:g}", tokens=100)
    return plan


def test_a_partition_returns_to_its_slot_and_another_finds_it_erased() -> None:
    """The third partition takes the slot that was used longest ago, whose state is saved first."""
    table = SlotTable(2)
    plans = [ran(table, of, at=at) for at, of in enumerate((ADA, BO, ADA, CY, BO))]

    assert [
        SlotPlan(0, ADA, restores=True),
        SlotPlan(1, BO, restores=True),
        SlotPlan(0, ADA),
        SlotPlan(1, CY, saves=BO, erases=True, restores=True),
        SlotPlan(0, BO, saves=ADA, erases=True, restores=True),
    ] == plans


def test_a_run_without_a_partition_leaves_a_slot_that_is_erased_before_the_next_may_look() -> None:
    """It takes a slot that must be erased anyway, if there is one."""
    table = SlotTable(3)
    plans = [ran(table, of, at=at) for at, of in enumerate((ADA, b"", b"", BO, CY))]

    assert [
        SlotPlan(0, ADA, restores=True),
        SlotPlan(1),
        SlotPlan(1),
        SlotPlan(2, BO, restores=True),
        SlotPlan(1, CY, erases=True, restores=True),
    ] == plans


def test_no_slot_has_two_runs() -> None:
    """Also of one partition: the second gets another slot, the third waits."""
    table = SlotTable(2)
    plans = [table.take(ADA, at=0.0) for _ in range(3)]

    assert [SlotPlan(0, ADA, restores=True), SlotPlan(1, ADA, restores=True), None] == plans


def test_what_is_over_or_forgotten_is_due() -> None:
    """A run that is still there leaves nothing when it ends."""
    table = SlotTable(3)
    ran(table, ADA, at=0.0, keep_s=5.0)
    ran(table, BO, at=1.0)
    running = table.take(CY, at=2.0)
    assert running is not None
    late = table.due(4.9), table.next_deadline(), table.due(5.0)
    table.forget(BO[:16])
    forgotten = table.due(2.0)
    table.forget(b"")
    table.note_begun(running.slot)
    table.release(running.slot, at=6.0, keep_s=KEEP_S, job="job", tokens=9)

    assert ((), 5.0, (0,)) == late
    assert (1,) == forgotten
    assert SlotContent.UNKNOWN is table.slots[2].content
    assert (0, 1) == table.due(5.0)


def test_a_slot_whose_run_never_began_settles_before_a_partition_looks_there() -> None:
    """Until then runs without the cache use it: nobody waits."""
    table = SlotTable(1)
    plan = table.take(ADA, at=0.0)
    assert plan is not None
    table.release(plan.slot, at=1.0, keep_s=KEEP_S, job="job", tokens=0)
    early = ran(table, BO, at=1.0)
    later = ran(table, BO, at=1.0 + SETTLE_S)

    assert (SlotPlan(0), SlotPlan(0, BO, erases=True, restores=True)) == (early, later)


def test_the_owner_that_holds_most_gives_first() -> None:
    """Nobody loses anything to one who holds as much; the asker counts what it asks for."""

    def of(owner: int, part: int, size: int, used_at: float) -> Held:
        return Held(owner * 10 + part, bytes([owner]) * 16 + bytes([part]) * 16, size, used_at)

    greedy = [of(1, part, 10, used_at=100.0 + part) for part in range(3)]
    other = of(2, 0, 25, used_at=0.0)
    asker = bytes([1]) * 16 + bytes([9]) * 16
    newcomer = bytes([3]) * 32

    assert greedy[0] == pick_victim([*greedy, other], asker=asker, size=10)
    assert greedy[0] == pick_victim([*greedy, other], asker=newcomer, size=10)
    assert other == pick_victim([other], asker=newcomer, size=25)
    assert pick_victim([other], asker=newcomer, size=26) is None
    assert pick_victim([], asker=newcomer, size=1) is None


class World:
    """A table, and what llama.cpp has in its slots: the partitions whose words are there."""

    def __init__(self, seed: int) -> None:
        self.source, self.at = random.Random(seed), 0.0
        self.table = SlotTable(self.source.randint(1, 4))
        self.words: list[set[bytes]] = [set() for _ in self.table.slots]
        self.rest: dict[bytes, set[bytes]] = {}
        self.finds: list[tuple[bytes, set[bytes]]] = []
        self.active: list[SlotPlan] = []
        self.loose: list[LoosePlan] = []
        self.ghosts: list[tuple[int, float]] = []  # requests that still begin, until a time

    def step(self) -> None:
        """Something happens."""
        self.at += self.source.expovariate(1.0)
        for ghost in tuple(self.ghosts):
            if self.source.random() < 0.5 or ghost[1] <= self.at:
                self.ghosts.remove(ghost)
                if ghost[1] > self.at:
                    self.words[ghost[0]].add(b"ghost")
        doings = (self.take, self.take, self.take, self.end, self.end, self.mix, self.tend,
                  self.forget)  # fmt: skip
        self.source.choice(doings)()

    def take(self) -> None:
        """A run begins, or is cancelled before the engine answers."""
        plan = self.table.take(self.source.choice((ADA, BO, CY, b"")), at=self.at)
        if plan is None:
            return
        if plan.saves:
            self.rest[plan.saves] = set(self.words[plan.slot])
        if plan.erases:
            self.words[plan.slot] = set()
        if plan.restores and plan.partition in self.rest:
            self.words[plan.slot] = set(self.rest[plan.partition])
        if self.source.random() < 0.2:
            self.table.release(plan.slot, at=self.at, keep_s=KEEP_S, job="", tokens=0)
            self.ghosts.append((plan.slot, self.at + SETTLE_S))
            return
        if plan.partition:
            self.finds.append((plan.partition, set(self.words[plan.slot])))
            self.words[plan.slot].add(plan.partition)
        else:
            self.words[plan.slot] = {b"any"}
        self.table.note_begun(plan.slot)
        self.active.append(plan)

    def end(self) -> None:
        """A run ends."""
        if not self.active:
            return
        plan = self.active.pop(self.source.randrange(len(self.active)))
        if self.loose and self.source.random() < 0.5:  # such a run waited for the slot
            self.words[plan.slot].add(b"loose")
        keep_s = self.source.choice((1.0, KEEP_S, inf))
        self.table.release(plan.slot, at=self.at, keep_s=keep_s, job="job", tokens=9)

    def mix(self) -> None:
        """A run of several choices begins in slots that the engine takes, or ends."""
        if self.loose:
            self.table.end_loose(self.loose.pop(), at=self.at, is_clean=True)
            return
        plan = self.table.take_loose(self.source.randint(2, 4), at=self.at)
        if plan is None:
            return
        for slot in plan.lost:
            self.rest[self.table.slots[slot].partition] = set(self.words[slot])
        self.table.begin_loose(plan)
        for slot in {*range(len(self.words))} - {plan.slot for plan in self.active}:
            self.words[slot].add(b"loose")
        self.loose.append(plan)

    def tend(self) -> None:
        """What is over is erased, and what gives way next is saved."""
        for slot in self.table.due(self.at):
            self.table.reserve(slot)
            self.words[slot] = set()
            self.table.finish(slot, SlotContent.EMPTY)
        saved = self.table.next_to_save()
        if saved is not None:
            self.rest[self.table.reserve(saved).partition] = set(self.words[saved])
            self.table.finish(saved, SlotContent.HELD, is_saved=True)

    def forget(self) -> None:
        """Somebody is forgotten."""
        self.table.forget(self.source.choice((ADA, BO, CY))[:16])


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_nobody_finds_the_words_of_another(seed: int) -> None:
    """Runs begin, end, are cancelled before they begin, and choose their slots themselves."""
    world = World(seed)
    for _ in range(300):
        world.step()

    assert [] == [(of, words) for of, words in world.finds if words - {of}]
    assert any(words for _, words in world.finds), "nobody found anything"
