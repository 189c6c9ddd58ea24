"""Joining: exchanges a one-time token for an identity, and writes the node's folder.

Input: an invitation (or the pool's address and a token) and the owner's options. Output: files of
identity, CA and configuration. The node's keys are made here; their private halves never leave the
machine. ``pool_http`` checks that the pool is the operator's. All connections are outbound.
"""

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.catalogue import demonstration
from entraide.errors import RequestError
from entraide.files import write_private
from entraide.wire import enrolment_signature
from entraide.wire.enrolment import (
    PATH,
    CutSecret,
    JoinRequest,
    JoinResponse,
    JoinSecret,
    is_without_secret,
    read_secret,
    split_link,
)
from entraide.wire.nats import new_user_key, public_user_key
from entraide.wire.subjects import checked
from entraide_node import config as configuration
from entraide_node import keys
from entraide_node.engine_config import NoEngine
from entraide_node.pool_address import save_pool_address
from entraide_node.pool_http import PoolClient, PoolRefusal
from entraide_node.revocation import ENDS

NAME_CHARS_MAX = 40
# Refusals after which the pool certainly has no record of this machine's key.
NOT_JOINED = frozenset({"join_token_refused", "join_untrusted", "join_plain_refused"})
WAITING = "waiting"


class JoinOptions(Struct, frozen=True, kw_only=True):
    """The owner's options for joining.

    Attributes:
        name: desired identifier; the pool makes it unique.
        site: the owner's word on the site; the operator's counts instead, if there is one.
        zone: the owner's word on the zone, which the operator is shown.
        lang: language of messages to people.
    """

    name: str = ""
    site: str = ""
    zone: str = ""
    lang: str = "fr"


class Joined(Struct, frozen=True):
    """What joining came to.

    Attributes:
        config: the node's configuration, as written.
        response: the pool's answer.
        contradicted: what the owner said and the pool's record has otherwise, by field
            (``site``, ``zone``): the owner's word and the one that counts.
    """

    config: configuration.NodeConfig
    response: JoinResponse
    contradicted: dict[str, tuple[str, str]]

    @property
    def waits(self) -> bool:
        """Whether the operator must approve the node before it works."""
        return self.response.approval == WAITING


def join_pool(
    url: str, token: str, *, folder: Path, options: JoinOptions, ca_pem: str = ""
) -> Joined:
    """Joins a pool and writes identity, CA certificate and configuration into a folder.

    Settings of engine, power and energy in an existing configuration are kept. If the pool has
    revoked the folder's key, or lost its record, the node gets new keys.

    Args:
        url: the pool's address, or an invitation, whose secret part counts if ``token`` is "".
        token: ``SECRET``, ``SECRET.FINGERPRINT`` or ``SECRET.FINGERPRINT.PIN``.
        folder: the node's folder; created if missing.
        options: the owner's options.
        ca_pem: certificate of the pool's CA, if the owner has it.

    Raises:
        PoolRefusal: the pool refused, for instance with ``join_token_refused``.
        RequestError: ``join_link_cut``, ``join_bad_link``, ``join_untrusted``,
            ``join_plain_refused``,
            ``join_bad_address``.
        PoolUnreachable: the pool does not respond.
    """
    address, link_secret = split_link(url)
    try:
        if is_without_secret(url) and not token:
            raise CutSecret("the link has no secret")
        secret = read_secret(token or link_secret)
    except CutSecret as problem:
        raise RequestError("join_link_cut", str(problem)) from problem
    except ValueError as problem:
        raise RequestError("join_bad_link", str(problem)) from problem
    pool = PoolClient(address, secret=secret, ca_pem=ca_pem)
    with _nothing_left_if_refused(folder):
        response = _ask_with_valid_keys(pool, secret, folder, options)
    config = _write_folder(folder, response, lang=options.lang)
    save_pool_address(
        folder, pool.url, public_certificate=pool.trusts_system, key_pin=secret.key_pin
    )
    said = {"site": options.site, "zone": options.zone}
    counts = {"site": config.site, "zone": config.zone}
    contradicted = {
        field: (word, counts[field])
        for field, word in said.items()
        if counts[field] and word not in ("", counts[field])
    }
    return Joined(config, response, contradicted)


