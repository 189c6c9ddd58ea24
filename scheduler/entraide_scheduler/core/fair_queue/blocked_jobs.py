"""Blocked jobs: waiting jobs that a limit of their own excludes from every open node.

Such a limit is the job's carbon cap, the rest of an energy or carbon quota of its co-op, project
or key, or the rest of the energy that another co-op lends today. Blocked jobs take no turns, so
they do not delay the jobs behind them. This module decides in which order they are checked again:
round-robin over co-ops, and inside a co-op the job whose last check is longest ago. A caller that
checks a few jobs each time therefore reaches all of them.
"""

from collections import OrderedDict, deque
from itertools import chain, islice

from msgspec import Struct

from entraide_scheduler.core.records import Job, Shape


class BlockedState(Struct, frozen=True, array_like=True):
    """The blocked jobs in a snapshot, in order.

    Attributes:
        lists: model, co-op, names of due jobs and names of checked jobs.
        due: model and co-op of the lists with due jobs.
    """

    lists: list[tuple[str, str, list[str], list[str]]]
    due: list[tuple[str, str]]


class BlockedList:
    """One co-op's blocked jobs of one model, by serial number.

    Attributes:
        due: jobs to check against all nodes, next one first.
        checked: jobs that failed this check; only a node that opens or becomes cheaper matters.
    """

    __slots__ = ("checked", "due")

    def __init__(self) -> None:
        self.due: OrderedDict[int, Job] = OrderedDict()
        self.checked: OrderedDict[int, Job] = OrderedDict()

    def __len__(self) -> int:
        return len(self.due) + len(self.checked)


class BlockedJobs:
    """All blocked jobs.

    Attributes:
        models: by model, then co-op, in the order in which co-ops are checked.
    """

    def __init__(self) -> None:
        self.models: dict[str, OrderedDict[str, BlockedList]] = {}
        self._due: OrderedDict[tuple[str, str], BlockedList] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self.models)

    def __contains__(self, job: Job) -> bool:
        coops = self.models.get(job.shape.model)
        coop_jobs = None if coops is None else coops.get(job.facts.coop)
        return coop_jobs is not None and (
            job.serial in coop_jobs.due or job.serial in coop_jobs.checked
        )

    # Additions and removals.

    def add(self, job: Job, *, due: bool) -> None:
        """Adds a job."""
        model, coop = job.shape.model, job.facts.coop
        coops = self.models.setdefault(model, OrderedDict())
        coop_jobs = coops.get(coop)
        if coop_jobs is None:
            coop_jobs = coops[coop] = BlockedList()
        if due:
            coop_jobs.due[job.serial] = job
            self._due.setdefault((model, coop), coop_jobs)
        else:
            coop_jobs.checked[job.serial] = job

    def remove(self, job: Job) -> None:
        """Removes a job."""
        model, coop = job.shape.model, job.facts.coop
        coops = self.models[model]
        coop_jobs = coops[coop]
        if coop_jobs.due.pop(job.serial, None) is None:
            del coop_jobs.checked[job.serial]
        elif not coop_jobs.due:
            del self._due[model, coop]
        if not coop_jobs:
            del coops[coop]
            if not coops:
                del self.models[model]

    def clear(self) -> None:
        """Removes all blocked jobs."""
        self.models.clear()
        self._due.clear()

    def jobs(self) -> list[Job]:
        """Returns all blocked jobs, in no particular order."""
        return [job for model in self.models for job in self.jobs_of(model)]

    def jobs_of(self, model: str) -> list[Job]:
        """Returns a model's blocked jobs, in no particular order."""
        return [
            job
            for coop_jobs in self.models[model].values()
            for part in (coop_jobs.due, coop_jobs.checked)
            for job in part.values()
        ]

    def heads(self) -> list[tuple[Job, int]]:
        """Returns the first job by arrival, and the number, of each shape, project and class."""
        jobs: dict[tuple[Shape, str, str, str], list[Job]] = {}
        for job in self.jobs():
            facts = job.facts
            key = job.shape, facts.coop, facts.project, facts.job_class
            jobs.setdefault(key, []).append(job)
        return [(min(queue, key=lambda job: job.serial), len(queue)) for queue in jobs.values()]

    # Checks.

    @property
    def has_due(self) -> bool:
        """Whether any job is due for a check against all nodes."""
        return bool(self._due)

    def is_due(self, job: Job) -> bool:
        """Tells whether a job is due for a check against all nodes."""
        coop_jobs = self._due.get((job.shape.model, job.facts.coop))
        return coop_jobs is not None and job.serial in coop_jobs.due

    def mark_coop_due(self, coop: str) -> None:
        """Makes a co-op's jobs due, after its quotas or its expected answer lengths changed."""
        for model, coops in self.models.items():
            if coop in coops:
                self._mark_due(model, coop, coops[coop])

    def mark_model_due(self, model: str) -> None:
        """Makes a model's jobs due, after many of its nodes changed."""
        coops = self.models.get(model)
        if coops is not None:
            for coop, coop_jobs in coops.items():
                self._mark_due(model, coop, coop_jobs)

    def mark_all_due(self) -> None:
        """Makes all jobs due."""
        for model in self.models:
            self.mark_model_due(model)

    def _mark_due(self, model: str, coop: str, coop_jobs: BlockedList) -> None:
        if coop_jobs.due:
            coop_jobs.due.update(coop_jobs.checked)
            coop_jobs.checked.clear()
        else:
            coop_jobs.due, coop_jobs.checked = coop_jobs.checked, coop_jobs.due
        self._due.setdefault((model, coop), coop_jobs)

    def next_due(self) -> Job | None:
        """Returns the next job to check against all nodes; None when none is due.

        The caller removes the job.
        """
        if not self._due:
            return None
        name, coop_jobs = next(iter(self._due.items()))
        self._due.move_to_end(name)
        return next(iter(coop_jobs.due.values()))

    def take_jobs(self, model: str, count_max: int) -> list[Job]:
        """Returns some jobs of a model to check against one node; each moves to the back.

        Args:
            model: of the node.
            count_max: upper bound; one job of each co-op first, then a second one, and so on.
        """
        coops = self.models.get(model)
        if coops is None:
            return []
        taken: list[Job] = []
        turns = deque(
            (coop, chain(coop_jobs.checked.values(), coop_jobs.due.values()))
            for coop, coop_jobs in islice(coops.items(), count_max)
        )
        while turns and len(taken) < count_max:
            coop, remaining = turns.popleft()
            job = next(remaining, None)
            if job is not None:
                taken.append(job)
                turns.append((coop, remaining))
        for job in taken:
            coop_jobs = coops[job.facts.coop]
            part = coop_jobs.checked if job.serial in coop_jobs.checked else coop_jobs.due
            part.move_to_end(job.serial)
        if taken:
            while next(iter(coops)) != taken[-1].facts.coop:
                coops.move_to_end(next(iter(coops)))
            coops.move_to_end(taken[-1].facts.coop)
        return taken

    def dump(self) -> BlockedState:
        """Returns the blocked jobs by name, for a snapshot."""
        lists = [
            (
                model,
                coop,
                [job.facts.job for job in coop_jobs.due.values()],
                [job.facts.job for job in coop_jobs.checked.values()],
            )
            for model, coops in self.models.items()
            for coop, coop_jobs in coops.items()
        ]
        return BlockedState(lists, list(self._due))

    def order(self, state: BlockedState) -> None:
        """Restores the order of the lists with due jobs from a snapshot."""
        for name in state.due:
            self._due.move_to_end(name)
