"""Enrolment: what a machine and the pool say to each other when the machine joins.

``POST /v1/enrolment`` has ``JoinRequest`` and ``JoinResponse`` as JSON; the gRPC service
``Enrolment`` has the same fields. An invitation is one link: the pool's address, and after ``#``,
which no browser and no ``curl`` sends, the ``JoinSecret``.
"""

import re
import shlex
from typing import Annotated

from msgspec import Meta, Struct

from entraide.types import Control, DataClass

PATH = "/v1/enrolment"
INSTALL_PATH = "/install"
PYTHONS = "pythons.txt"  # of a mirror: a line ``PLATFORM PYTHON SHA256 BYTES FILE`` for each build

SECRET_DOTS = 2
TOKEN_PREFIX = "join_"  # noqa: S105  (no secret)
TOKEN_CHARS = 37  # of a token that the pool makes, with its prefix
DIGEST_CHARS = (64, 43)  # of a fingerprint, and of a pin

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_FINGERPRINT = re.compile(r"([0-9a-f]{64})?")
_PIN = re.compile(r"([A-Za-z0-9_-]{43})?")


class JoinRequest(Struct, frozen=True, kw_only=True):
    """A machine's request to join.

    Attributes:
        token: one-time token of the operator; what follows a ``.`` in it is ignored.
        node_public_key: public NATS user key of the node; its seed never leaves the machine.
        node_name: wished name, which the pool makes unique.
        site: the joiner's word on its site, used where the pool's record has none.
        zone: the joiner's word on its zone, which the operator is shown and which counts nowhere.
        sealing_public_key: public X25519 key of the node, base64; "" from an older agent.
        signature: of the node's key over the other fields, base64 (``enrolment_signature``).
    """

    token: Annotated[str, Meta(max_length=512)]
    node_public_key: Annotated[str, Meta(max_length=128)]
    node_name: Annotated[str, Meta(max_length=200)] = ""
    site: Annotated[str, Meta(max_length=80)] = ""
    zone: Annotated[str, Meta(max_length=40)] = ""
    sealing_public_key: Annotated[str, Meta(max_length=64)] = ""
    signature: Annotated[str, Meta(max_length=128)] = ""


class JoinResponse(Struct, frozen=True, kw_only=True):
    """The identity of a node that has joined, and the pool's record of it, which counts.

    Attributes:
        node, coop: identifiers of the node and of its owner.
        jwt: the node's identity on the bus.
        nats_urls: addresses of the bus, in the order in which to try them.
        ca_pem: certificate of the pool's CA; "" on loopback without TLS.
        pool: name of the pool.
        signing_key: the pool's public Ed25519 key, base64.
        site, zone: location of the machine; zone "" until the operator names it.
        controlled_by: who controls the owner; "" if the operator did not state it.
        data_classes: the only data classes whose jobs the node may take; none for no limit.
        approval: ``approved``, or ``waiting``: the operator must let the node in.
        coop_name: what people read in place of ``coop``; "" if it has no name.
    """

    node: str
    coop: str
    jwt: str
    nats_urls: tuple[str, ...]
    ca_pem: str = ""
    pool: str = ""
    signing_key: str = ""
    site: str = ""
    zone: str = ""
    controlled_by: Control = Control.UNSTATED
    data_classes: tuple[DataClass, ...] = ()
    approval: str = "approved"
    coop_name: str = ""


class JoinSecret(Struct, frozen=True):
    """The secret part of an invitation, written ``TOKEN.FINGERPRINT.PIN``.

    Attributes:
        token: the one-time token.
        ca_fingerprint: SHA-256 of the certificate of the pool's CA (DER), 64 hexadecimal digits;
            "" where the pool's certificate is a public one.
        key_pin: SHA-256 of the server's public key (SubjectPublicKeyInfo, DER), base64url without
            padding (RFC 7469's pin); "" likewise.
    """

    token: str
    ca_fingerprint: str = ""
    key_pin: str = ""

    def write(self) -> str:
        """Returns the text; empty parts at the end are left out.

        >>> JoinSecret("join_abc").write(), JoinSecret("join_abc", "", "p" * 43).write()[:10]
        ('join_abc', 'join_abc..')
        """
        return f"{self.token}.{self.ca_fingerprint}.{self.key_pin}".rstrip(".")


