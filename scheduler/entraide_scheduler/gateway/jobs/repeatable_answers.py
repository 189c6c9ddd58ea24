"""Repeatable answers: what a live request gets that repeats another by its idempotency key.

In: the events of an answer, as an ``AnswerSink``. Out: the same events to each client that sends
the request, whether the job still runs or has ended. A job whose clients have all left goes on for
``AWAY_S`` seconds, in which one may ask again; then it is cancelled as ``client_gone``. An answer
that is complete is held for ``HELD_S`` seconds; a failure is not, so that the request may be tried
again. The events are in memory only, for the same API key or person only, and never those of data
of the class ``restricted``. What takes too much memory is forgotten, the oldest first: the
scheduler then refuses the request, whose answer is in the books.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from entraide.types import DataClass, RequestFacts, account_of
from entraide.wire.messages import KeyRevoked, Revocation, SigninEnded
from entraide_scheduler.gateway.answers import AnswerPart, CompleteAnswer
from entraide_scheduler.gateway.jobs.options import Caller
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, refused
from entraide_scheduler.gateway.requests import AnswerEvent, AnswerSink, AnswerStarted

HELD_S = 600.0
AWAY_S = 60.0
HELD_BYTES_MAX = 64 * 1024 * 1024
SENDER_BYTES_MAX = 16 * 1024 * 1024  # of the answers of one API key or person
SENDER_ANSWERS_MAX = 1_000
EVENT_BYTES = 1_024  # of an event beside its text


class RepeatKey(Struct, frozen=True):
    """An idempotency key: who sent it, and its keyed hash."""

    coop: str
    sender: str
    idempotency: str


class RepeatableAnswer:
    """The answer to one request; an ``AnswerSink``.

    Attributes:
        key: the request's.
        job: identifier of its job.
        idempotency: of the request, see ``RequestFacts``.
        signin_session: in which a person sent it.
        is_held: whether its events are held; those of a reconnectable stream are held there.
        has_ended: whether the last event has come.
        size_bytes: memory of its events.
    """

    def __init__(
        self,
        answers: "RepeatableAnswers",
        key: RepeatKey,
        job: str,
        *,
        idempotency: str,
        signin_session: str,
        is_held: bool,
    ) -> None:
        self.key = key
        self.job = job
        self.idempotency = idempotency
        self.signin_session = signin_session
        self.is_held = is_held
        self.has_ended = False
        self.size_bytes = 0
        self._answers = answers
        self._sinks: list[AnswerSink] = []
        self._started: AnswerStarted | None = None
        self._events: list[AnswerEvent] = []
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, event: AnswerEvent) -> bool:
        """Passes an event to the clients; none of them slows the others down."""
        self.has_ended = isinstance(event, CompleteAnswer | ErrorReply)
        if isinstance(event, AnswerStarted):
            self._started = event
        elif self.is_held:
            self._hold(event)
        if isinstance(event, ErrorReply):
            self._answers.forget(self)
        elif self.has_ended:
            self._set_timer(HELD_S)
        for sink in list(self._sinks):
            if not sink(event):
                self.detach(sink)
                sink(ErrorReply("client_too_slow", job=self.job))
        if self.has_ended:
            self._sinks.clear()
        return True

    def attach(self, sink: AnswerSink) -> None:
        """Sends a client what has come so far, and then what comes."""
        for event in (self._started, *self._events):
            if event is not None:
                sink(event)
        if not self.has_ended:
            self._cancel_timer()
            self._sinks.append(sink)

    def detach(self, sink: AnswerSink) -> None:
        """Handles that a client has left."""
        if sink in self._sinks:
            self._sinks.remove(sink)
            if not self._sinks and not self.has_ended:
                self._set_timer(AWAY_S)

    def drop(self) -> None:
        """Forgets the events; the clients that are there get the rest."""
        self.is_held = False
        self._events.clear()
        self.size_bytes = 0

    def close(self) -> None:
        """Waits for no client any more."""
        self._cancel_timer()

    def _hold(self, event: AnswerEvent) -> None:
        self._events.append(event)
        added_bytes = EVENT_BYTES
        if isinstance(event, AnswerPart):
            added_bytes += len(event.data)
        elif isinstance(event, CompleteAnswer):
            added_bytes += len(event.final) + len(event.body)
        self.size_bytes += added_bytes
        self._answers.on_grown(self, added_bytes)

    def _set_timer(self, seconds: float) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._on_time_over)

    def _on_time_over(self) -> None:
        self._answers.forget(self)
        if not self.has_ended:
            self._answers.cancel(self.job, "client_gone")

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class RepeatableAnswers:
    """The answers of one gateway that a repeated request gets.

    Args:
        cancel: cancels a job, with an error code.

    Attributes:
        held_bytes: memory of all their events.
    """

    def __init__(self, cancel: Callable[[str, str], object]) -> None:
        self.held_bytes = 0
        self.cancel = cancel
        self._answers: dict[RepeatKey, RepeatableAnswer] = {}  # the oldest first
        self._by_job: dict[str, RepeatableAnswer] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, facts: RequestFacts) -> RepeatableAnswer | None:
        """Returns the answer to the same request of the same caller, or None.

        Raises:
            Refused: ``idempotency_mismatch``: the key is another request's.
        """
        answer = self._answers.get(_key_of(facts)) if facts.idempotency else None
        if answer is None:
            return None
        if answer.idempotency != facts.idempotency:
            raise refused("idempotency_mismatch", job=answer.job)
        return answer

    def refusal(self, facts: RequestFacts, earlier: RequestFacts) -> Refused:
        """Returns why a request gets nothing whose key another job has, with no answer held."""
        is_same = earlier.idempotency == facts.idempotency
        return refused("answer_not_held" if is_same else "idempotency_mismatch", job=earlier.job)

    def open(
        self, facts: RequestFacts, caller: Caller, *, is_held: bool
    ) -> RepeatableAnswer | None:
        """Begins an answer that may be repeated; None for a request without that right.

        Args:
            facts: of the request.
            caller: who sent it.
            is_held: False for a reconnectable stream, which holds its own events.
        """
        if not facts.idempotency or facts.data_class is DataClass.RESTRICTED:
            return None
        answer = RepeatableAnswer(
            self,
            _key_of(facts),
            facts.job,
            idempotency=facts.idempotency,
            signin_session=caller.signin_session,
            is_held=is_held,
        )
        self._answers[answer.key] = self._by_job[answer.job] = answer
        others = [each for each in self._of(answer.key.sender) if each is not answer]
        if len(others) >= SENDER_ANSWERS_MAX:
            self._evict(others[0])
        return answer

    def get(self, job: str) -> RepeatableAnswer | None:
        """Returns the answer of a job, or None."""
        return self._by_job.get(job)

    def forget(self, answer: RepeatableAnswer) -> None:
        """Forgets an answer and its events."""
        if self._by_job.pop(answer.job, None) is not None:
            del self._answers[answer.key]
            self.held_bytes -= answer.size_bytes
        answer.drop()
        answer.close()

    def end_revoked(self, revoked: Revocation) -> None:
        """Forgets the answers of a key or of a sign-in that has ended."""
        for answer in list(self._answers.values()):
            if isinstance(revoked, KeyRevoked):
                is_theirs = answer.key.sender == revoked.key
            elif isinstance(revoked, SigninEnded):
                is_theirs = account_of(answer.key.sender) == revoked.person and (
                    revoked.session in ("", answer.signin_session)
                )
            else:
                is_theirs = False
            if is_theirs:
                self.forget(answer)

    def on_grown(self, answer: RepeatableAnswer, added_bytes: int) -> None:
        """Counts the memory of an answer, and makes room if there is too little."""
        if self._by_job.get(answer.job) is not answer:
            return
        self.held_bytes += added_bytes
        sender_bytes = sum(each.size_bytes for each in self._of(answer.key.sender))
        self._make_room(self._of(answer.key.sender), sender_bytes - SENDER_BYTES_MAX)
        self._make_room(self._answers.values(), self.held_bytes - HELD_BYTES_MAX)

    def _make_room(self, answers: Iterable[RepeatableAnswer], bytes_over: int) -> None:
        """Forgets answers, those that have ended first, each the oldest first."""
        if bytes_over <= 0:
            return
        for answer in sorted(answers, key=lambda each: not each.has_ended):
            if bytes_over <= 0:
                return
            bytes_over -= answer.size_bytes
            self._evict(answer)

    def _evict(self, answer: RepeatableAnswer) -> None:
        if answer.has_ended:
            self.forget(answer)
        else:  # its key stays in use
            self.held_bytes -= answer.size_bytes
            answer.drop()

    def _of(self, sender: str) -> Iterator[RepeatableAnswer]:
        return (each for each in self._answers.values() if each.key.sender == sender)


def _key_of(facts: RequestFacts) -> RepeatKey:
    return RepeatKey(facts.coop, facts.key, facts.idempotency_key)
