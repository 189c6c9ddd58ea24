"""World: machines that fail, owners, co-ops, gateways and grids around one core, from one seed.

It answers commands as the others would, with faults, and keeps no secret: all that happens is in
the events. After the faults comes a calm, in which every machine is there again; what waits then
can run.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from random import Random
from typing import Any

from msgspec import structs
from tests.core.builders import START, catalogue, entry, facts, replica, surplus
from tests.core.fuzz import drawing
from tests.core.fuzz.drawing import COOPS, GATEWAYS, RARE
from tests.core.fuzz.feeding import Calm, Feeder, Fork
from tests.core.fuzz.machines import FuzzedMachine
from tests.core.fuzz.waiting import overdue_jobs

from entraide.models import ModelSize
from entraide.types import (
    Control,
    JobClass,
    Lending,
    Outcome,
    RequestFacts,
    SurplusEvidence,
)
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.policy import Period
from entraide_scheduler.core.records import SenderKind

# A calm without the end of a job is longer than any back-off, deadline and greener hour of a world.
CALM_S = 800.0
REPEATED_LAST = 30  # of the last jobs, one is requested or cancelled again
PERIOD_S = {Period.MINUTE: 20.0, Period.DAY: 45.0, Period.MONTH: 70.0}  # they come soon
DECLINES = (
    "full", "draining", "not_loaded", "stale", "owner_terms", "context_length_exceeded",
    "engine_refused",
)  # fmt: skip
OWNER_CODES = ("owner_terms", "draining")


class World:
    """One world.

    Args:
        seed: of all that is drawn.
        length_s: time until the calm, seconds.
        wanted: habits that are not drawn.

    Attributes:
        feeder: the core and its oracle.
        habits: how often things happen in it.
        faults: number of faults so far, by name.
    """

    def __init__(self, seed: int, *, length_s: float, **wanted: Any) -> None:
        self.rng, self.feeder = Random(seed), Feeder()
        self.kinds = [name.removeprefix("fault_") for name in dir(self) if name[:6] == "fault_"]
        habits = drawing.drawn_habits(self.rng, self.kinds)
        self.habits = self.first_habits = structs.replace(habits, **wanted)
        self.now, self.end_at = START, START + length_s
        self.heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.pushed = self.ids = self.versions = 0
        self.incarnation = 1
        self.requests: list[RequestFacts] = []
        self.got: dict[str, dict[int, int]] = {}  # by job and epoch, tokens that its gateway has
        self.faults = dict.fromkeys(self.kinds, 0)
        self.machines = {
            name: FuzzedMachine(
                drawing.drawn_card(self.rng, name, self.rng.choice(COOPS), self.habits), self.rng
            )
            for name in (f"n{number}" for number in range(self.rng.randint(2, 7)))
        }

    # Time.

    def live(self) -> None:
        """Lives until the end of the faults, then through the calm."""
        self.begin()
        while self.heap[0][0] < self.end_at:
            self.step()
        self.calm()
        self.feeder.feed(Calm())
        for name in list(self.feeder.oracle.open):
            self.tell(events.JobCancelled, name, "cancelled")
        self.feeder.finish()

    def begin(self) -> None:
        self.apply_policy()
        self.tell(events.SchedulerStarted, self.incarnation, GATEWAYS[0])
        for zone, grams in (("CA-QC", 2.0), ("CA-ON", 40.0), ("CA-AB", 400.0), ("US-NY", 200.0)):
            self.tell(events.IntensityChanged, zone, grams, 2 * grams, "measured", START + 1e6)
        entries = [entry(name, ModelSize.SMALL) for name in RARE]
        self.tell(events.CatalogueChanged, catalogue(*entries, entry("est", ModelSize.LARGE)))
        for machine in self.machines.values():
            self.tell(events.NodeJoined, *machine.hello())
        for period, seconds in PERIOD_S.items():
            self.begin_period(period, seconds)
        self.tick()

    def step(self) -> None:
        """Does what comes next."""
        at, _, act, values = heappop(self.heap)
        self.now = max(self.now, at)
        act(*values)

    def later(self, after_s: float, act: Callable[..., None], *values: Any) -> None:
        self.pushed += 1
        heappush(self.heap, (self.now + after_s, self.pushed, act, values))

    def calm(self) -> None:
        """Every machine comes and stays, perhaps after a restart; nobody asks for more.

        It lasts while jobs end: a machine of one slot may need long for those of many co-ops.
        """
        self.habits = structs.replace(self.habits, faults_per_tick=0.0, requests_per_tick=0.0)
        for machine in self.machines.values():
            machine.there, machine.silent, machine.accepting = True, False, True
            machine.lending, machine.speed = Lending.ALL, 1.0
            self.clear(SenderKind.NODE, machine.node)
            if self.rng.random() < 0.5:
                machine.restart(keeps=True)
            self.tell(events.NodeJoined, *machine.hello())
        waiting, until = inf, self.now + CALM_S
        while self.now < until and any(overdue_jobs(self.feeder.oracle)):
            self.step()
            if len(self.feeder.oracle.open) < waiting:
                waiting, until = len(self.feeder.oracle.open), self.now + CALM_S

    def tell(self, kind: type, *values: Any) -> None:
        """Feeds an event, and has the others answer the commands."""
        self.ids += 1
        for command in self.feeder.feed(kind(self.ids, self.now, *values)):
            self.answer(command)

    def answer(self, command: commands.Command) -> None:
        match command:
            case commands.Place():
                self.later(self.rng.uniform(0.01, 0.3), self.take, command)
            case commands.CancelRun():
                self.later(self.rng.uniform(0.01, 0.3), self.stop, command)
            case commands.AckUsage():
                self.later(0.05, self.read, command)
            case commands.LoadModel():
                self.later(self.rng.uniform(0.5, 6.0), self.load, command)
            case commands.UnloadModel():
                self.later(self.rng.uniform(0.1, 2.0), self.unload, command)

    # What machines and gateways answer.

    def take(self, place: commands.Place) -> None:
        """A machine takes a run, declines it, or says nothing; its gateway may be unable to."""
        machine, rng = self.machines[place.node], self.rng
        chance = rng.random() if self.habits.faults_per_tick else 1.0
        if not machine.speaks or chance < 0.01:
            return
        if not machine.accepting or place.terms.model not in self.models_of(machine):
            code = "not_loaded" if machine.accepting else "owner_terms"
            self.tell(events.RunDeclined, place.job, place.epoch, place.node, code, {})
        elif chance < 0.05:
            code = rng.choice(DECLINES)
            machine.accepting = machine.accepting and code != "draining"
            self.tell(events.RunDeclined, place.job, place.epoch, place.node, code, {"limit": 1})
        else:
            machine.take(place)
            self.tell(events.RunAccepted, place.job, place.epoch, place.node)
            got = {epoch: tokens for epoch, tokens in self.got.get(place.job, {}).items() if tokens}
            if got and chance < 0.95:
                delivered = tuple(got.items())
                self.tell(events.AnswerResumed, place.job, place.epoch, delivered)

    def models_of(self, machine: FuzzedMachine) -> set[str]:
        return {served.model for served in machine.card.replicas}

    def stop(self, command: commands.CancelRun) -> None:
        machine = self.machines.get(command.node)
        work = None if machine is None else machine.work.get((command.job, command.epoch))
        if work is not None:
            work.stopped = True

    def read(self, command: commands.AckUsage) -> None:
        self.machines[command.node].unread.pop((command.job, command.epoch), None)

    def load(self, command: commands.LoadModel) -> None:
        """A machine loads a model, or reports that it cannot."""
        machine = self.machines[command.node]
        if not machine.speaks:
            return
        if self.rng.random() < 0.2:
            self.tell(events.LoadFailed, command.node, command.model, "load_no_room")
        elif command.model not in self.models_of(machine):
            added = (*machine.card.replicas, replica(command.model))
            machine.card = structs.replace(machine.card, replicas=added)
            self.tell(events.NodeJoined, *machine.hello())

    def unload(self, command: commands.UnloadModel) -> None:
        machine = self.machines[command.node]
        if machine.speaks and self.rng.random() < 0.9:
            kept = [served for served in machine.card.replicas if served.model != command.model]
            machine.card = structs.replace(machine.card, replicas=tuple(kept))
            self.tell(events.NodeJoined, *machine.hello())

    # Each tick.

    def tick(self) -> None:
        """Feeds heartbeats and reports, then what goes wrong, then requests."""
        habits, rng = self.habits, self.rng
        idle = []
        for name, machine in self.machines.items():
            if machine.speaks:
                self.beat(machine, idle, name)
        self.tell(events.NodesSeen, tuple(idle))
        while rng.random() < habits.faults_per_tick / (1.0 + habits.faults_per_tick):
            weights = [habits.weights.get(kind, 0) + 0.01 for kind in self.kinds]
            kind = rng.choices(self.kinds, weights)[0]
            self.faults[kind] += 1
            getattr(self, f"fault_{kind}")(rng.choice(list(self.machines.values())))
        if habits.requests_per_tick:
            count = int(rng.expovariate(1.0 / habits.requests_per_tick))
            if rng.random() < 0.02:
                count += habits.burst
            for _ in range(count):
                self.later(rng.random() * habits.tick_s, self.request)
            if rng.random() < 0.08:
                self.feeder.feed(Fork())
        self.later(habits.tick_s, self.tick)

    def beat(self, machine: FuzzedMachine, idle: list[str], name: str) -> None:
        """A machine goes on, reports what has ended, and lists what it runs."""
        machine.advance(self.habits.tick_s)
        machine.finish()
        for values in list(machine.unread.values()):
            if self.rng.random() < 0.9:
                self.tell(events.RunReported, *values)
        for (job, epoch), work in machine.work.items():
            self.got.setdefault(job, {})[epoch] = int(work.tokens)
        runs = machine.listed()
        if machine.tells_at_once:
            for job, epoch, tokens in runs:
                self.tell(events.RunProgressed, job, epoch, machine.node, tokens)
            idle.append(name)
        elif runs or self.feeder.core.awaits_runs(machine.node):  # as ``NodeListener`` asks
            self.tell(events.NodeBeat, machine.node, runs)
        else:
            idle.append(name)

    def request(self) -> None:
        wanted = drawing.drawn_facts(
            self.rng, f"j{len(self.requests)}", self.now, self.habits
        )  # fmt: skip
        self.requests.append(wanted)
        self.tell(events.JobRequested, wanted)

    def begin_period(self, period: Period, seconds: float) -> None:
        self.tell(events.PeriodBegan, period, self.now + seconds)
        self.later(seconds, self.begin_period, period, seconds)

    def apply_policy(self) -> None:
        self.versions += 1
        drawn = drawing.drawn_policy(self.rng, self.first_habits, f"v{self.versions}")
        self.tell(events.PolicyChanged, drawn)

    # Faults of machines and owners.

    def fault_silence(self, machine: FuzzedMachine) -> None:
        """A machine falls silent, with or without the end of its connection."""
        machine.silent = True
        if self.rng.random() < 0.5:
            self.tell(events.NodeDisconnected, machine.node)
        self.later(self.rng.choice((0.5, 2.0, 6.0, 14.0)), self.speak, machine)

    def speak(self, machine: FuzzedMachine) -> None:
        """It is heard again: as it was, or after a restart."""
        machine.silent = False
        if machine.there and self.rng.random() < 0.4:
            machine.restart(keeps=self.rng.random() < 0.5)
            self.tell(events.NodeJoined, *machine.hello())

    def fault_crash(self, machine: FuzzedMachine) -> None:
        """An agent restarts at once; perhaps with another card."""
        if machine.speaks:
            machine.restart(keeps=self.rng.random() < 0.7)
            if self.rng.random() < 0.5:
                card = drawing.drawn_card(self.rng, machine.node, machine.card.coop, self.habits)
                machine.card = card
            self.tell(events.NodeJoined, *machine.hello())

    def fault_leave(self, machine: FuzzedMachine) -> None:
        """A machine says goodbye, or is revoked or forgotten, and comes again."""
        if not machine.speaks:
            return
        machine.there = False
        machine.restart(keeps=False)
        if self.rng.random() < 0.2:
            self.tell(events.NodeForgotten, machine.node, f"node-{machine.node}")
        else:
            reason = self.rng.choice(("goodbye", "goodbye", "revoked"))
            self.tell(events.NodeLeft, machine.node, reason)
        self.later(self.rng.uniform(1.0, 15.0), self.come, machine)

    def come(self, machine: FuzzedMachine) -> None:
        machine.there = True
        self.tell(events.NodeJoined, *machine.hello())

    def fault_owner(self, machine: FuzzedMachine) -> None:
        """An owner pauses the machine, keeps it for their co-op, or shares its speed."""
        rng = self.rng
        machine.accepting = rng.random() < 0.6
        machine.reason = "" if machine.accepting else "paused"
        machine.lending = rng.choice((Lending.ALL, *Lending))
        machine.speed = rng.choice((0.1, 0.5, 1.0))
        if not machine.accepting and rng.random() < 0.5:
            machine.fail_all(rng.choice(OWNER_CODES))
        self.change(machine)
        self.later(rng.uniform(2.0, 20.0), self.go_away, machine)

    def go_away(self, machine: FuzzedMachine) -> None:
        """The owner goes away again."""
        machine.accepting, machine.reason, machine.lending = True, "", Lending.ALL
        machine.speed = 1.0
        self.change(machine)

    def change(self, machine: FuzzedMachine) -> None:
        if machine.speaks:
            energy = self.rng.choice((machine.card.energy, surplus(self.rng.uniform(0, 400))))
            values = (machine.accepting, machine.reason, energy, machine.lending)
            self.tell(events.NodeChanged, machine.node, *values)

    def fault_engine(self, machine: FuzzedMachine) -> None:
        """An engine exits, or fails every run."""
        machine.fail_all(self.rng.choice(("engine_exited", "engine_failed", "engine_failed")))

    def fault_vouch(self, machine: FuzzedMachine) -> None:
        """The operator vouches for another place and owner than before."""
        rng = self.rng
        control, evidence = rng.choice(tuple(Control)), rng.choice(tuple(SurplusEvidence))
        zone = rng.choice((None, *drawing.ZONES))
        machine.card = structs.replace(
            machine.card,
            controlled_by=control,
            surplus_evidence=evidence,
            zone=machine.card.zone if zone is None else zone,
        )
        self.tell(events.NodeVouched, machine.node, control, evidence, zone)

    def fault_quarantine(self, machine: FuzzedMachine) -> None:
        """A machine or a key is put in quarantine, and cleared later."""
        kind, name = SenderKind.NODE, machine.node
        if self.rng.random() < 0.3:
            kind, name = SenderKind.KEY, f"key-{self.rng.choice(COOPS)}"
        ends_work = self.rng.random() < 0.5
        self.tell(events.SenderQuarantined, kind, name, "operator", "", ends_work)
        self.later(self.rng.uniform(1.0, 15.0), self.clear, kind, name)

    def clear(self, kind: SenderKind, name: str) -> None:
        self.tell(events.QuarantineCleared, kind, name)
        machine = self.machines.get(name)
        if machine is not None and machine.speaks:
            self.tell(events.NodeJoined, *machine.hello())

    # Faults of gateways, co-ops and the pool.

    def fault_gateway(self, _: FuzzedMachine) -> None:
        """A gateway is lost, and had said what it had sent of some runs; the next jobs come from it
        all the same."""
        runs = [run for machine in self.machines.values() for run in machine.work]
        sent = tuple((*run, self.rng.randrange(-1, 300)) for run in runs if self.rng.random() < 0.7)
        self.tell(events.GatewayLost, self.rng.choice(GATEWAYS[1:]), sent)

    def fault_scheduler(self, _: FuzzedMachine) -> None:
        """The scheduler starts again, or loses the bus."""
        if self.rng.random() < 0.3:
            self.tell(events.BusLost)
            return
        self.now += self.rng.choice((0.0, 1.0, 8.0))
        self.incarnation += 1
        self.tell(events.SchedulerStarted, self.incarnation, GATEWAYS[0])

    def fault_repeat(self, _: FuzzedMachine) -> None:
        """A gateway requests a job again, perhaps from another place."""
        if self.requests:
            again = self.rng.choice(self.requests[-REPEATED_LAST:])
            if self.rng.random() < 0.2:
                again = structs.replace(again, places=drawing.drawn_places(self.rng))
            self.tell(events.JobRequested, again)

    def fault_cancel(self, _: FuzzedMachine) -> None:
        """Clients cancel jobs that wait, run, or have ended."""
        for wanted in self.requests[-REPEATED_LAST:]:
            if self.rng.random() < 0.2:
                self.tell(events.JobCancelled, wanted.job, "client_gone")

    def fault_abandon(self, machine: FuzzedMachine) -> None:
        """A gateway cannot use what a machine sends, or ends an answer that is too long."""
        for job, epoch in list(machine.work):
            codes = (
                "stream_broken", "engine_failed", "answer_invalid", "answer_broken",
                "answer_complete", "gateway_lost",
            )  # fmt: skip
            if self.rng.random() < 0.2:
                values = (job, epoch, machine.node, "stream_tokens", 10**6)
                self.tell(events.RunExceeded, *values)
            elif self.rng.random() < 0.5:
                self.tell(events.JobAbandoned, job, epoch, self.rng.choice(codes))

    def fault_wrong(self, machine: FuzzedMachine) -> None:
        """Messages come late, twice, or for runs of others."""
        for job, epoch in list(machine.work):
            other = self.rng.choice(list(self.machines))
            self.tell(events.RunProgressed, job, epoch - 1, other, 5)
            self.tell(events.RunAccepted, job, epoch, other)
            if self.rng.random() < 0.3:
                machine.report(job, epoch, Outcome.CANCELLED, "", delivered=False)

    def fault_policy(self, _: FuzzedMachine) -> None:
        """The members decide on another policy."""
        self.apply_policy()

    def fault_grid(self, _: FuzzedMachine) -> None:
        """A grid changes, and its forecast."""
        zone, rng = self.rng.choice(drawing.ZONES[:4]), self.rng
        grams = rng.uniform(1.0, 500.0)
        self.tell(events.IntensityChanged, zone, grams, 2 * grams, "measured", self.now + 60.0)
        hours = tuple(rng.uniform(1.0, 500.0) for _ in range(12))
        self.tell(events.ForecastIssued, zone, self.now, self.now, hours, hours)

    def fault_batch(self, _: FuzzedMachine) -> None:
        """A co-op states a batch, another part of it, or its end."""
        rng, coop = self.rng, self.rng.choice(COOPS)
        deadline_at = self.now + rng.choice((60.0, 600.0, 86_400.0))
        values = {"job_class": JobClass.BATCH, "deadline_at": deadline_at}
        batch = facts(f"batch-{coop}", coop, model=drawing.MODELS[0], **values)
        self.tell(events.BatchStated, batch, rng.choice((0, 5, 400)))

    def fault_load(self, machine: FuzzedMachine) -> None:
        """The operator loads or unloads a model."""
        kind = self.rng.choice((events.LoadAsked, events.UnloadAsked))
        self.tell(kind, machine.node, self.rng.choice(RARE))

    def fault_ledger(self, _: FuzzedMachine) -> None:
        """The members correct the ledger, perhaps twice."""
        lender, borrower = self.rng.sample(COOPS, 2)
        name = f"c{self.rng.randint(1, 5)}"
        self.tell(events.LedgerCorrected, name, lender, borrower, 5, -70, 3, "a wrong meter")
