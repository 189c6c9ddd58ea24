"""Which pool a command speaks to, and with which key.

In this order: the pool whose state is in ``--state``; the pool of ``ENTRAIDE_URL``; the pool that
runs on this machine. What commands need of a ``pool.json``, its address and keys, is read here.
``ENTRAIDE_KEY`` is a member's key; where ``ENTRAIDE_URL`` is the pool of this machine, the
operator's commands take the operator's key of its ``pool.json``.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import platformdirs
from msgspec import Struct

from entraide import i18n
from entraide.decoding import decode_json
from entraide.errors import NotFoundError, error_for

if TYPE_CHECKING:
    from entraide.client import Client
    from entraide.client.admin import AdminClient

POOL_FILE = "pool.json"
ADMIN_KEY_VARIABLE = "ENTRAIDE_ADMIN_KEY"
CA_VARIABLE = "ENTRAIDE_CA"

T = TypeVar("T")


class PoolFile(Struct):
    """What a command needs of a local pool's ``pool.json``."""

    grpc: str
    http: str = ""
    admin_key: str = ""
    keys: dict[str, str] = {}


class PoolAccess(Struct, frozen=True):
    """A pool, as a command sees it.

    Attributes:
        url: where it is.
        keys: an API key by co-op ("" for a key whose co-op is not known here).
        admin_key: the operator's key, or "".
        ca_pem: authority to trust, or "".
        lang: the command's language.
    """

    url: str
    keys: dict[str, str]
    admin_key: str
    ca_pem: str
    lang: str

    def key(self, coop: str = "") -> str:
        """Returns the key of a co-op, or the first one.

        Raises:
            AuthenticationError: there is none.
        """
        if coop in self.keys:
            return self.keys[coop]
        if coop and "" not in self.keys:
            raise error_for("unauthorised", i18n.text("cli-no-key-of", self.lang, coop=coop))
        for key in self.keys.values():
            return key
        raise error_for("unauthorised", i18n.text("client-no-key", self.lang))

    @contextmanager
    def client(self, coop: str = "") -> "Iterator[Client]":
        """Opens a client with the key of a co-op."""
        from entraide.client import Client

        with Client(self.url, self.key(coop), lang=self.lang, ca_pem=self.ca_pem) as client:
            yield client

    @contextmanager
    def admin(self) -> "Iterator[AdminClient]":
        """Opens the operator's client.

        Raises:
            AuthenticationError: there is no admin key.
        """
        from entraide.client.admin import AdminClient

        if not self.admin_key:
            raise error_for("unauthorised", i18n.text("cli-no-admin-key", self.lang))
        with AdminClient(self.url, self.admin_key, lang=self.lang, ca_pem=self.ca_pem) as admin:
            yield admin

    def ask_about_job(self, coop: str, ask: "Callable[[Client], T]") -> T:
        """Asks about a job with each key in turn, until one of them may know it.

        Args:
            coop: whose key to use; "" for any.
            ask: what to ask; it raises ``NotFoundError`` when the job is another co-op's.
        """
        problem: NotFoundError | None = None
        for name in [coop] if coop else list(self.keys) or [""]:
            with self.client(name) as client:
                try:
                    return ask(client)
                except NotFoundError as found:
                    problem = found
        assert problem is not None
        raise problem


def default_state() -> Path:
    """Returns where the state of this machine's own pool is when nobody says otherwise."""
    return Path(platformdirs.user_data_dir("entraide")) / "pool"


def find_pool(state: Path | None, lang: str) -> PoolAccess:
    """Finds the pool.

    Raises:
        PoolUnreachable: there is none where it was looked for.
    """
    from entraide.client._constants import KEY_VARIABLE, URL_VARIABLE

    authority = os.environ.get(CA_VARIABLE)
    ca_pem = Path(authority).read_text("ascii") if authority else ""
    url = os.environ.get(URL_VARIABLE)
    if state is None and url:
        key = os.environ.get(KEY_VARIABLE)
        admin_key = os.environ.get(ADMIN_KEY_VARIABLE, "")
        keys = {"": key} if key else {}
        here = _read_pool_file(default_state())
        if here is not None and url.rstrip("/") in (here.http, here.grpc):
            keys, admin_key = keys | here.keys, admin_key or here.admin_key
        return PoolAccess(url, keys, admin_key, ca_pem, lang)
    folder = state or default_state()
    pool = _read_pool_file(folder)
    if pool is None:
        raise error_for("pool_unreachable", i18n.text("cli-no-pool", lang, path=str(folder)))
    return PoolAccess(pool.grpc, pool.keys, pool.admin_key, ca_pem, lang)


def _read_pool_file(folder: Path) -> PoolFile | None:
    """The pool that runs with its state in a folder; None when there is none."""
    try:
        return decode_json((folder / POOL_FILE).read_bytes(), type=PoolFile)
    except (OSError, msgspec.MsgspecError):
        return None
