"""Reported answers: the whole answers that a gateway has told the scheduler of, the last ones.

The bus may lose a message, above all while a connection of either side is away: the word of an
answer is repeated until the scheduler says that the job has ended.
"""

from msgspec import Struct

from entraide.wire.messages import AnswerReceived

ANSWERS_MAX = 4_096
REPEATED_S = 30.0  # age up to which an answer is reported again


class _ReportedAnswer(Struct):
    """An answer, the monotonic time at which it came, and whether its job has ended since."""

    at: float
    message: AnswerReceived
    is_settled: bool = False


class ReportedAnswers:
    """The last ``ANSWERS_MAX`` answers of a gateway, by job."""

    def __init__(self) -> None:
        """Knows no answer."""
        self._answers: dict[str, _ReportedAnswer] = {}

    def add(self, message: AnswerReceived, now: float) -> None:
        """Keeps an answer that came at a monotonic time, seconds; the oldest makes room."""
        self._answers.pop(message.job, None)
        while len(self._answers) >= ANSWERS_MAX:
            del self._answers[next(iter(self._answers))]
        self._answers[message.job] = _ReportedAnswer(now, message)

    def find(self, job: str) -> AnswerReceived | None:
        """Returns the answer of a job, None if none is known."""
        known = self._answers.get(job)
        return None if known is None else known.message

    def note_settled(self, job: str) -> None:
        """Notes that the scheduler has said that a job has ended."""
        known = self._answers.get(job)
        if known is not None:
            known.is_settled = True

    def list_unsettled(self, now: float, least_age_s: float) -> list[AnswerReceived]:
        """Returns the answers whose jobs have not ended, as far as is known.

        Args:
            now: monotonic time, seconds.
            least_age_s: how long ago they have come at least; at most it is ``REPEATED_S``.
        """
        unsettled: list[AnswerReceived] = []
        for known in reversed(self._answers.values()):  # in the order of their times
            if now - known.at > REPEATED_S:
                break
            if not known.is_settled and now - known.at >= least_age_s:
                unsettled.append(known.message)
        return unsettled[::-1]
