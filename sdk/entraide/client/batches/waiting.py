"""Waiting: how long until the next look at a batch, and when to give up. Without I/O."""

from entraide import i18n
from entraide.client._constants import (
    BATCH_LOST_MAX_S,
    BATCH_POLL_MAX_S,
    BATCH_POLL_MIN_S,
    BATCH_POLL_PART,
)
from entraide.client.batches.answers import Batch
from entraide.errors import CODES, EntraideError, error_for


class Wait:
    """A wait for the end of a batch.

    The pauses grow with the time waited, so that an end is noticed a tenth of it late at most. A
    pool that does not answer for a while is waited for: a batch outlasts its restarts.
    """

    def __init__(self, batch: str, *, now: float, timeout_s: float | None, lang: str) -> None:
        self._batch, self._lang = batch, lang
        self._began_at = self._seen_at = now
        self._ends_at = None if timeout_s is None else now + timeout_s

    def pause_s(self, latest: Batch | EntraideError, now: float) -> float:
        """Returns the time until the next look, seconds.

        Args:
            latest: what the last look latest.
            now: monotonic time, seconds.

        Raises:
            EntraideError: what was latest, if looking again does not help;
                ``deadline_exceeded`` after ``timeout_s``.
        """
        if isinstance(latest, Batch):
            self._seen_at = now
        elif not _passes(latest) or now - self._seen_at > BATCH_LOST_MAX_S:
            raise latest
        pause_s = min(
            BATCH_POLL_MAX_S, max(BATCH_POLL_MIN_S, BATCH_POLL_PART * (now - self._began_at))
        )
        if self._ends_at is not None and now + pause_s > self._ends_at:
            sentence = i18n.text("client-batch-timeout", self._lang, batch=self._batch)
            raise error_for("deadline_exceeded", sentence, job=self._batch)
        return pause_s

    def note_interruption(self, problem: BaseException) -> None:
        """Says in an interruption's traceback that the batch goes on."""
        problem.add_note(i18n.text("client-batch-goes-on", self._lang, batch=self._batch))


def _passes(problem: EntraideError) -> bool:
    """Whether a failure may be over at the next look."""
    return problem.retryable and CODES[problem.code].kind != "cancelled"
