"""Pool access: the address and the keys with which a command calls a pool.

A command calls the pool whose folder is ``--state``; else the pool at ``ENTRAIDE_URL``; else the
pool of this machine. The ``pool.json`` in a local pool's folder has its address and keys.
``ENTRAIDE_KEY`` is a member's key. If ``ENTRAIDE_URL`` is the address of this machine's pool, the
keys in its ``pool.json`` are used too.
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
POOL_SETTINGS = "pool.toml"  # of a pool that "entraide pool create" made
ADMIN_KEY_VARIABLE = "ENTRAIDE_ADMIN_KEY"

T = TypeVar("T")


class PoolFile(Struct):
    """Fields of a local pool's ``pool.json`` that commands use."""

    grpc: str
    http: str = ""
    admin_key: str = ""
    keys: dict[str, str] = {}
    ca: str = ""


class PoolAccess(Struct, frozen=True):
    """Address and keys of a pool.

    Attributes:
        url: address of the pool.
        keys: API keys by co-op; "" for a key whose co-op is unknown.
        admin_key: the operator's key, or "".
        ca_pem: certificate authority to trust, PEM, or "".
        lang: the command's language.
        web: web address of the pool, or "" where it is not known.
        folder: the pool's directory; None where it is not on this machine.
    """

    url: str
    keys: dict[str, str]
    admin_key: str
    ca_pem: str
    lang: str
    web: str = ""
    folder: Path | None = None

    def key(self, coop: str = "") -> str:
        """Returns a co-op's key; the first key for "", or where a key's co-op is unknown.

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

        key = self.key(coop)
        with Client(self.url, key, lang=self.lang, ca_pem=self.ca_pem, web=self.web) as client:
            yield client

    @property
    def is_operators(self) -> bool:
        """Whether the operator's key is the only one here."""
        return bool(self.admin_key) and not self.keys

    @property
    def is_other_folder(self) -> bool:
        """Whether the pool's folder must be named, since it is not the usual one."""
        return self.folder is not None and self.folder != default_state()

    @contextmanager
    def admin(self) -> "Iterator[AdminClient]":
        """Opens the operator's client.

        Raises:
            AuthenticationError: the operator's key is unknown.
        """
        from entraide.client.admin import AdminClient

        if not self.admin_key:
            raise error_for("unauthorised", i18n.text("cli-no-admin-key", self.lang))
        with AdminClient(self.url, self.admin_key, lang=self.lang, ca_pem=self.ca_pem) as admin:
            yield admin

    def call_for_job(self, coop: str, call: "Callable[[Client], T]") -> T:
        """Makes a call with each key in turn, until the job or batch belongs to the key's co-op.

        Args:
            coop: co-op whose key to use; "" for all keys.
            call: a call about one job or batch; raises ``NotFoundError`` for another co-op's job.
        """
        problem: NotFoundError | None = None
        for key_coop in [coop] if coop else list(self.keys) or [""]:
            with self.client(key_coop) as client:
                try:
                    return call(client)
                except NotFoundError as not_found:
                    problem = not_found
        assert problem is not None
        raise problem


def coop_names(admin: "AdminClient") -> dict[str, str]:
    """Returns what people read in place of co-ops' identifiers, for those that have a name."""
    from entraide.coop_names import names_of
    from entraide.v1 import admin_pb2

    return names_of(admin.call("ListCoops", admin_pb2.ListCoopsRequest()).coops)


def default_state() -> Path:
    """Returns the default folder of this machine's pool."""
    return Path(platformdirs.user_data_dir("entraide")) / "pool"


def find_pool(state: Path | None, lang: str, *, url: str = "") -> PoolAccess:
    """Returns the address and keys of the pool that a command calls, or of the one at ``url``.

    Raises:
        PoolUnreachable: the folder has no readable ``pool.json``.
        RequestError: ``invalid_request``: the file of ``ENTRAIDE_CA`` cannot be used.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # a failure is told in the command's own words
    from entraide.client._address import read_authority
    from entraide.client._constants import KEY_VARIABLE, URL_VARIABLE

    ca_pem = read_authority(lang)
    url = url or os.environ.get(URL_VARIABLE, "")
    if state is None and url:
        key = os.environ.get(KEY_VARIABLE)
        admin_key = os.environ.get(ADMIN_KEY_VARIABLE, "")
        keys = {"": key} if key else {}
        local, local_folder = _read_pool_file(default_state()), None
        if local is not None and url.rstrip("/") in (local.http, local.grpc):
            keys, admin_key = keys | local.keys, admin_key or local.admin_key
            local_folder = default_state()
        web = url if url.startswith(("http://", "https://")) else ""
        return PoolAccess(url, keys, admin_key, ca_pem, lang, web, local_folder)
    folder = state or default_state()
    pool = _read_pool_file(folder)
    if pool is None:
        code = "cli-pool-not-ready" if (folder / POOL_SETTINGS).is_file() else "cli-no-pool"
        raise error_for("pool_unreachable", i18n.text(code, lang, path=str(folder)))
    return PoolAccess(
        pool.grpc, pool.keys, pool.admin_key, ca_pem or pool.ca, lang, pool.http, folder
    )


def _read_pool_file(folder: Path) -> PoolFile | None:
    """Reads the ``pool.json`` of a folder; None if it is missing or invalid."""
    try:
        return decode_json((folder / POOL_FILE).read_bytes(), type=PoolFile)
    except (OSError, msgspec.MsgspecError):
        return None
