"""What a co-op may ask about its jobs, whatever the protocol it speaks.

It decides who owns what: a job of another co-op does not exist. HTTP and gRPC both come here, so
that every dialect counts and answers alike.
"""

from msgspec import Struct

from entraide.decoding import MsgpackDecoder
from entraide.types import Explanation, Receipt
from entraide_scheduler.desk import Desk
from entraide_scheduler.gateway.jobs import RunningJobs
from entraide_scheduler.gateway.kept import KeptJobs
from entraide_scheduler.gateway.options import KEPT_PREFIX, Caller, is_job_name
from entraide_scheduler.gateway.receipts import Signer
from entraide_scheduler.gateway.refusals import Refusal, Refused, clean, refused
from entraide_scheduler.gateway.views import JobView, ended_view, kept_view, running_view
from entraide_scheduler.store.rows import KeptRow
from entraide_scheduler.store.store import Store

LIST_DEFAULT = 50
LIST_MAX = 1_000

_explanation = MsgpackDecoder[Explanation](Explanation)


class Found(Struct, frozen=True):
    """A job, and the result of a kept one that is completed."""

    view: JobView
    row: KeptRow | None = None
    result: bytes = b""


class CoopJobs:
    """Questions and wishes of a co-op about its own jobs."""

    def __init__(
        self, *, store: Store, desk: Desk, running: RunningJobs, kept: KeptJobs, signer: Signer
    ) -> None:
        self._store = store
        self._desk = desk
        self._running = running
        self._kept = kept
        self._signer = signer

    async def find(self, caller: Caller, job: str, lang: str) -> Found:
        """Returns a job of the caller's co-op.

        Raises:
            Refused: ``unknown_job``.
        """
        _check_name(job)
        running = self._running.get(job)
        if job.startswith(KEPT_PREFIX):
            row = await self._store.kept(job)
            if row is not None and row.coop == caller.coop:
                result = self._kept.result(row)
                return Found(kept_view(row, running, lang, result), row, result)
        elif running is not None and running.facts.coop == caller.coop:
            return Found(running_view(running))
        else:
            ended = self._running.recent.get(job)
            if ended is not None and ended.facts.coop == caller.coop:
                return Found(ended_view(ended, lang, await self._settled(caller, job)))
        raise refused("unknown_job", job=job)

    async def list(self, caller: Caller, limit: int, lang: str) -> list[JobView]:
        """Returns the caller's jobs: live ones that run, kept ones, live ones that ended lately."""
        wanted = min(limit or LIST_DEFAULT, LIST_MAX)
        rows = await self._store.kept_of(caller.coop, wanted)
        live = [job for job in self._running.of_coop(caller.coop) if job.facts.kind == "live"]
        views = [running_view(job) for job in live[:wanted]]
        views += [kept_view(row, self._running.get(row.job), lang) for row in rows]
        views += [ended_view(job, lang) for job in self._running.recent.of_coop(caller.coop)]
        views.sort(key=lambda view: view.id.partition("-")[2], reverse=True)
        return views[:wanted]

    async def cancel(self, caller: Caller, job: str, lang: str) -> JobView:
        """Cancels a job.

        Raises:
            Refused: ``unknown_job``, or ``job_ended``.
        """
        found = await self.find(caller, job, lang)
        if found.view.ended_at:
            raise refused("job_ended", job=job)
        if found.row is not None:
            await self._kept.cancel(found.row)
        else:
            self._running.cancel(job, "cancelled")
        return (await self.find(caller, job, lang)).view

    async def explanation(self, caller: Caller, job: str) -> Explanation:
        """Returns why a job is where it is.

        Raises:
            Refused: ``unknown_job``.
        """
        _check_name(job)
        told = await self._desk.explain(job, caller.coop)
        if told.explanation is not None:
            return told.explanation
        kept = await self._store.explanation(job)
        if kept is None or kept[0] != caller.coop:
            raise refused("unknown_job", job=job)
        return _explanation.decode(kept[1])

    async def receipt(self, caller: Caller, job: str, lang: str) -> Receipt:
        """Returns the settled receipt of a job.

        Raises:
            Refused: ``unknown_job``, or ``not_ready`` when its books are not written yet.
        """
        _check_name(job)
        receipt = await self._settled(caller, job)
        if receipt is not None:
            return receipt
        await self.find(caller, job, lang)  # raises when there is no such job
        raise refused("not_ready", job=job)

    async def _settled(self, caller: Caller, job: str) -> Receipt | None:
        found = await self._store.receipt(job)
        if found is None or found[0] != caller.coop:
            return None
        return found[1] if found[1].signature else self._signer.signed(found[1])


def _check_name(job: str) -> None:
    """Refuses a name that is no job's before it reaches the store or a header."""
    if not is_job_name(job):
        raise Refused(Refusal("unknown_job", {"job": clean(job)}))