class CutSecret(ValueError):
    """The end of a secret is missing, as where a mail program broke the line of its link."""


def read_secret(text: str) -> JoinSecret:
    """Returns the parts of a secret.

    Raises:
        CutSecret: the end of the text is missing.
        ValueError: the text is no secret.

    >>> read_secret(f"join_{'a' * 32}").token
    'join_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
    """
    token, fingerprint, pin = (*text.strip().split("."), "", "")[:3]
    fingerprint = fingerprint.lower()
    if _is_cut(text.strip()):
        raise CutSecret("the end of the secret is missing")
    sound = _TOKEN.fullmatch(token) and _FINGERPRINT.fullmatch(fingerprint) and _PIN.fullmatch(pin)
    if not sound or text.count(".") > SECRET_DOTS:
        raise ValueError("not a join token")
    return JoinSecret(token, fingerprint, pin)


def _is_cut(text: str) -> bool:
    """Whether a text is the begin of a secret, and no whole one.

    >>> [_is_cut(text) for text in ("join_abc", f"join_{'a' * 32}.{'0' * 64}.{'p' * 40}", "abc")]
    [True, True, False]
    """
    token, *digests = text.split(".")
    if not token.startswith(TOKEN_PREFIX) or len(digests) > SECRET_DOTS:
        return False
    if not digests:
        return len(token) < TOKEN_CHARS
    return any(0 < len(each) < whole for each, whole in zip(digests, DIGEST_CHARS, strict=False))


def write_link(url: str, secret: JoinSecret) -> str:
    """Returns an invitation to the pool at an address.

    >>> write_link("https://pool.coop/", JoinSecret("join_abc"))
    'https://pool.coop/install#join_abc'
    """
    return f"{url.rstrip('/')}{INSTALL_PATH}#{secret.write()}".rstrip("#")


def install_command(link: str, *, ca_file: str = "") -> str:
    """Returns the line that installs Entraide from the pool of a link, for a POSIX shell.

    Where the link has a pin, curl accepts a server with that key and no other
    (``--pinnedpubkey``), and does not check who signed the certificate; without a pin it does.

    Args:
        link: an invitation; without a token, the line updates an installation.
        ca_file: certificate of the pool's own CA, where the link has no pin; "" for none.

    >>> install_command("https://pool.coop/install#join_abc")
    "curl -fsS https://pool.coop/install.sh | sh -s -- 'https://pool.coop/install#join_abc'"
    """
    url, secret = split_link(link)
    pin = secret.split(".")[2] if secret.count(".") == SECRET_DOTS else ""
    check, passed = "", ""
    if pin:
        key = pin.replace("-", "+").replace("_", "/")
        check = f"--insecure --pinnedpubkey 'sha256//{key}=' "
    elif ca_file:
        check = passed = f"--cacert {shlex.quote(ca_file)} "
    return f"curl -fsS {check}{url}{INSTALL_PATH}.sh | sh -s -- {passed}'{link}'"


def is_without_secret(link: str) -> bool:
    """Whether a text is an invitation that ends before its secret.

    >>> is_without_secret("https://pool.coop/install"), is_without_secret("https://pool.coop")
    (True, False)
    """
    return link.strip().partition("#")[0].endswith(INSTALL_PATH) and not split_link(link)[1]


def split_link(link: str) -> tuple[str, str]:
    """Returns the pool's address and the secret's text in a link, or in an address without one.

    >>> split_link("https://pool.coop:8443/install#join_abc"), split_link("https://pool.coop")
    (('https://pool.coop:8443', 'join_abc'), ('https://pool.coop', ''))
    """
    url, _, secret = "".join(link.split()).partition("#")  # a mail program may break the line
    return url.rstrip("/").removesuffix(INSTALL_PATH), secret
