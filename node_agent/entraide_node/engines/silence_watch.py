"""Silence watch: whether an engine that has runs is silent for too long.

Input: the begin, the waits, the events and the end of each run, with times in seconds on any clock.
Output: how long the engine is silent now, and how long it may be. Silence counts over all runs
together, since one run may wait while the engine computes another, and only while a run waits for
the engine: a slow bus is not the engine's silence. ``core.step_times`` has the rule.

There is no limit before the process's first event, because it may still read weights from the disk,
nor until the first output of a run with images or a grammar, whose preparation is no step.
"""

from collections import OrderedDict
from typing import Any

from entraide_node.core.step_times import STEP_TOKENS, StepTimes
from entraide_node.engines.base import EMBEDDINGS_PATH, EngineRequest
from entraide_node.engines.embedding_run import PART_TEXT_BYTES

# Fields that make an engine prepare a grammar.
GRAMMAR_FIELDS = ("response_format", "tools", "grammar", "json_schema", "structured_outputs")


class SilenceWatch:
    """The silence of one engine's process, or of one server.

    Attributes:
        times: its steps; replaced by those of the process before it.
    """

    def __init__(self, *, reports_steps: bool = False) -> None:
        """Has no run yet.

        Args:
            reports_steps: whether the engine reports each step of reading a prompt.
        """
        self.times = StepTimes()
        self._reports_steps = reports_steps
        # Steps that may pass until the first output of a run without one; None for any number.
        self._reading: dict[str, int | None] = {}
        self._waiting_since: OrderedDict[str, float] = OrderedDict()  # by run, the earliest first
        self._event_at = float("-inf")
        self._reads_on = False  # a run ended while its prompt was read: the step may go on
        self._has_stepped = False

    def begin(self, request: EngineRequest, body: dict[str, Any]) -> None:
        """Notes a run that is sent to the engine; ``body`` is its request."""
        self._reading[request.job] = self._count_steps(request, body)

    def end(self, job: str) -> None:
        """Notes the end of a run."""
        self._waiting_since.pop(job, None)
        if job in self._reading:
            del self._reading[job]
            self._reads_on = True

    def wait(self, job: str, at: float) -> None:
        """Notes that a run waits for the engine, until its next event; times never decrease."""
        self._waiting_since.setdefault(job, at)

    def stop_waiting(self, job: str) -> None:
        """Notes that a run does not wait for the engine, but for something else."""
        self._waiting_since.pop(job, None)

    def add_event(self, job: str, at: float, *, has_output: bool) -> None:
        """Notes an event of a run, which does not wait for the engine from then on."""
        steps = self._steps_now()
        if self._has_stepped and steps is not None:
            self.times.add(self.silence_s(at), steps=steps, reads=self._reads(), at=at)
        self._has_stepped, self._reads_on = True, False
        self._event_at = at
        self._waiting_since.pop(job, None)
        if has_output:
            self._reading.pop(job, None)

    def skip(self, pause_s: float, at: float) -> None:
        """Leaves out a pause in which this process did not run.

        Args:
            pause_s: seconds that it took.
            at: now; what was noted since the pause moves here at most.
        """
        self._event_at = min(at, self._event_at + pause_s)
        for job, since in self._waiting_since.items():
            self._waiting_since[job] = min(at, since + pause_s)

    def silence_s(self, at: float) -> float:
        """Returns how long the engine has been silent while a run waited for it, seconds."""
        if not self._waiting_since:
            return 0.0
        waits_since = next(iter(self._waiting_since.values()))
        return max(0.0, at - max(self._event_at, waits_since))

    def is_hung(self, at: float) -> bool:
        """Tells whether the engine is silent for longer than is believed."""
        steps = self._steps_now()
        if not self._has_stepped or steps is None:
            return False
        limit_s = self.times.silence_max_s(steps=steps, reads=self._reads(), at=at)
        return limit_s is not None and self.silence_s(at) >= limit_s

    def _reads(self) -> bool:
        """Whether the engine may be reading a prompt."""
        return self._reads_on or bool(self._reading)

    def _steps_now(self) -> int | None:
        """The steps that may pass now without an event; None for any number."""
        most = 1
        for steps in self._reading.values():
            if steps is None:
                return None
            most = max(most, steps)
        return most

    def _count_steps(self, request: EngineRequest, body: dict[str, Any]) -> int | None:
        if request.path == EMBEDDINGS_PATH:
            return PART_TEXT_BYTES // STEP_TOKENS
        if any(body.get(field) for field in GRAMMAR_FIELDS) or b'_url"' in request.body:
            return None
        if self._reports_steps:
            return 1
        return 1 + len(request.body) // STEP_TOKENS  # a token has a byte at least
