"""Letters: sign-in links by e-mail, if the pool has a mail server.

Whoever asks for a letter learns nothing: the reply is the same for an unknown address, and it is
sent before the store is asked.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog

from entraide.errors import EntraideError
from entraide_scheduler.people import EMAIL_MAX, MadeLink, People, write_link
from entraide_scheduler.store import people as table
from entraide_scheduler.store.store import Store

PENDING_MAX = 100


class Mailer(Protocol):
    """Sends a sign-in link to a person."""

    async def send_link(self, made: MadeLink, link: str, lang: str) -> None:
        """Sends it.

        Raises:
            EntraideError: ``email_failed``.
        """


class SigninLetters:
    """Sends links to persons who ask for one, or for whom an admin asks.

    Args:
        store: the pool's store.
        people: makes the links.
        mailer: sends letters; None where no mail server is configured.
        pool_url: returns the address at which browsers reach the pool.
    """

    def __init__(
        self, store: Store, people: People, mailer: Mailer | None, pool_url: Callable[[], str]
    ) -> None:
        self._store = store
        self._people = people
        self._mailer = mailer
        self._pool_url = pool_url
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("entraide.signin")

    @property
    def can_send(self) -> bool:
        """Whether a mail server is configured."""
        return self._mailer is not None

    def ask_for(self, email: str, lang: str) -> None:
        """Sends a link to the person with an address, if there is one; returns before."""
        if self._mailer is None or len(email) > EMAIL_MAX or len(self._tasks) >= PENDING_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._answer(email.strip().lower(), lang))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def send(self, made: MadeLink, lang: str) -> bool:
        """Sends a link that was made; returns False without a mail server or an address.

        Raises:
            EntraideError: ``email_failed``.
        """
        if self._mailer is None or not made.person.email:
            return False
        link = write_link(self._pool_url(), made.token)
        await self._mailer.send_link(made, link, made.person.lang or lang)
        return True

    async def stop(self) -> None:
        """Ends the letters that are not sent yet."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, email: str, lang: str) -> None:
        row = await self._store.read(partial(table.find_by_letter, email=email))
        if row is None or row.disabled_at:
            return
        made = await self._people.make_letter(row, email)
        if made is None:
            self._log.warning("signin.too_many_letters", person=row.person)
            return
        try:
            await self.send(made, lang)
        except EntraideError as problem:
            self._log.warning("signin.letter_failed", person=row.person, problem=problem.code)
