"""Explained answers: adds a job's explanation to its complete answer, where it was asked for."""

import asyncio

import structlog
from msgspec.structs import replace

from entraide.errors import EntraideError
from entraide_scheduler.bus import SchedulerPort
from entraide_scheduler.gateway.answers import CompleteAnswer
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.gateway.requests import AnswerEvent, AnswerSink, AnswerStarted
from entraide_scheduler.gateway.views import explanation_for


class ExplainedAnswers:
    """Makes sinks that ask for the explanation of a job before they pass its answer on."""

    def __init__(self, scheduler: SchedulerPort) -> None:
        self._scheduler = scheduler
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("entraide.gateway")

    def make_sink(self, caller: Caller, sink: AnswerSink) -> AnswerSink:
        """Returns a sink that passes events on, and a complete answer with its explanation."""
        job = ""

        def on_event(event: AnswerEvent) -> bool:
            nonlocal job
            if isinstance(event, AnswerStarted):
                job = event.job
            if not isinstance(event, CompleteAnswer):
                return sink(event)
            task = asyncio.get_running_loop().create_task(self._explain(job, caller, event, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return True

        return on_event

    async def wait_until_sent(self) -> None:
        """Waits until every answer was passed on."""
        await asyncio.gather(*self._tasks)

    async def _explain(
        self, job: str, caller: Caller, answer: CompleteAnswer, sink: AnswerSink
    ) -> None:
        try:
            reply = await self._scheduler.explain(job, caller.coop, caller.person)
            explanation = reply.explanation and explanation_for(caller, reply.explanation)
        except EntraideError as problem:  # the client gets its answer without the explanation
            self._log.warning("gateway.no_explanation", job=job, problem=problem.code)
            explanation = None
        sink(replace(answer, explanation=explanation))
