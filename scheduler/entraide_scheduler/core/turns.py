"""Turns: lines that compete on one level of the fair share, in the order of their counters.

A counter only grows while its line is served, so a heap entry that is too low is corrected when it
comes to the top, and only a fall has to be told. It refuses to know jobs, what shapes mean, and
tokens.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from entraide_scheduler.core.bills import Bill
from entraide_scheduler.core.owed import OwnModel
from entraide_scheduler.core.records import Shape

NEVER = 2**62  # more tokens than there are
SLACK = 16  # dead entries that a heap may hold beyond as many as it has lines

Kind: TypeAlias = tuple[str, str, str]  # model, job class, data class


class Line:
    """One co-op's, project's or class's place in the fair share.

    Attributes:
        name: of the co-op, the project or the class.
        rank: of two classes with equal counters the one with the lower rank goes first.
        weight: its counter grows by what it is served, divided by this.
        committed: virtual tokens charged, and those still expected of its runs, over the weight.
        running: jobs of it that hold a lease.
        rows: in how many rows its jobs wait.
        places: where it stands, by the turns.
        inner: the lines of the level below, by name; each stays when it is empty.
        height: the highest counter at which a turn was taken on the level below.
        told: whether a fall of its counter waits to be reckoned with.
    """

    __slots__ = (
        "committed", "height", "inner", "name", "places", "rank", "rows", "running", "told",
        "weight",
    )  # fmt: skip

    def __init__(self, name: str, *, rank: int = 0, weight: float = 1.0) -> None:
        self.name = name
        self.rank = rank
        self.weight = weight
        self.committed = 0.0
        self.running = 0
        self.rows = 0
        self.places: dict[Turns[Any], Any] = {}
        self.inner: dict[str, Line] = {}
        self.height = 0.0
        self.told = False

    def join(self, turns: "Turns[Any]", place: Any) -> None:
        """Puts it among those that wait."""
        turns.enter(place)
        self.places[turns] = place

    def quit(self, turns: "Turns[Any]") -> None:
        """Takes it out of those that wait."""
        turns.leave(self.places.pop(turns))

    def empty(self) -> None:
        """Takes out all that wait, of it and below; counters stay."""
        self.rows, self.places = 0, {}
        for line in self.inner.values():
            line.empty()


class Coop(Line):
    """A co-op's line.

    Attributes:
        kinds: in how many rows jobs of each kind wait.
        shapes: in how many rows jobs of each shape wait.
        lifts: by model, what is added to the counter there for the time it was away.
        queued: jobs that wait.
        in_flight_tokens: prompts and longest answers of its runs, less what came.
        own: slots of its own nodes, by model.
        unbooked: by model, its runs that no kind of its own replicas could run yet, with the shape
            of each, in the order in which they began.
        answers: runs of it that ended with an answer, as far as that is counted.
        credit: what is added to its weight for what it gave.
        needs_tokens: the smallest job that its cap was found to hold back.
        barred: counters at which its first job was found to be held back.
    """

    __slots__ = (
        "answers", "barred", "credit", "in_flight_tokens", "kinds", "lifts", "needs_tokens",
        "own", "queued", "shapes", "unbooked",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.kinds: dict[Kind, int] = {}
        self.shapes: dict[Shape, int] = {}
        self.lifts: dict[str, float] = {}
        self.queued = 0
        self.in_flight_tokens = 0
        self.own: dict[str, OwnModel] = {}
        self.unbooked: dict[str, dict[Bill, Shape]] = {}
        self.answers = 0
        self.credit = 0.0
        self.needs_tokens = NEVER
        self.barred: tuple[float, ...] = ()

    def counter(self, model: str) -> float:
        """Returns where it stands among those that wait for a model."""
        lifts = self.lifts
        return self.committed + lifts[model] if model in lifts else self.committed

    def lift(self, model: str, mark: float) -> None:
        """Lifts it to a mark at least.

        It counts for this model only: a co-op that waits long for a scarce model loses nothing
        there by asking for another one too.
        """
        if self.counter(model) < mark:
            self.lifts[model] = mark - self.committed

    def enter(self, kind: Kind, shape: Shape) -> bool:
        """Notes one more row in which it waits; returns whether it had none of that kind."""
        rows = self.kinds.get(kind, 0)
        self.kinds[kind] = rows + 1
        self.shapes[shape] = self.shapes.get(shape, 0) + 1
        return not rows

    def waits_for(self, kind: Kind) -> bool:
        """Tells whether it has a job of a kind that waits."""
        return kind in self.kinds

    def exit(self, kind: Kind, shape: Shape) -> bool:
        """Notes one row less; returns whether it waits for that model no more."""
        self.kinds[kind] -= 1
        self.shapes[shape] -= 1
        if not self.shapes[shape]:
            del self.shapes[shape]
        if not self.kinds[kind]:
            del self.kinds[kind]
        return all(other[0] != kind[0] for other in self.kinds)

    def empty(self) -> None:
        """Takes out all that wait; counters and lifts stay."""
        super().empty()
        self.kinds, self.shapes, self.queued = {}, {}, 0


class Place(Protocol):
    """A place in some turns.

    Attributes:
        entry: its living entry in the heap; None when it has left.
    """

    __slots__ = ()

    entry: "Key[Any] | None"

    def __lt__(self, _: object) -> bool:
        """Says that it has no order: keys that are equal up to here are of the same line."""
        return False


P = TypeVar("P", bound=Place)
Key: TypeAlias = tuple[int, float, int, str, P]  # tier, counter, running jobs, name, place


class Turns(Generic[P]):
    """Places of lines that wait, least key first; a heap that is corrected lazily.

    Each place has one living entry, which is never above its true key: a key that rises needs
    nothing, a key that falls must be told by ``fell``. So the order depends on the keys alone,
    and never on what happened to the heap before.

    Attributes:
        key: tells a place's key; no two places have the same name.
        pushed: called when the least key may have fallen, for those who order turns by it.
    """

    __slots__ = ("_heap", "_size", "key", "pushed")

    def __init__(
        self, key: Callable[[P], Key[P]], pushed: Callable[[], None] | None = None
    ) -> None:
        self.key = key
        self.pushed = pushed
        self._heap: list[Key[P]] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def places(self) -> list[P]:
        """Returns the places of those that wait, in no order."""
        return [entry[4] for entry in self._heap if entry[4].entry is entry]

    def enter(self, place: P) -> None:
        """Puts a place among those that wait."""
        self._size += 1
        self._push(place, self.key(place))

    def leave(self, place: P) -> None:
        """Takes a place out; its entry dies where it is."""
        place.entry = None
        self._size -= 1
        if len(self._heap) > 2 * self._size + SLACK:
            self._heap = [entry for entry in self._heap if entry[4].entry is entry]
            heapify(self._heap)

    def fell(self, place: P) -> None:
        """Notes that a key may have fallen."""
        key = self.key(place)
        assert place.entry is not None
        if key < place.entry:
            self._push(place, key)

    def first(self) -> Key[P]:
        """Returns the least key; at least one place must be taken."""
        heap = self._heap
        while True:
            entry = heap[0]
            place = entry[4]
            if place.entry is not entry:
                heappop(heap)
                continue
            key = self.key(place)
            if key == entry:
                return entry
            place.entry = key
            heapreplace(heap, key)
            if heap[0] is key:
                return key

    def _push(self, place: P, key: Key[P]) -> None:
        place.entry = key
        heappush(self._heap, key)
        if self.pushed is not None:
            self.pushed()


class Seat(Place):
    """A co-op's place in a crowd."""

    __slots__ = ("entry", "line")

    def __init__(self, line: Coop) -> None:
        self.line = line
        self.entry: Key[Seat] | None = None


class Crowd:
    """The co-ops that wait for one model; it lasts as long as one does.

    Attributes:
        floor: the highest counter at which a turn was taken in it; one that comes back is lifted
            to it. Not to the least that waits: a co-op whose jobs fit no node for days must not
            hold down all that come meanwhile.
        turns: the co-ops by their counters alone.
    """

    __slots__ = ("_model", "floor", "turns")

    def __init__(self, floor: float, model: str) -> None:
        self._model = model
        self.floor = floor
        self.turns = Turns(self._key)

    def _key(self, seat: Seat) -> Key[Seat]:
        line = seat.line
        return 0, line.counter(self._model), line.running, line.name, seat

    def enter(self, coop: Coop) -> None:
        """Puts a co-op among those that wait, unless it does already."""
        if self.turns not in coop.places:
            coop.join(self.turns, Seat(coop))


class AtCap(Struct, frozen=True):
    """Why a job of a co-op waits for that co-op's own runs.

    Attributes:
        in_flight_tokens: prompt and longest answer of its runs, less what was produced.
        cap_tokens: the most it may have while another co-op waits for the same nodes.
    """

    in_flight_tokens: int
    cap_tokens: int
