"""Erasure: a person begins empty; what the person's other starts sent is cancelled and deleted."""

import time
from functools import partial

from entraide_scheduler.gateway.batches.states import UNENDED
from entraide_scheduler.gateway.batches.use_cases import Batches
from entraide_scheduler.gateway.jobs import Caller, KeptJobs
from entraide_scheduler.store import erasures
from entraide_scheduler.store.store import Store


class SentWork:
    """Erases what persons sent.

    Args:
        store: the pool's store.
        kept_jobs: cancels kept jobs.
        batches: cancels batches.
    """

    def __init__(self, store: Store, kept_jobs: KeptJobs, batches: Batches) -> None:
        self._store = store
        self._kept_jobs = kept_jobs
        self._batches = batches

    async def erase_closed(self, caller: Caller) -> None:
        """Erases what a person sent in other starts than that of the caller, a new one."""
        under_way = partial(erasures.list_closed_work, sender=caller.key)
        jobs, batches = await self._store.read(under_way)
        for job in jobs:
            row = await self._store.get_kept(job)
            if row is not None and not row.ended_at:
                await self._kept_jobs.cancel(row)
        for batch in batches:
            await self._batches.end(batch)
        erase = partial(
            erasures.erase_closed, sender=caller.key, unless_in=UNENDED, now=time.time()
        )
        await self._store.write(erase)
        await self._store.overwrite_log()
