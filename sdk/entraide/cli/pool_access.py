"""Pool access: the address and the keys with which a command calls a pool.

The first of these is used: the pool whose state is in ``--state``; the pool at ``ENTRAIDE_URL``;
the pool that runs on this machine. A local pool's address and keys are in its ``pool.json``.
``ENTRAIDE_KEY`` is a member's key. Where ``ENTRAIDE_URL`` is the pool of this machine, the
operator's commands use the operator's key of its ``pool.json``.
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
    """Fields of a local pool's ``pool.json`` that commands use."""

    grpc: str
    http: str = ""
    admin_key: str = ""
    keys: dict[str, str] = {}


class PoolAccess(Struct, frozen=True):
    """Address and keys of a pool.

    Attributes:
        url: address of the pool.
        keys: API keys by co-op; "" is the co-op of a key whose co-op is unknown here.
        admin_key: the operator's key, or "".
        ca_pem: certificate authority to trust, PEM, or "".
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
            AuthenticationError: there is no such key.
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
        """Makes a call about a job with each key in turn, until a key's co-op owns the job.

        Args:
            coop: co-op whose key to use; "" for all keys.
            ask: the call; it raises ``NotFoundError`` where the job belongs to another co-op.
        """
        problem: NotFoundError | None = None
        for name in [coop] if coop else list(self.keys) or [""]:
            with self.client(name) as client:
                try:
                    return ask(client)
                except NotFoundError as not_found:
                    problem = not_found
        assert problem is not None
        raise problem


def default_state() -> Path:
    """Returns the default folder of this machine's own pool."""
    return Path(platformdirs.user_data_dir("entraide")) / "pool"


def find_pool(state: Path | None, lang: str) -> PoolAccess:
    """Returns the access to the pool that a command must use.

    Raises:
        PoolUnreachable: there is no pool in the folder.
    """
    from entraide.client._constants import KEY_VARIABLE, URL_VARIABLE

    authority = os.environ.get(CA_VARIABLE)
    ca_pem = Path(authority).read_text("ascii") if authority else ""
    url = os.environ.get(URL_VARIABLE)
    if state is None and url:
        key = os.environ.get(KEY_VARIABLE)
        admin_key = os.environ.get(ADMIN_KEY_VARIABLE, "")
        keys = {"": key} if key else {}
        local = _read_pool_file(default_state())
        if local is not None and url.rstrip("/") in (local.http, local.grpc):
            keys, admin_key = keys | local.keys, admin_key or local.admin_key
        return PoolAccess(url, keys, admin_key, ca_pem, lang)
    folder = state or default_state()
    pool = _read_pool_file(folder)
    if pool is None:
        raise error_for("pool_unreachable", i18n.text("cli-no-pool", lang, path=str(folder)))
    return PoolAccess(pool.grpc, pool.keys, pool.admin_key, ca_pem, lang)


def _read_pool_file(folder: Path) -> PoolFile | None:
    """Reads the ``pool.json`` of a folder; None where there is none."""
    try:
        return decode_json((folder / POOL_FILE).read_bytes(), type=PoolFile)
    except (OSError, msgspec.MsgspecError):
        return None
