"""Mail: sends sign-in links, and what the pool tells its operator and its lenders, by SMTP."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

import aiosmtplib

from entraide import i18n
from entraide.errors import error_for
from entraide.printable import shortened
from entraide_scheduler.config import SmtpConfig
from entraide_scheduler.people import MadeLink

TIMEOUT_S = 20.0
PROBLEM_MAX_CHARS = 200


class SmtpMailer:
    """Sends letters through one mail server.

    Args:
        config: the server.
        pool: name of the pool, as the letters say it.
    """

    def __init__(self, config: SmtpConfig, pool: str) -> None:
        self._config = config
        self._pool = pool
        path = config.password_file
        context = ssl.create_default_context(cafile=config.ca_file or None)
        self._server: dict[str, Any] = {
            "hostname": config.host,
            "port": config.port,
            "username": config.user or None,
            "password": Path(path).read_text("utf-8").strip() if path else None,
            "use_tls": config.security == "tls",
            "start_tls": config.security == "starttls",
            "tls_context": context if config.security != "none" else None,
            "timeout": TIMEOUT_S,
        }

    async def send_link(self, made: MadeLink, link: str, lang: str) -> None:
        """Sends a sign-in link to its person.

        Raises:
            EntraideError: ``email_failed``, with what the server or the connection says.
        """
        with _telling_failure():
            await aiosmtplib.send(self._write_link(made, link, lang), **self._server)

    async def send_text(
        self, to: str, *, subject: str, text: str, name: str = "", message_id: str = ""
    ) -> None:
        """Sends a letter to an address.

        Args:
            to: the address.
            subject: of the letter.
            text: of the letter.
            name: of the person, or "".
            message_id: left part of the letter's identifier, the same if it is sent again.

        Raises:
            EntraideError: as ``send_link``.
        """
        with _telling_failure():
            letter = self._write(Address(name, addr_spec=to), subject, text, message_id)
            await aiosmtplib.send(letter, **self._server)

    async def check(self) -> None:
        """Signs in at the server as for a letter, and leaves without one.

        Raises:
            EntraideError: as ``send_link``.
        """
        credentials = {"username": None, "password": None}
        client = aiosmtplib.SMTP(**self._server | credentials)
        with _telling_failure():
            await client.connect()
            transport = client.transport
            try:
                if self._config.user:
                    await client.login(self._config.user, self._server["password"] or "")
                await client.quit()
            finally:
                client.close()
                if isinstance(transport, asyncio.Transport):
                    # Closing alone waits for the server's end of TLS, longer than an event loop
                    # that was started for this question lives.
                    transport.abort()

    def _write_link(self, made: MadeLink, link: str, lang: str) -> EmailMessage:
        person = made.person
        hours = round((made.expires_at - made.made_at) / 3_600.0)
        text = i18n.text(
            "mail-signin", lang, name=person.name, pool=self._pool, link=link, hours=hours
        )
        subject = i18n.text("mail-signin-subject", lang, pool=self._pool)
        return self._write(Address(person.name, addr_spec=person.email), subject, text)

    def _write(self, to: Address, subject: str, text: str, message_id: str = "") -> EmailMessage:
        letter, domain = EmailMessage(), self._config.sender.rpartition("@")[2]
        letter["Subject"] = subject
        letter["From"] = self._config.sender
        letter["To"] = to
        letter["Date"] = formatdate()
        identifier = f"<{message_id}@{domain}>" if message_id else make_msgid(domain=domain)
        letter["Message-ID"] = identifier
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply
        letter.set_content(text)
        return letter


@contextmanager
def _telling_failure() -> Iterator[None]:
    """Raises ``email_failed`` in place of an error of the server or the connection."""
    try:
        yield
    except (aiosmtplib.SMTPException, OSError, ValueError) as problem:
        text = shortened(str(problem), PROBLEM_MAX_CHARS)
        raise error_for("email_failed", values={"problem": text}) from problem
