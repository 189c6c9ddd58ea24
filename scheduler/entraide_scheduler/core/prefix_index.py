"""Prefix index: which node holds the state of which beginning of a prompt, by keyed digests.

Input: the events that a driver gives the core, the commands that follow, and the jobs whose states
nodes report that they hold. Output: the facts of a request with ``warm``, the tokens that nodes
need not read, in place of its digests.

The index belongs to a driver, live or simulated, and not to the core's state: the core reads
``warm`` only, so neither journal nor snapshot holds a digest, and a recorded event gives the same
commands again. After a restart the index is empty.

A state counts for a node only if the node ran the job, reports states at all, and has reported this
one or ended the run since its last report. A node that reports no cached token where some were
expected is forgotten, and so is a sender whose access has ended. Digests are kept for the policy's
``[prefix] keep_s`` after their run, and their number is bounded.

The digests of a prompt are chained: two prompts with a common digest have all before it in common.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct, structs

from entraide.types import Outcome, RequestFacts, Usage, account_of
from entraide_scheduler.core.commands import Command, EndJob, EndStalledJob, Place, Refuse
from entraide_scheduler.core.events import (
    Event,
    JobRequested,
    NodeJoined,
    NodeLeft,
    PolicyChanged,
    RunReported,
)
from entraide_scheduler.core.policy import PrefixTerms

WARM_NODES_MAX = 8  # in the facts of a request, those with the most tokens
STATES_MAX = 64  # of one node, as many as it reports
KEYS_PER_JOB_MAX = 4_096  # those that follow are ignored
KEYS_MAX = 524_288  # of open jobs, and as many of held states
OPEN_S = 86_400.0  # after which the digests of a job that has not ended are dropped
COMPARED_STATES_MAX = 128  # with a request, those with the most in common first, then the latest
FINISHED = (Outcome.COMPLETED, Outcome.CANCELLED)

_Mark = tuple[str, str, int]  # co-op, requested model, one digest


class _OpenJob(Struct, eq=False):
    """A job that has not ended: its digests, what was expected, and the run that was placed."""

    facts: RequestFacts
    opened_at: float
    warm: dict[str, int]
    node: str = ""
    epoch: int = 0


class _HeldState(Struct, eq=False, gc=False):
    """What a node has read of a prompt, in tokens, for whom, and until when it counts."""

    node: str
    job: str
    account: str
    marks: tuple[_Mark, ...]
    keys: tuple[int, ...]
    tokens: int
    until: float


class PrefixIndex:
    """The states that nodes hold, and the digests of the jobs that have not ended."""

    def __init__(self) -> None:
        self._terms = PrefixTerms()
        self._open: dict[str, _OpenJob] = {}  # oldest first
        self._open_keys = 0
        self._held: dict[_HeldState, None] = {}  # oldest first
        self._held_keys = 0
        self._by_node: dict[str, dict[str, _HeldState]] = {}
        self._by_mark: dict[_Mark, dict[_HeldState, None]] = {}
        self._reporting: set[str] = set()
        self._boots: dict[str, str] = {}

    def prepare(self, event: Event) -> Event:
        """Returns the event for the core: a request's digests are replaced by ``warm``."""
        if not isinstance(event, JobRequested):
            return event
        facts = event.facts
        if not (facts.prefix_keys or facts.warm):
            return event
        return structs.replace(event, facts=self._open_job(facts, event.at))

    def observe(self, event: Event, commands: Sequence[Command]) -> None:
        """Records an event that the core has handled, and the commands that followed."""
        match event:
            case RunReported():
                self._record_report(event)
            case NodeJoined():
                if self._boots.get(event.card.node, event.boot) != event.boot:
                    self.forget_node(event.card.node)
                self._boots[event.card.node] = event.boot
                self._reporting.discard(event.card.node)  # until it reports again, if it holds any
            case NodeLeft(node=node):
                self.forget_node(node)
            case PolicyChanged(policy=policy):
                self._set_terms(policy.prefix)
            case _:
                pass
        if self._open:
            for command in commands:
                self._follow(command)

    def note_held(self, node: str, jobs: Sequence[str]) -> None:
        """Records a node's report: the last jobs of the states that it holds, and no others."""
        self._reporting.add(node)
        named = frozenset(islice(jobs, STATES_MAX))
        for state in list(self._by_node.get(node, {}).values()):
            if state.job not in named:
                self._drop_state(state)

    def forget_node(self, node: str) -> None:
        """Forgets what a node holds; its states count again once it has reported some."""
        self._reporting.discard(node)
        self._boots.pop(node, None)
        self._drop_states_of(node)

    def forget_account(self, account: str) -> None:
        """Forgets the digests of a person, or of an API key; see ``account_of``."""
        for state in [state for state in self._held if state.account == account]:
            self._drop_state(state)
        for job, opened in list(self._open.items()):
            if account_of(opened.facts.key) == account:
                self._close_job(job)

    # Requests.

    def _open_job(self, facts: RequestFacts, at: float) -> RequestFacts:
        keys = facts.prefix_keys[:KEYS_PER_JOB_MAX]
        if not (keys and self._terms.enabled):
            return structs.replace(facts, prefix_keys=(), warm=None)  # whatever a gateway says
        self._drop_expired(at)
        facts = structs.replace(facts, prefix_keys=keys)
        warm = self._warm(facts)
        self._close_job(facts.job)
        self._open[facts.job] = _OpenJob(facts, at, dict(warm))
        self._open_keys += len(keys)
        while self._open_keys > KEYS_MAX:
            self._close_job(next(iter(self._open)))
        return structs.replace(facts, prefix_keys=(), warm=warm)

    def _close_job(self, job: str) -> None:
        opened = self._open.pop(job, None)
        if opened is not None:
            self._open_keys -= len(opened.facts.prefix_keys)

    def _warm(self, facts: RequestFacts) -> tuple[tuple[str, int], ...]:
        """Returns the nodes that need not read all of a prompt, and the tokens they need not."""
        keys, most = facts.prefix_keys, facts.input_tokens_est - 1
        tokens_by_node: dict[str, int] = {}
        for state in self._alike(facts):
            if state.node in self._reporting:
                count = _common_count(keys, state.keys)
                tokens = facts.input_tokens_est * count // len(keys)
                if count == len(state.keys):
                    tokens = state.tokens
                tokens = min(tokens, most)
                if tokens > tokens_by_node.get(state.node, 0):
                    tokens_by_node[state.node] = tokens
        warmest = sorted(tokens_by_node.items(), key=lambda item: (-item[1], item[0]))
        return tuple(warmest[:WARM_NODES_MAX])

    def _alike(self, facts: RequestFacts) -> Iterable[_HeldState]:
        """Returns states that begin like a request, those with the most in common first."""
        alike: dict[_HeldState, None] = {}
        for mark in reversed(_marks_of(facts)):
            states = self._by_mark.get(mark)
            if states:
                alike |= dict.fromkeys(islice(reversed(states), COMPARED_STATES_MAX))
                if len(alike) >= COMPARED_STATES_MAX:
                    break
        return alike

    # Runs.

    def _follow(self, command: Command) -> None:
        """Follows a job to the node where it is placed, or to its end without a run."""
        if isinstance(command, Place):
            opened = self._open.get(command.job)
            if opened is not None:
                opened.node, opened.epoch = command.node, command.epoch
        elif isinstance(command, Refuse | EndStalledJob):
            self._close_job(command.job)
        elif isinstance(command, EndJob):
            opened = self._open.get(command.job)
            if opened is not None and not opened.node:
                self._close_job(command.job)

    def _record_report(self, event: RunReported) -> None:
        opened = self._open.get(event.job)
        if opened is None or (opened.node, opened.epoch) != (event.node, event.epoch):
            return
        if event.outcome not in FINISHED:
            return  # the job may be placed again
        self._close_job(event.job)
        if event.usage.input_tokens <= 0:
            return  # it has read nothing
        if opened.warm.get(event.node, 0) > 0 and event.usage.cached_tokens <= 0:
            self._drop_states_of(event.node)
        self._hold(opened.facts, event.node, event.usage, event.at)

    def _hold(self, facts: RequestFacts, node: str, usage: Usage, at: float) -> None:
        until = at + self._terms.keep_s
        tokens = min(usage.input_tokens, facts.input_tokens_max)
        marks = _marks_of(facts)
        account = account_of(facts.key)
        state = _HeldState(node, facts.job, account, marks, facts.prefix_keys, tokens, until)
        of_node = self._by_node.setdefault(node, {})
        if facts.job in of_node:
            self._drop_state(of_node[facts.job])
            of_node = self._by_node.setdefault(node, {})
        of_node[facts.job] = state
        self._held[state] = None
        for mark in marks:
            self._by_mark.setdefault(mark, {})[state] = None
        self._held_keys += len(state.keys)
        if len(of_node) > STATES_MAX:
            self._drop_state(next(iter(of_node.values())))
        while self._held_keys > KEYS_MAX:
            self._drop_state(next(iter(self._held)))

    # What is no longer held.

    def _set_terms(self, terms: PrefixTerms) -> None:
        if terms == self._terms:
            return
        self._terms = terms
        for state in list(self._held):
            self._drop_state(state)
        if not terms.enabled:
            self._open.clear()
            self._open_keys = 0

    def _drop_expired(self, at: float) -> None:
        for state in list(_expired(self._held, at)):
            self._drop_state(state)
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.opened_at + OPEN_S > at:
                break
            self._close_job(oldest.facts.job)

    def _drop_states_of(self, node: str) -> None:
        for state in list(self._by_node.get(node, {}).values()):
            self._drop_state(state)

    def _drop_state(self, state: _HeldState) -> None:
        del self._held[state]
        self._held_keys -= len(state.keys)
        of_node = self._by_node[state.node]
        del of_node[state.job]
        if not of_node:
            del self._by_node[state.node]
        for mark in state.marks:
            alike = self._by_mark[mark]
            del alike[state]
            if not alike:
                del self._by_mark[mark]


def _marks_of(facts: RequestFacts) -> tuple[_Mark, ...]:
    """Returns the digests by which states are found: numbers 1, 2, 4, 8, 16 and so on."""
    keys, at = facts.prefix_keys, 1
    marks: dict[_Mark, None] = {}  # once each, whatever a gateway sends
    while at <= len(keys):
        marks[facts.coop, facts.model, keys[at - 1]] = None
        at *= 2
    return tuple(marks)


def _common_count(keys: Sequence[int], others: Sequence[int]) -> int:
    """Returns how many leading digests two prompts have in common, by a binary search."""
    low, high = 0, min(len(keys), len(others))
    while low < high:
        middle = (low + high + 1) // 2
        if keys[middle - 1] == others[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low


def _expired(states: dict[_HeldState, None], at: float) -> Iterator[_HeldState]:
    """Yields the states whose time is over; the oldest come first."""
    for state in states:
        if state.until > at:
            return
        yield state
