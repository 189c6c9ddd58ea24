"""Recorded faults: what befell the machines and the scheduler, as a journal tells it.

Input: events with their commands. Output: for each machine when it crashed, when its link was cut,
when its owner had its runs ended and when one of its engines exited or hung; and the requests that
fail by themselves, with the code.

A machine whose agent comes back with another boot had crashed; one with the same boot had gone on
without its link. Without a disconnection, a silence longer than the policy's ``lost_after_s`` tells
of both, unless the scheduler itself was down. A request fails by itself if its job ended with the
code with which its node or its gateway had ended its run.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from entraide.types import JobState, Outcome
from entraide_scheduler.core import commands as c
from entraide_scheduler.core import events as e
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.core.state import State

GIVEN_BACK = ("owner_terms", "shutting_down")  # codes of runs that the machine's owner ended
GATEWAY_LOST = "gateway_lost"
ENGINE_GONE = ("engine_exited", "engine_hung")  # codes of runs that ended with their engine
EXIT_APART_S = 1.0  # between two exits of an engine: its runs are reported one by one


class FaultKind(StrEnum):
    """What befell a machine."""

    CRASH = "crash"
    RETURN = "return"
    CUT = "cut"
    HEAL = "heal"
    GIVE_BACK = "give_back"
    ENGINE_EXIT = "engine_exit"


class RecordedFault(Struct, frozen=True, order=True):
    """A moment, and what befell a machine then; of an engine, its model and the runs' code."""

    at: float
    node: str
    kind: FaultKind
    model: str = ""
    code: str = ""


class RecordedFaults:
    """Collects faults; call ``observe`` with each event and its commands.

    Attributes:
        failures: by job, the code with which it fails wherever it runs.
        cancelled: jobs that their clients cancelled while they ran.
    """

    def __init__(self, start: State) -> None:
        """Starts with the core's state at the start of the recording."""
        self.failures: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self._lost_after_s = start.policy.timing.lost_after_s
        self._boots = {name: node.boot for name, node in start.fleet.nodes.items()}
        self._last_seen = dict.fromkeys(start.fleet.nodes, start.now)
        self._gone_at: dict[str, float] = {}  # nodes whose connection was closed
        self._codes: dict[str, str] = {}  # by job: code of the end of its last run
        self._faults: set[RecordedFault] = set()
        self._models = {name: lease.terms.model for name, lease in start.leases.items()}  # by job
        self._exited_at: dict[tuple[str, str], float] = {}  # by node and model

    def faults(self) -> Sequence[RecordedFault]:
        """Returns what befell the machines, in order of time."""
        crashes = {RecordedFault(at, node, FaultKind.CRASH) for node, at in self._gone_at.items()}
        return sorted(self._faults | crashes)

    def observe(self, event: e.Event, commands: Sequence[c.Command]) -> None:
        """Processes an event and its commands."""
        match event:
            case e.NodesSeen():  # first: nearly all events of a long recording
                self._observe_signs(event.nodes, event.at)
            case e.RunReported(outcome=Outcome.FAILED):
                self._codes[event.job] = event.code
                if event.code in GIVEN_BACK:
                    self._add(event.at, event.node, FaultKind.GIVE_BACK)
                elif event.code in ENGINE_GONE:
                    self._observe_exit(event)
            case e.RunDeclined() | e.JobAbandoned():
                self._codes[event.job] = event.code
            case e.SchedulerStarted():
                # Nobody listened to the machines while the scheduler was stopped.
                self._last_seen = dict.fromkeys(self._last_seen, event.at)
            case e.PolicyChanged():
                self._lost_after_s = event.policy.timing.lost_after_s
            case _:
                self._observe_node(event)
        for command in commands:
            if isinstance(command, c.Place):
                self._models[command.job] = command.terms.model
            elif isinstance(command, c.EndJob | c.EndStalledJob):
                self._observe_end(command)

    def _observe_node(self, event: e.Event) -> None:
        match event:
            case e.NodeBeat() | e.NodeChanged():
                self._observe_sign(event.node, event.at)
            case e.NodeJoined():
                self._observe_hello(event)
            case e.NodeDisconnected() if event.node in self._last_seen:
                self._gone_at.setdefault(event.node, event.at)
            case e.NodeLeft() | e.NodeForgotten():
                self._forget(event.node)
            case e.SenderQuarantined(kind=SenderKind.NODE):
                self._forget(event.name)
            case _:
                pass

    def _observe_end(self, command: c.EndJob | c.EndStalledJob) -> None:
        code = self._codes.pop(command.job, "")
        self._models.pop(command.job, None)
        if command.state is JobState.CANCELLED:
            self.cancelled.add(command.job)
        elif code == command.code and code not in ("", GATEWAY_LOST, *GIVEN_BACK):
            self.failures[command.job] = code

    def _observe_exit(self, event: e.RunReported) -> None:
        model = self._models.get(event.job, "")
        before = self._exited_at.get((event.node, model))
        self._exited_at[event.node, model] = event.at
        if model and (before is None or event.at - before > EXIT_APART_S):
            fault = RecordedFault(event.at, event.node, FaultKind.ENGINE_EXIT, model, event.code)
            self._faults.add(fault)

    def _observe_hello(self, event: e.NodeJoined) -> None:
        node, boot = event.card.node, self._boots.get(event.card.node, "")
        if boot and event.boot and event.boot != boot:
            gone_at = self._gone_at.pop(node, self._last_seen.get(node, event.at))
            self._add(gone_at, node, FaultKind.CRASH)
        self._boots[node] = event.boot or boot
        self._observe_sign(node, event.at)
        self._add(event.at, node, FaultKind.RETURN)
        self._last_seen[node] = event.at

    def _observe_signs(self, nodes: Sequence[str], at: float) -> None:
        last_seen, soon = self._last_seen, at - self._lost_after_s
        for node in nodes:
            if self._gone_at or last_seen.get(node, 0.0) < soon:
                self._observe_sign(node, at)
            else:
                last_seen[node] = at

    def _observe_sign(self, node: str, at: float) -> None:
        seen_at = self._last_seen.get(node)
        if seen_at is None:
            return
        gone_at = self._gone_at.pop(node, None)
        if gone_at is None and at - seen_at > self._lost_after_s:
            gone_at = seen_at
        if gone_at is not None:
            self._add(gone_at, node, FaultKind.CUT)
            self._add(at, node, FaultKind.HEAL)
        self._last_seen[node] = at

    def _forget(self, node: str) -> None:
        self._last_seen.pop(node, None)
        self._gone_at.pop(node, None)

    def _add(self, at: float, node: str, kind: FaultKind) -> None:
        self._faults.add(RecordedFault(at, node, kind))
