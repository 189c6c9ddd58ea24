"""Notify configuration: ``notify.toml`` beside ``pool.toml``, who is told of findings.

Unknown keys are refused, and each value is checked with the files that it names.
"""

import base64
import binascii
import ssl
from collections.abc import Iterator
from email.errors import MessageError
from email.headerregistry import Address
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from entraide.errors import PoolError
from entraide_scheduler.config.config import read_toml
from entraide_scheduler.config.signin_config import SmtpConfig, is_trusted_url

NOTIFY_FILE = "notify.toml"
RECIPIENTS_MAX = 20  # mail addresses and webhooks of the operator
PER_HOUR_MAX = 60  # messages to one recipient
END_AFTER_MAX_S = 86_400.0
URL_CHARS_MAX = 2_000
SECRET_PREFIX = "whsec_"  # noqa: S105  (Standard Webhooks, "Secret serialization")
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64  # Standard Webhooks, "Signature scheme"
LEVELS = ("warn", "fail")
LANGUAGES = ("", "fr", "en")

Fault = tuple[str, str, str]


class MailConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """An address that gets letters through ``[smtp]`` of ``pool.toml``.

    Attributes:
        to: the address.
        lang: ``fr`` or ``en``; "" for the pool's language.
        level: ``warn`` for every finding, ``fail`` for those that keep the pool from working.
    """

    to: str
    lang: str = ""
    level: str = "warn"


class WebhookConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A program that gets signed HTTP requests.

    Attributes:
        url: ``https://…``, or ``http://…`` of this machine. Its path may be a secret, and is never
            shown.
        secret_file: file with the key of the signature, relative to the pool's directory.
        ca_file: PEM of the CA that signed the receiver's certificate; "" for the system's.
        lang, level: as in ``MailConfig``.
    """

    url: str
    secret_file: str
    ca_file: str = ""
    lang: str = ""
    level: str = "warn"

    @property
    def host(self) -> str:
        """What of the address may be shown."""
        return urlsplit(self.url).netloc


class NotifyConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Content of ``notify.toml``.

    Attributes:
        per_hour: how many messages one recipient gets at most within an hour.
        end_after_s: how long a finding must be absent before its end is told, seconds.
        mail: addresses.
        webhook: programs.
    """

    per_hour: int = 20
    end_after_s: float = 300.0
    mail: tuple[MailConfig, ...] = ()
    webhook: tuple[WebhookConfig, ...] = ()


def load_notify_config(home: Path, smtp: SmtpConfig | None) -> NotifyConfig | None:
    """Reads and checks the ``notify.toml`` of a pool's directory; None if there is none.

    Args:
        home: the pool's directory.
        smtp: the pool's mail server.

    Raises:
        PoolError: ``config_refused`` or ``pool_config_refused``, with the file and the key.
    """
    path = home / NOTIFY_FILE
    if not path.exists():
        return None
    config = read_toml(path, NotifyConfig)
    for key, value, fault in _list_faults(config, home, smtp):
        raise PoolError(
            "pool_config_refused",
            f"{path}: {key}: {fault}",
            values={"path": str(path), "key": key, "value": value, "fault": fault},
        )
    return config


def read_secret(home: Path, hook: WebhookConfig) -> bytes:
    """Returns the key with which requests to a webhook are signed.

    Raises:
        OSError: the file cannot be read.
        ValueError: it has no key; the message shows nothing of the content.
    """
    text = (home / hook.secret_file).read_bytes().strip()
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX.encode()), validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise ValueError("length of the key")
    return key


def _list_faults(config: NotifyConfig, home: Path, smtp: SmtpConfig | None) -> Iterator[Fault]:
    """Yields the key, the value and the code of each fault."""
    if not 1 <= config.per_hour <= PER_HOUR_MAX:
        yield "per_hour", str(config.per_hour), "per_hour"
    if not 1.0 <= config.end_after_s <= END_AFTER_MAX_S:
        yield "end_after_s", f"{config.end_after_s:g}", "end_after"
    if len(config.mail) + len(config.webhook) > RECIPIENTS_MAX:
        yield "mail, webhook", str(len(config.mail) + len(config.webhook)), "recipients"
    for number, mail in enumerate(config.mail, 1):
        key = f"mail {number}"
        if not _is_address(mail.to):
            yield f"{key}: to", mail.to, "no_mail_address"
        yield from _list_common_faults(mail, key)
    if config.mail and smtp is None:
        yield "mail", "", "no_mail_server"
    for number, hook in enumerate(config.webhook, 1):
        key = f"webhook {number}"
        if not _is_url(hook.url):
            yield f"{key}: url", "", "webhook_url"
        yield from _list_file_faults(hook, key, home)
        yield from _list_common_faults(hook, key)
    for name, values in (
        ("mail: to", [each.to.lower() for each in config.mail]),
        ("webhook: url", [each.url for each in config.webhook]),
    ):
        if len({*values}) < len(values):
            yield name, "", "recipient_twice"


def _list_common_faults(each: MailConfig | WebhookConfig, key: str) -> Iterator[Fault]:
    if each.lang not in LANGUAGES:
        yield f"{key}: lang", each.lang, "lang"
    if each.level not in LEVELS:
        yield f"{key}: level", each.level, "level"


def _list_file_faults(hook: WebhookConfig, key: str, home: Path) -> Iterator[Fault]:
    try:
        read_secret(home, hook)
    except OSError:
        yield f"{key}: secret_file", hook.secret_file, "unreadable"
    except ValueError:
        yield f"{key}: secret_file", hook.secret_file, "webhook_secret"
    if hook.ca_file:
        try:
            ssl.create_default_context(cafile=home / hook.ca_file)
        except OSError:  # an SSLError too
            yield f"{key}: ca_file", hook.ca_file, "unreadable"


def _is_address(text: str) -> bool:
    try:
        address = Address(addr_spec=text)
    except (MessageError, ValueError, IndexError):
        return False
    return bool(address.username and address.domain) and text.isascii() and text.isprintable()


def _is_url(url: str) -> bool:
    if len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable():
        return False
    return is_trusted_url(url) and "@" not in urlsplit(url).netloc
