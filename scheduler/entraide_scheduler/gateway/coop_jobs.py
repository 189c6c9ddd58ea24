"""Co-op jobs: queries and cancellations of a co-op's own jobs, for HTTP and gRPC.

A job of another co-op is reported as unknown.
"""

from msgspec import Struct

from entraide.decoding import MsgpackDecoder
from entraide.types import Explanation, Receipt
from entraide_scheduler.gateway.kept_jobs import KeptJobs
from entraide_scheduler.gateway.options import KEPT_PREFIX, Caller, is_job_id
from entraide_scheduler.gateway.receipts import ReceiptSigner
from entraide_scheduler.gateway.refusals import ErrorReply, Refused, clean_text, refused
from entraide_scheduler.gateway.running_jobs import RunningJobs
from entraide_scheduler.gateway.views import (
    JobStatus,
    ended_job_status,
    kept_job_status,
    running_job_status,
)
from entraide_scheduler.scheduler_port import SchedulerPort
from entraide_scheduler.store.rows import KeptJobRow
from entraide_scheduler.store.store import Store

LIST_DEFAULT = 50
LIST_MAX = 1_000

_explanation = MsgpackDecoder[Explanation](Explanation)


class JobDetails(Struct, frozen=True):
    """A job's status; for a kept job also its row, and its result once it is completed."""

    view: JobStatus
    row: KeptJobRow | None = None
    result: bytes = b""


class CoopJobs:
    """Queries and cancellations of a co-op's own jobs."""

    def __init__(
        self,
        *,
        store: Store,
        scheduler: SchedulerPort,
        running_jobs: RunningJobs,
        kept_jobs: KeptJobs,
        signer: ReceiptSigner,
    ) -> None:
        self._store = store
        self._scheduler = scheduler
        self._running_jobs = running_jobs
        self._kept_jobs = kept_jobs
        self._signer = signer

    async def find_job(self, caller: Caller, job: str, lang: str) -> JobDetails:
        """Returns a job of the caller's co-op.

        Raises:
            Refused: ``unknown_job``.
        """
        _check_job_id(job)
        running = self._running_jobs.get(job)
        if job.startswith(KEPT_PREFIX):
            row = await self._store.get_kept(job)
            if row is not None and row.coop == caller.coop:
                result = self._kept_jobs.unseal_result(row)
                return JobDetails(kept_job_status(row, running, lang, result), row, result)
        elif running is not None and running.facts.coop == caller.coop:
            return JobDetails(running_job_status(running))
        else:
            ended = self._running_jobs.recent.get(job)
            if ended is not None and ended.facts.coop == caller.coop:
                return JobDetails(
                    ended_job_status(ended, lang, await self._settled_receipt(caller, job))
                )
        raise refused("unknown_job", job=job)

    async def list_jobs(self, caller: Caller, limit: int, lang: str) -> list[JobStatus]:
        """Returns the caller's live, kept and recently ended jobs, newest first."""
        limit_jobs = min(limit or LIST_DEFAULT, LIST_MAX)
        rows = await self._store.list_kept(caller.coop, limit_jobs)
        live_jobs = [
            job for job in self._running_jobs.list_of_coop(caller.coop) if job.facts.kind == "live"
        ]
        views = [running_job_status(job) for job in live_jobs[:limit_jobs]]
        views += [kept_job_status(row, self._running_jobs.get(row.job), lang) for row in rows]
        views += [
            ended_job_status(job, lang)
            for job in self._running_jobs.recent.list_of_coop(caller.coop)
        ]
        views.sort(key=lambda view: view.id.partition("-")[2], reverse=True)
        return views[:limit_jobs]

    async def cancel_job(self, caller: Caller, job: str, lang: str) -> JobStatus:
        """Cancels a job.

        Raises:
            Refused: ``unknown_job``, or ``job_ended``.
        """
        details = await self.find_job(caller, job, lang)
        if details.view.ended_at:
            raise refused("job_ended", job=job)
        if details.row is not None:
            await self._kept_jobs.cancel(details.row)
        else:
            self._running_jobs.cancel(job, "cancelled")
        return (await self.find_job(caller, job, lang)).view

    async def get_explanation(self, caller: Caller, job: str) -> Explanation:
        """Returns the explanation of a job.

        Raises:
            Refused: ``unknown_job``.
        """
        _check_job_id(job)
        explained = await self._scheduler.explain(job, caller.coop)
        if explained.explanation is not None:
            return explained.explanation
        stored = await self._store.get_explanation(job)
        if stored is None or stored[0] != caller.coop:
            raise refused("unknown_job", job=job)
        return _explanation.decode(stored[1])

    async def get_receipt(self, caller: Caller, job: str, lang: str) -> Receipt:
        """Returns the settled receipt of a job.

        Raises:
            Refused: ``unknown_job``, or ``not_ready`` if the job is not settled yet.
        """
        _check_job_id(job)
        receipt = await self._settled_receipt(caller, job)
        if receipt is not None:
            return receipt
        await self.find_job(caller, job, lang)  # raises if there is no such job
        raise refused("not_ready", job=job)

    async def _settled_receipt(self, caller: Caller, job: str) -> Receipt | None:
        settlement = await self._store.get_receipt(job)
        if settlement is None or settlement[0] != caller.coop:
            return None
        return settlement[1] if settlement[1].signature else self._signer.sign(settlement[1])


def _check_job_id(job: str) -> None:
    """Refuses a malformed identifier before it reaches the store or a header."""
    if not is_job_id(job):
        raise Refused(ErrorReply("unknown_job", {"job": clean_text(job)}))
