"""Grown demand: a recorded demand, and a part of its conversations once more.

The copies of a conversation come up to an hour later than the recorded one, so that a higher demand
is no coincidence of equal requests, and begin within the recorded time. Copies share prompts with
each other as the recorded requests do, and never with these. Draws are seeded: the same recording
grows in the same way.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

import msgspec
from msgspec import Struct

from entraide_sim.workload import Request, Rng, make_rng

SHIFT_MAX_S = 3_600.0
SEED, PURPOSE = 1, 9


class Conversation(Struct, frozen=True):
    """How often a conversation comes once more, and how much later each time, seconds."""

    shifts_s: tuple[float, ...]


def grow_requests(
    requests: Iterable[Request], growth: float, *, end_at: float
) -> Iterator[Request]:
    """Yields requests in order of time, and the copies of some of them.

    Args:
        requests: in order of time.
        growth: expected number of copies of each conversation (0.2 for a fifth more).
        end_at: end of the recording, seconds since the epoch.
    """
    rng = make_rng(SEED, PURPOSE)
    conversations: dict[str, Conversation] = {}
    waiting: list[tuple[float, int, Request]] = []
    number = 0
    for request in requests:
        while waiting and waiting[0][0] <= request.at:
            yield heappop(waiting)[2]
        yield request
        session = request.facts.session
        drawn = conversations.get(session)
        if drawn is None:
            drawn = _draw(rng, growth, max(0.0, min(SHIFT_MAX_S, end_at - request.at)))
        if session:
            conversations[session] = drawn
        for copy, shift_s in enumerate(drawn.shifts_s, start=1):
            number += 1
            later = _copy_request(request, copy, shift_s)
            heappush(waiting, (later.at, number, later))
    while waiting:
        yield heappop(waiting)[2]


def _draw(rng: Rng, growth: float, shift_max_s: float) -> Conversation:
    whole = int(growth)
    copies = whole + int(rng.random() < growth - whole)
    return Conversation(tuple((rng.random(copies) * shift_max_s).tolist()))


def _copy_request(request: Request, copy: int, shift_s: float) -> Request:
    facts = request.facts
    changed = msgspec.structs.replace(
        facts,
        job=f"{facts.job}+{copy}",
        session=f"{facts.session}+{copy}" if facts.session else "",
        prefix_keys=tuple(key ^ copy for key in facts.prefix_keys),
        deadline_at=None if facts.deadline_at is None else facts.deadline_at + shift_s,
        idempotency="",
    )
    return msgspec.structs.replace(request, at=request.at + shift_s, facts=changed)
