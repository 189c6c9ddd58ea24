"""TLS: the pool's own CA and the certificates that it signs for the pool's servers.

A join token contains the fingerprint of this CA, the only CA that members trust; so no public CA
and no domain name is needed. NATS, HTTP and gRPC use these files. TLS authenticates the pool; JWTs
authenticate nodes and gateways.
"""

import base64
import datetime as dt
import hashlib
import ipaddress
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from entraide.files import write_private
from entraide_scheduler.nats.keyfiles import make_private_directory, read_private, unreadable_error

CA_VALIDITY = dt.timedelta(days=3_650)
LEAF_VALIDITY = dt.timedelta(days=365)
RENEWAL_MARGIN = dt.timedelta(days=30)
CLOCK_SKEW_MAX = dt.timedelta(days=1)  # a member's clock may be hours behind the pool's


class TlsFiles(Struct, frozen=True):
    """Files: the CA's certificate, the server's certificate chain, the server's key."""

    ca: Path
    cert: Path
    key: Path

    def read_ca(self) -> str:
        """Returns the CA's certificate as PEM; "" if the configuration names none."""
        return self.ca.read_text("ascii") if self.ca.name else ""


def find_tls_files(
    state: Path, *, hosts: Sequence[str], ca_file: str, cert_file: str, key_file: str
) -> TlsFiles | None:
    """Returns the configured files, or those of the pool's own CA for ``hosts``; else None."""
    if cert_file:
        return TlsFiles(Path(ca_file), Path(cert_file), Path(key_file))
    return ensure_files(state, hosts) if hosts else None


def ensure_files(
    state: Path, hosts: Sequence[str], *, now: Callable[[], float] = time.time
) -> TlsFiles:
    """Returns the certificate files for these hosts; creates or renews them when needed.

    The CA is created once and is valid for ten years. A server's certificate is valid for one year
    and is renewed if it expires within 30 days, begins in the future (the clock was ahead when it
    was made), its hosts differ, or another CA signed it. A renewal keeps the server's key, because
    members may have pinned it. After a renewal, servers must reload the files.

    Args:
        state: the pool's state directory; the files are in ``state/tls``, all 0600.
        hosts: DNS names and IP addresses at which the server is reached.
        now: returns the time, seconds since the epoch.

    Raises:
        ValueError: no host was given.
        PoolError: a file is readable by others, missing or damaged.
    """
    if not hosts:
        raise ValueError("a certificate needs at least one host")
    now_utc = dt.datetime.fromtimestamp(int(now()), dt.UTC)
    directory = state / "tls"
    if not directory.exists():
        make_private_directory(directory, _new_ca(now_utc))
    files = TlsFiles(
        ca=directory / "ca.pem", cert=directory / "server.pem", key=directory / "server.key"
    )
    ca, ca_key = _read_certificate(files.ca), _read_key(directory / "ca.key")
    if not _is_still_valid(files, ca, hosts, now_utc):
        key = _read_key(files.key) if files.key.exists() else None
        if key is None:
            key = ec.generate_private_key(ec.SECP256R1())
            write_private(files.key, _encode_pem(key))
        leaf = _new_leaf(key.public_key(), ca, ca_key, hosts=hosts, now_utc=now_utc)
        write_private(files.cert, leaf.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM))
    return files


def compute_fingerprint(ca_pem: str | bytes) -> str:
    """Returns the SHA-256 of a certificate's DER form, as 64 hexadecimal digits."""
    text = ca_pem.decode("ascii") if isinstance(ca_pem, bytes) else ca_pem
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text.strip())).hexdigest()


def compute_key_pin(cert_pem: bytes) -> str:
    """Returns the pin of a certificate's key: SHA-256 of its SubjectPublicKeyInfo (DER).

    It is base64url without padding; ``curl --pinnedpubkey`` takes the same digest (RFC 7469).

    Raises:
        ValueError: the text is not a certificate.
    """
    key = x509.load_pem_x509_certificate(cert_pem).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(spki).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def make_server_context(files: TlsFiles) -> ssl.SSLContext:
    """Returns the TLS context of a server of the pool: TLS 1.3 only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    load_chain(context, files)
    return context


def load_chain(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Makes a context use a certificate and its key from the next handshake on.

    Raises:
        OSError: a file cannot be read, the two do not match, or the key has a passphrase.
    """
    context.load_cert_chain(files.cert, files.key, password="")  # without it OpenSSL would ask


def _is_still_valid(
    files: TlsFiles, ca: x509.Certificate, hosts: Sequence[str], now_utc: dt.datetime
) -> bool:
    if not files.cert.exists() or not files.key.exists():
        return False
    leaf = _read_certificate(files.cert)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        leaf.not_valid_before_utc <= now_utc <= leaf.not_valid_after_utc - RENEWAL_MARGIN
        and set(names) == set(_subject_names(hosts))
        and _is_signed_by(leaf, ca)
        and _read_key(files.key).public_key() == leaf.public_key()
    )


def _is_signed_by(leaf: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _subject_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host.strip("[]"))))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _new_ca(now_utc: dt.datetime) -> dict[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Entraide"),
            # The random part gives the CAs of two pools different names.
            x509.NameAttribute(
                NameOID.COMMON_NAME, f"Pool CA {x509.random_serial_number():x}"[:64]
            ),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now_utc - CLOCK_SKEW_MAX)
        .not_valid_after(now_utc + CA_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return {"ca.pem": certificate.public_bytes(Encoding.PEM), "ca.key": _encode_pem(key)}


def _new_leaf(
    key: ec.EllipticCurvePublicKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    *,
    hosts: Sequence[str],
    now_utc: dt.datetime,
) -> x509.Certificate:
    authority = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Entraide server")]))
        .issuer_name(ca.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now_utc - CLOCK_SKEW_MAX)
        .not_valid_after(min(now_utc + LEAF_VALIDITY, ca.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(_subject_names(hosts)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _encode_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(read_private(path))
    except ValueError as problem:
        raise unreadable_error(path, "not a certificate") from problem


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(read_private(path), password=None)
    except (ValueError, TypeError) as problem:
        raise unreadable_error(path, "not a private key") from problem
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise unreadable_error(path, "not a key on an elliptic curve")
    return key
