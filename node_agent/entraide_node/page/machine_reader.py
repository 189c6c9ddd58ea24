"""Machine reader: reads the node's folder and asks the pool, for the page.

Input: the node's folder. Output: what the machine does now and what it gave. The pool's answer is
kept for a short time; a pool that does not answer never keeps the page waiting for long.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from entraide.statements import NodeStatement
from entraide_node.config import NodeConfig
from entraide_node.core.owner_terms import OwnerTerms
from entraide_node.error_output import error_sentence
from entraide_node.given import read_given, read_tariff
from entraide_node.owner import files as owner_files
from entraide_node.owner import terms_file as owner_terms
from entraide_node.owner.lent_time import read_lent_time
from entraide_node.owner.terms_file import TermsProblem
from entraide_node.page.given_figures import GivenFigures, make_given_figures
from entraide_node.page.machine_summary import MachineNow, summarise_now

GIVEN_FRESH_S = 15.0  # how long an answer of the pool is shown again
GIVEN_WAIT_S = 2.0  # how long the page waits for the pool
FOLLOW_WAIT_S = 3.0  # how long the page waits for the agent, which reads its files once a second
FOLLOW_POLL_S = 0.05


class MachineReader:
    """Reads what the page shows of one node."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._folder = Path(config.dir)
        self._asked: asyncio.Task[NodeStatement | None] | None = None
        self._asked_at = 0.0

    async def close(self) -> None:
        """Waits for a question to the pool that is still open."""
        if self._asked is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._asked

    def is_running(self) -> bool:
        """Whether an agent runs in the folder."""
        return self._read_status() is not None

    def follows_terms(self) -> bool:
        """Whether the agent has read the owner's file as it is."""
        status = self._read_status()
        return status is not None and status.owner.terms_ns == owner_terms.changed_ns(self._folder)

    async def wait_for_terms(self) -> None:
        """Waits a short time until the agent follows the owner's file."""
        await self._wait(self.follows_terms)

    async def wait_for_pause(self) -> None:
        """Waits a short time until the agent is paused."""

        def paused() -> bool:
            status = self._read_status()
            return status is not None and status.owner.code == "paused"

        await self._wait(paused)

    async def wait_for_resume(self) -> None:
        """Waits a short time until the agent is not paused any more."""

        def resumed() -> bool:
            status = self._read_status()
            return status is not None and status.owner.code != "paused"

        await self._wait(resumed)

    def terms(self) -> tuple[OwnerTerms, TermsProblem | None]:
        """Returns the terms that apply, and the fault of the owner's file.

        With a faulty file, a running agent keeps the last valid terms; one that starts is strict.
        """
        terms, status = owner_terms.read_terms(self._folder), self._read_status()
        if isinstance(terms, OwnerTerms):
            return terms, None
        running = None if status is None else status.owner.terms
        return running or OwnerTerms(), terms

    def now(self, lang: str) -> MachineNow:
        """Returns what the machine does now."""
        terms, _ = self.terms()
        status = self._read_status()
        stopped = owner_files.read_stopped(self._folder) if status is None else None
        return summarise_now(
            status,
            terms,
            node=self._config.node,
            data_classes=self._config.data_classes,
            paused=owner_files.is_paused(self._folder),
            why_stopped=error_sentence(stopped.code, stopped.values, lang) if stopped else "",
            now=time.time(),
            lang=lang,
        )

    async def given(self, lang: str) -> GivenFigures | None:
        """Returns what the machine gave; None while the pool does not tell it."""
        if self._asked is None or time.monotonic() - self._asked_at > GIVEN_FRESH_S:
            self._asked_at = time.monotonic()
            self._asked = asyncio.create_task(asyncio.to_thread(read_given, self._folder))
        await asyncio.wait([self._asked], timeout=GIVEN_WAIT_S)
        statement = self._asked.result() if self._asked.done() else None
        if statement is None:
            return None
        lent = read_lent_time(self._folder, now=time.time())
        tariff = read_tariff(self._folder)
        return make_given_figures(statement, lent, tariff=tariff, lang=lang)

    def _read_status(self) -> owner_files.NodeStatus | None:
        return owner_files.read_status(self._folder, now=time.time())

    async def _wait(self, condition: Callable[[], bool]) -> None:
        if not self.is_running():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FOLLOW_WAIT_S):
                while not condition():  # noqa: ASYNC110  (another process makes it hold)
                    await asyncio.sleep(FOLLOW_POLL_S)
