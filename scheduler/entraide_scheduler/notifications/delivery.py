"""Delivery: sends a message to a mail address, or to a program as a signed HTTP request.

The request's headers are those of Standard Webhooks (https://www.standardwebhooks.com): identifier,
time, and HMAC-SHA256 of ``IDENTIFIER.TIME.BODY``. A redirect is a failure: nothing goes elsewhere.
The standard's library (``standardwebhooks`` 1.1.0) would replace two lines: it signs text, not the
bytes that are sent, and decodes a key leniently, so that a mistyped one would sign. A test compares
with what it signs.
"""

import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import aiohttp
from msgspec import Struct

from entraide.errors import EntraideError
from entraide.printable import shortened
from entraide_scheduler.config import (
    MailConfig,
    NotifyConfig,
    SmtpConfig,
    WebhookConfig,
    read_secret,
)
from entraide_scheduler.findings import Severity
from entraide_scheduler.gateway.signin import SmtpMailer
from entraide_scheduler.notifications.lenders import Reader
from entraide_scheduler.notifications.plan import Audience, FindingChanges
from entraide_scheduler.notifications.text import (
    LENDER,
    OPERATOR,
    Pool,
    write_body,
    write_letter,
    write_test_letter,
)

TIMEOUT_S = 10.0
BODY_BYTES_MAX = 256 * 1024
PROBLEM_CHARS_MAX = 200
OK_STATUSES = range(200, 300)
PERSON = "person:"  # before the identifier of a person at a co-op, in the name of a recipient


class DeliveryFailed(Exception):
    """A message was not delivered; the text says why, and shows no secret."""


class MessageSender(Protocol):
    """Sends messages to one recipient.

    Attributes:
        name: what the state calls it.
        label: what people see.
        audience: of what it is told.
    """

    name: str
    label: str
    audience: Audience

    async def send(self, changes: FindingChanges | None, identifier: str) -> None:
        """Sends what has changed; None for a test.

        Raises:
            DeliveryFailed: it did not arrive, as far as is known.
        """


class MailSender:
    """Sends letters to one address: the operator's, or that of a person at a co-op."""

    def __init__(self, config: MailConfig | Reader, smtp: SmtpConfig, pool: Pool) -> None:
        if isinstance(config, Reader):  # the state and the operator's page have no address of it
            self.name = f"{PERSON}{config.person}"
            self.label = config.person
            self.audience = Audience(Severity.WARN, config.coop)
            self._to, self._wording = config.email, LENDER
        else:
            self.name = f"mail:{config.to.lower()}"
            self.label = config.to
            self.audience = Audience(config.level)
            self._to, self._wording = config.to, OPERATOR
        self._lang = config.lang or pool.lang
        self._smtp = smtp
        self._pool = pool

    async def send(self, changes: FindingChanges | None, identifier: str) -> None:
        """Sends a letter; see ``MessageSender``."""
        letter = (
            write_test_letter(self._pool, self._lang)
            if changes is None
            else write_letter(changes, self._pool, self._lang, self._wording)
        )
        try:
            await SmtpMailer(self._smtp, self._pool.name).send_text(
                self._to, subject=letter.subject, text=letter.text, message_id=identifier
            )
        except EntraideError as failure:
            problem = str(failure.values.get("problem", failure.code))
            raise DeliveryFailed(problem.replace(self._to, self.label)) from None
        except (OSError, ValueError) as failure:  # a file that [smtp] names
            raise DeliveryFailed(shortened(str(failure), PROBLEM_CHARS_MAX)) from None


class WebhookSender:
    """Sends signed requests to one program."""

    def __init__(self, config: WebhookConfig, home: Path, pool: Pool) -> None:
        digest = hashlib.sha256(config.url.encode()).hexdigest()[:16]
        self.name = f"webhook:{digest}"  # the address may be a secret
        self.label = config.host
        self.audience = Audience(config.level)
        self._config = config
        self._home = home
        self._pool = pool

    async def send(self, changes: FindingChanges | None, identifier: str) -> None:
        """Sends a request; see ``MessageSender``."""
        config, now = self._config, time.time()
        lang = config.lang or self._pool.lang
        body = write_body(
            changes or FindingChanges(), self._pool, lang, now, is_test=changes is None
        )
        assert len(body) <= BODY_BYTES_MAX, "the texts are bounded"
        try:
            sealed = sign(read_secret(self._home, config), identifier, int(now), body)
            ca_file = self._home / config.ca_file if config.ca_file else None
            tls = ssl.create_default_context(cafile=ca_file)
            status = await _post(config.url, sealed, body, tls)
        except TimeoutError:
            raise DeliveryFailed(f"{TIMEOUT_S:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            raise DeliveryFailed(_describe(failure)) from None
        if status not in OK_STATUSES:
            raise DeliveryFailed(f"HTTP {status}")


class Sealed(Struct, frozen=True):
    """The headers of a signed request."""

    identifier: str
    at: int
    signature: str

    def headers(self) -> dict[str, str]:
        """Returns them as HTTP has them."""
        return {
            "Content-Type": "application/json",
            "Webhook-Id": self.identifier,
            "Webhook-Timestamp": str(self.at),
            "Webhook-Signature": self.signature,
        }


def sign(key: bytes, identifier: str, at: int, body: bytes) -> Sealed:
    """Signs a request.

    Args:
        key: of the receiver.
        identifier: of the message.
        at: when the request is made, seconds since the epoch.
        body: of the request.
    """
    signed = f"{identifier}.{at}.".encode() + body
    digest = hmac.digest(key, signed, hashlib.sha256)
    return Sealed(identifier, at, f"v1,{base64.b64encode(digest).decode()}")


def list_senders(
    config: NotifyConfig,
    smtp: SmtpConfig | None,
    home: Path,
    pool: Pool,
    readers: Iterable[Reader] = (),
) -> list[MessageSender]:
    """Returns the senders to all recipients of a configuration, and to readers at co-ops."""
    senders: list[MessageSender] = []
    if smtp is not None:
        senders += [MailSender(each, smtp, pool) for each in config.mail]
        senders += [MailSender(each, smtp, pool) for each in readers]
    return [*senders, *(WebhookSender(each, home, pool) for each in config.webhook)]


async def _post(url: str, sealed: Sealed, body: bytes, tls: ssl.SSLContext) -> int:
    """Returns the status of the reply, whose body is not read."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with (
        aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.post(
            url, data=body, headers=sealed.headers(), allow_redirects=False, ssl=tls
        ) as reply,
    ):
        return reply.status


def _describe(failure: Exception) -> str:
    """Returns what an error says, unless the text could have the address."""
    if isinstance(failure, OSError) and failure.strerror:
        return shortened(failure.strerror, PROBLEM_CHARS_MAX)
    return type(failure).__name__
