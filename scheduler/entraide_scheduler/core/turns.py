"""Turns: lines that compete on one level of the fair share, in the order of their counters.

A counter only grows while its line is served, so a heap entry that is too low is corrected when it
comes to the top, and only a fall has to be told. It refuses to know jobs, shapes and tokens.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import TypeAlias

NEVER = 2**62  # more tokens than there are
SLACK = 16  # dead entries that a heap may hold beyond as many as it has lines

Kind: TypeAlias = tuple[str, str, str]  # model, job class, data class
Key: TypeAlias = "tuple[int, float, int, str, Line]"  # tier, counter, running jobs, name


class Line:
    """One co-op's, project's or class's place in the fair share.

    Attributes:
        name: of the co-op, the project or the class.
        rank: of two classes with equal counters the one with the lower rank goes first.
        weight: its counter grows by what it is served, divided by this.
        committed: virtual tokens charged, and those still expected of its runs, over the weight.
        running: jobs of it that hold a lease.
        rows: in how many rows its jobs wait.
        places: the turns in which it stands.
        inner: the level below it.
        told: whether a fall of its counter waits to be reckoned with.
        kinds: of co-ops: in how many rows jobs of each kind wait.
        lifts: of co-ops: by model, what is added to the counter there for the time it was away.
        queued: of co-ops: jobs that wait.
        in_flight_tokens: of co-ops: prompts and longest answers of its runs, less what came.
        own_slots: of co-ops: slots of its own nodes.
        credit: of co-ops: what is added to its weight for what it gave.
        needs_tokens: of co-ops: the smallest job that its cap was found to hold back.
        barred: of co-ops: counters at which its first job was found to be held back.
    """

    __slots__ = (
        "barred", "committed", "credit", "in_flight_tokens", "inner", "kinds", "lifts", "name",
        "needs_tokens", "own_slots", "places", "queued", "rank", "rows", "running", "told",
        "weight",
    )  # fmt: skip

    def __init__(self, name: str, *, rank: int = 0, weight: float = 1.0) -> None:
        self.name = name
        self.rank = rank
        self.weight = weight
        self.committed = 0.0
        self.running = 0
        self.rows = 0
        self.places: dict[Turns, None] = {}
        self.inner = Level()
        self.told = False
        self.kinds: dict[Kind, int] = {}
        self.lifts: dict[str, float] = {}
        self.queued = 0
        self.in_flight_tokens = 0
        self.own_slots = 0
        self.credit = 0.0
        self.needs_tokens = NEVER
        self.barred: tuple[float, ...] = ()

    def counter(self, model: str) -> float:
        """Returns where a co-op stands among those that wait for a model."""
        return self.committed + self.lifts[model]

    def lift(self, model: str, mark: float) -> None:
        """Lifts a co-op to a mark at least.

        It counts for this model only: a co-op that waits long for a scarce model loses nothing
        there by asking for another one too.
        """
        self.lifts[model] = max(self.lifts[model], mark - self.committed)

    def enter(self, kind: Kind) -> bool:
        """Notes one more row in which a co-op waits; returns whether it had none of that kind."""
        rows = self.kinds.get(kind, 0)
        self.kinds[kind] = rows + 1
        self.lifts.setdefault(kind[0], 0.0)
        return not rows

    def exit(self, kind: Kind) -> bool:
        """Notes one row less; returns whether the co-op waits for that model no more."""
        self.kinds[kind] -= 1
        if not self.kinds[kind]:
            del self.kinds[kind]
        return all(other[0] != kind[0] for other in self.kinds)

    def empty(self) -> None:
        """Takes out all that wait, of it and below; counters and lifts stay."""
        self.rows, self.places = 0, {}
        self.kinds, self.queued = {}, 0
        for line in self.inner.lines.values():
            line.empty()


class Turns:
    """Lines that wait, least key first; a heap that is corrected lazily.

    Each line has one living entry, which is never above its true key: a key that rises needs
    nothing, a key that falls must be told by ``fell``. So the order depends on the keys alone,
    and never on what happened to the heap before.

    Attributes:
        key: tells a line's key.
    """

    __slots__ = ("_heap", "_least", "key")

    def __init__(self, key: Callable[[Line], Key]) -> None:
        self.key = key
        self._heap: list[Key] = []
        self._least: dict[str, Key] = {}

    def __len__(self) -> int:
        return len(self._least)

    def __contains__(self, line: Line) -> bool:
        return line.name in self._least

    def lines(self) -> list[Line]:
        """Returns the lines that wait, in no order."""
        return [key[4] for key in self._least.values()]

    def enter(self, line: Line) -> None:
        """Puts a line among those that wait."""
        self._push(line, self.key(line))
        line.places[self] = None

    def leave(self, line: Line) -> None:
        """Takes a line out; its entry dies where it is."""
        del self._least[line.name]
        del line.places[self]
        if len(self._heap) > 2 * len(self._least) + SLACK:
            self._heap = list(self._least.values())
            heapify(self._heap)

    def fell(self, line: Line) -> None:
        """Notes that a line's key may have fallen."""
        key = self.key(line)
        if key < self._least[line.name]:
            self._push(line, key)

    def first(self) -> Key:
        """Returns the least key; at least one line must wait."""
        heap, least = self._heap, self._least
        while True:
            entry = heap[0]
            name = entry[3]
            if least.get(name) is not entry:
                heappop(heap)
                continue
            key = self.key(entry[4])
            if key == entry:
                return entry
            least[name] = key
            heapreplace(heap, key)

    def _push(self, line: Line, key: Key) -> None:
        self._least[line.name] = key
        heappush(self._heap, key)


class Level:
    """Lines of one level that compete with each other.

    Attributes:
        lines: by name; a line stays when it is empty, for its counter.
        height: the highest counter at which a turn was taken.
    """

    __slots__ = ("height", "lines")

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.height = 0.0


class Crowd:
    """The co-ops that wait for one model; it lasts as long as one does.

    Attributes:
        floor: the highest counter at which a turn was taken in it.
        turns: the co-ops by their counters alone.
    """

    __slots__ = ("_model", "floor", "turns")

    def __init__(self, floor: float, model: str) -> None:
        self._model = model
        self.floor = floor
        self.turns = Turns(self._key)

    def _key(self, line: Line) -> Key:
        return 0, line.counter(self._model), line.running, line.name, line

    def mark(self) -> float:
        """Returns where one that comes back must stand at least.

        That is the least counter of those that wait, or the floor if it is higher: a co-op whose
        jobs fit no node for days must not hold down all that come meanwhile.
        """
        return max(self.floor, self.turns.first()[1]) if len(self.turns) else self.floor