def _ask_with_valid_keys(
    pool: PoolClient, secret: JoinSecret, folder: Path, options: JoinOptions
) -> JoinResponse:
    """Asks with the folder's keys, or with new ones if the pool has revoked those."""
    try:
        return _ask(pool, secret, folder, options)
    except PoolRefusal as refusal:
        if refusal.code not in ENDS:
            raise
        keys.discard_keys(folder)
        return _ask(pool, secret, folder, options)


@contextlib.contextmanager
def _nothing_left_if_refused(folder: Path) -> Iterator[None]:
    """Deletes the keys and the folder that an attempt made, if it certainly did not succeed.

    If the answer of the pool may have been lost, they stay: the next attempt needs the same key.
    """
    had_key, had_folder = (folder / keys.KEY_NAME).exists(), folder.exists()
    try:
        yield
    except RequestError as problem:
        if problem.code in NOT_JOINED and not had_key:
            keys.discard_keys(folder)
            if not had_folder:
                with contextlib.suppress(OSError):  # somebody else has put something there
                    folder.rmdir()
        raise


def default_name() -> str:
    """Returns this machine's host name as an identifier."""
    name = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().split(".")[0].lower()).strip("-")
    return name[:NAME_CHARS_MAX] or "node"


def _ask(pool: PoolClient, secret: JoinSecret, folder: Path, options: JoinOptions) -> JoinResponse:
    seed = _load_or_make_seed(folder)
    request = JoinRequest(
        token=secret.token,
        node_public_key=public_user_key(seed),
        node_name=options.name or default_name(),
        site=options.site,
        zone=options.zone,
        sealing_public_key=keys.load_or_make_sealing_key(folder),
    )
    signed = enrolment_signature.sign(request, seed=seed)
    return pool.post(PATH, msgspec.json.encode(signed), JoinResponse, lang=options.lang)


def _load_or_make_seed(folder: Path) -> str:
    """The seed of the node's key; a second attempt to join uses the same key."""
    path = folder / keys.KEY_NAME
    if path.exists():
        return keys.read_private(path).decode("ascii").strip()
    seed, _ = new_user_key()
    write_private(path, f"{seed}\n".encode("ascii"))
    return seed


def _write_folder(folder: Path, answer: JoinResponse, *, lang: str) -> configuration.NodeConfig:
    path = folder / configuration.CONFIG_NAME
    node = checked(answer.node)
    new_config = configuration.NodeConfig(
        node=node,
        coop=answer.coop,
        site=answer.site,
        zone=answer.zone,
        nats_urls=answer.nats_urls,
        pool=answer.pool,
        lang=lang,
        # Without the demonstration model, the pool decides what is loaded.
        engine=configuration.LlamaCpp() if demonstration.path() is not None else NoEngine(),
    )
    if path.exists():  # a second join keeps the owner's settings
        old_config = configuration.load_config(path)
        new_config = msgspec.structs.replace(
            new_config, engine=old_config.engine, engines=old_config.engines,
            models=old_config.models, power=old_config.power, energy=old_config.energy,
            data_classes=old_config.data_classes, drain_s=old_config.drain_s,
        )  # fmt: skip
    seed = keys.read_private(folder / keys.KEY_NAME).decode("ascii").strip()
    keys.save_identity(folder, keys.StoredIdentity(node=node, jwt=answer.jwt, seed=seed))
    ca_path = folder / keys.CA_NAME
    if answer.ca_pem:
        write_private(ca_path, answer.ca_pem.encode("ascii"))
    else:
        ca_path.unlink(missing_ok=True)
    if answer.signing_key:
        pool_key = f"{answer.signing_key}\n".encode("ascii")
        write_private(folder / keys.POOL_KEY_NAME, pool_key)
    write_private(path, configuration.dump_config(new_config).encode("utf-8"))
    return configuration.load_config(path)
