"""Machines of a fuzzed world: what they hold, and what they answer."""

from random import Random
from typing import Any

from msgspec import Struct
from tests.core.builders import usage

from entraide.types import Lending, NodeCard, Outcome, Usage
from entraide_scheduler.core import commands

PLAUSIBLE, WRONG = 0.95, ("negative", "too_many", "not_a_number", "too_much_energy")


class Work(Struct):
    """A run that a machine has.

    Attributes:
        place: the command. answer: length of the answer, tokens. tokens: of it, so far.
        stopped: whether it was told to stop.
    """

    place: commands.Place
    answer: int
    tokens: float = 0.0
    stopped: bool = False


class FuzzedMachine:
    """A machine, its owner, and its runs.

    Attributes:
        there, silent: whether its agent runs, and whether nobody hears it.
        speed: what its owner leaves of it.
        peak_w: peak power of its device in the hardware catalogue, watts; 0 if unknown.
        unread: reports without a receipt, by run.
    """

    def __init__(self, card: NodeCard, rng: Random) -> None:
        self.card, self.rng = card, rng
        self.there, self.silent, self.boot = True, False, 1
        self.accepting, self.reason, self.lending = True, "", Lending.ALL
        self.speed = 1.0
        self.peak_w = rng.choice((0.0, 0.0, 5.0, card.power.active_w))
        self.tells_at_once = rng.random() < 0.3  # an agent of an older version
        self.work: dict[tuple[str, int], Work] = {}
        self.unread: dict[tuple[str, int], tuple[Any, ...]] = {}

    @property
    def node(self) -> str:
        """Its name."""
        return self.card.node

    @property
    def speaks(self) -> bool:
        """Whether its messages arrive."""
        return self.there and not self.silent

    def hello(self) -> tuple[Any, ...]:
        """Returns the values of a ``NodeJoined``."""
        held = (*self.work, *self.unread)
        return (
            self.card, self.accepting, self.reason, self.lending, f"b{self.boot}", self.peak_w, held
        )  # fmt: skip

    def restart(self, *, keeps: bool) -> None:
        """Its agent starts again; the runs are gone, and perhaps their reports."""
        self.boot += 1
        self.work.clear()
        if not keeps:
            self.unread.clear()

    def take(self, place: commands.Place) -> None:
        """Begins a run."""
        longest = place.output_tokens_max
        answer = min(longest, self.rng.choice((1, 20, 60, 400)))
        self.work[place.job, place.epoch] = Work(place, answer)

    def advance(self, seconds: float) -> None:
        """Every run produces tokens."""
        for work in self.work.values():
            rate = self.rng.choice((0.0, 20.0, 40.0)) * self.speed
            work.tokens = min(work.answer, work.tokens + rate * seconds)

    def listed(self) -> tuple[tuple[str, int, int], ...]:
        """The runs of a heartbeat."""
        return tuple((*name, int(work.tokens)) for name, work in self.work.items())

    def finish(self) -> None:
        """Writes the reports of the runs that are complete or were stopped."""
        for (job, epoch), work in list(self.work.items()):
            if work.stopped:
                self.report(job, epoch, Outcome.CANCELLED, "", delivered=False)
            elif work.tokens >= work.answer:
                self.report(job, epoch, Outcome.COMPLETED, "", delivered=True)

    def fail_all(self, code: str) -> None:
        """Every run fails, with what their clients have."""
        beside = len(self.work) - 1
        for (job, epoch), work in list(self.work.items()):
            delivered = work.tokens >= 1.0
            self.report(job, epoch, Outcome.FAILED, code, delivered=delivered, beside=beside)

    def report(
        self,
        job: str,
        epoch: int,
        outcome: Outcome,
        code: str,
        *,
        delivered: bool,
        beside: int = 0,
    ) -> None:
        """Ends a run with a report that is sent until it is read."""
        work = self.work.pop((job, epoch))
        used = self._usage(work)
        self.unread[job, epoch] = (
            job, epoch, self.node, outcome, code, delivered, used, beside
        )  # fmt: skip

    def _usage(self, work: Work) -> Usage:
        tokens = int(work.tokens)
        watts = self.card.power.active_w
        values: dict[str, Any] = {
            "input_tokens": self.rng.choice((5, 20)),
            "output_tokens": tokens,
            "energy_prefill_uwh": int(5 * watts),
            "energy_decode_uwh": int(tokens * watts * self.rng.choice((3, 6, 20))),
        }
        if self.rng.random() > PLAUSIBLE:
            wrong = {
                "negative": {"output_tokens": -1},
                "too_many": {"output_tokens": 10**6, "input_tokens": 10**6},
                "not_a_number": {"ttft_s": float("nan")},
                "too_much_energy": {"energy_decode_uwh": 10**9},
            }
            values |= wrong[self.rng.choice(WRONG)]
        return usage(**values)
