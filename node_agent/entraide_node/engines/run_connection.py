"""One run's connection to its engine, and the ends of a run that is cancelled or fails.

Input: bytes of the engine (``engine_http``), and calls that cancel or fail the run. Output: a
response and its bytes, or an exception that says why the run is over. No timer runs while it
waits: ``engine_client`` checks the deadlines of all connections four times a second.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from entraide_node.engines.base import ENGINE_CRASHED, ENGINE_HUNG, EngineFailure
from entraide_node.engines.engine_http import ConnectionLost, EngineHttp, EngineResponse
from entraide_node.engines.silence_watch import SilenceWatch

T = TypeVar("T")


class Stopped(Exception):
    """The run was cancelled."""


class Failed(Exception):
    """The run failed."""

    def __init__(self, failure: EngineFailure) -> None:
        super().__init__(failure.code)
        self.failure = failure


class RunConnection:
    """One run's connection to the engine, which cancelling the run closes.

    Attributes:
        limit_s: longest silence until the first output.
        deadline: when the engine counts as hung, if it stays silent; on the loop's clock.
    """

    def __init__(self, job: str, limit_s: float, silence: SilenceWatch) -> None:
        self._job = job
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self.limit_s = limit_s
        self.deadline = self._loop.time() + limit_s
        self._response: EngineResponse | None = None
        self._connecting: asyncio.Timeout | None = None
        self._waits = False
        self._dropped: Stopped | Failed | None = None

    def drop(self, why: Stopped | Failed) -> None:
        """Closes the connection, and ends the run with this exception."""
        self._dropped = self._dropped or why
        if self._connecting is not None:
            self._connecting.reschedule(self._loop.time())
        if self._response is not None:
            self._response.fail(self._dropped)

    def drop_if_overdue(self, now: float) -> None:
        """Ends the run if it has waited for the engine until its deadline."""
        if self._waits and now >= self.deadline:
            self.drop(run_failure(ENGINE_HUNG, "the engine has been silent for too long"))

    async def prepare(self, preparing: Awaitable[T]) -> T:
        """Awaits what a run needs before it is sent.

        Raises:
            Stopped, Failed: the run was dropped.
        """
        if self._dropped is not None:
            raise self._dropped
        try:
            async with asyncio.timeout(None) as self._connecting:
                return await preparing
        except TimeoutError:
            if self._dropped is not None:
                raise self._dropped from None
            raise
        finally:
            self._connecting = None

    async def send(
        self, http: EngineHttp, path: str, payload: bytes, *, accept: str
    ) -> EngineResponse:
        """Sends the request; returns the response once its head is there.

        Raises:
            Stopped, Failed: the run was dropped, or the engine cannot be reached.
            ConnectionLost: before any byte of the response.
        """
        self._begin_wait()
        response: EngineResponse | None = None
        try:
            while (response := http.send("POST", path, payload, accept=accept)) is None:
                await self._connect(http)
            self._response = response
            await response.wait_for_head()
        except ConnectionLost as error:
            if response is not None and response.has_begun:
                raise run_failure(ENGINE_CRASHED, describe_error(error)) from None
            raise
        except BaseException:
            if response is not None:
                response.close()
            raise
        finally:
            self._waits = False
        return response

    async def read(self) -> bytes:
        """Returns all bytes that have arrived, at least one; b"" at the end.

        Raises:
            Stopped, Failed: the run was dropped, or the engine hangs.
            ConnectionLost: before the end.
        """
        assert self._response is not None
        self._begin_wait()
        try:
            return await self._response.read()
        finally:
            self._waits = False

    async def pass_on(self, take: Callable[[bytes], bool]) -> bool:
        """Calls ``take`` with bytes as soon as they arrive, until it returns False.

        Returns:
            Whether the response has ended.

        Raises:
            Stopped, Failed: the run was dropped, or the engine hangs.
            ConnectionLost: before the end.
            Exception: that of ``take``.
        """
        assert self._response is not None
        self._begin_wait()
        try:
            return await self._response.pass_on(take)
        finally:
            self._waits = False
            self._silence.stop_waiting(self._job)

    def note_event(self, limit_s: float, *, has_output: bool) -> None:
        """Notes an event; the engine counts as hung if the next one does not come in time.

        Args:
            limit_s: longest silence until then.
            has_output: whether the run has output.
        """
        now = self._loop.time()
        self._silence.add_event(self._job, now, has_output=has_output)
        if self._waits:
            self._silence.wait(self._job, now)
        self.deadline = now + limit_s

    def _begin_wait(self) -> None:
        if self._dropped is not None:
            raise self._dropped
        self._waits = True
        self._silence.wait(self._job, self._loop.time())

    async def _connect(self, http: EngineHttp) -> None:
        try:
            async with asyncio.timeout(None) as self._connecting:
                await http.connect()
        except OSError as error:  # a TimeoutError is one
            if self._dropped is not None:
                raise self._dropped from None
            raise run_failure(ENGINE_CRASHED, f"cannot connect: {error}") from None
        finally:
            self._connecting = None
        if self._dropped is not None:  # together with the end of the attempt
            raise self._dropped


def run_failure(code: str, detail: str) -> Failed:
    """Returns the failure of a run that another node may run."""
    return Failed(EngineFailure(code=code, detail=detail, retryable=True))


def describe_error(error: BaseException) -> str:
    """Returns an exception in a line."""
    return f"{type(error).__name__}: {error}"
