"""Facts about a pool on this machine, for ``pool status`` and ``pool doctor``.

Input: the pool's directory. Output: certificates with their days, the last backup, and what the
running scheduler says. Nothing is changed.
"""

import time
from pathlib import Path

import msgspec
from cryptography import x509
from msgspec import Struct

from entraide.client.admin import AdminClient
from entraide.decoding import decode_json
from entraide.v1 import admin_pb2
from entraide_scheduler.findings import KINDS, Finding, Value
from entraide_scheduler.pool.backup import RECORD_FILE, BackupRecord
from entraide_scheduler.supervision.poolfile import PoolFile

DAY_S = 86_400.0


class CertificateAge(Struct, frozen=True):
    """How long a certificate is still valid.

    Attributes:
        kind: ``https`` (given), ``pool`` (of the pool's CA) or ``authority`` (the CA itself).
        file: path.
        days_left: days to its end; negative after it.
        starts_in_s: seconds to its beginning; negative after it.
    """

    kind: str
    file: str
    days_left: float
    starts_in_s: float


def read_certificates(state: Path, cert_file: str) -> list[CertificateAge]:
    """Returns the age of each certificate of a pool.

    Args:
        state: the pool's directory.
        cert_file: the certificate that its operator has given for HTTPS, or "".

    Raises:
        OSError, ValueError: a file cannot be read, or is no certificate.
    """
    files = [("pool", state / "tls" / "server.pem"), ("authority", state / "tls" / "ca.pem")]
    if cert_file:
        files.insert(0, ("https", Path(cert_file)))
    ages = []
    for kind, path in files:
        leaf = x509.load_pem_x509_certificate(path.read_bytes())
        left_s = leaf.not_valid_after_utc.timestamp() - time.time()
        starts_in_s = leaf.not_valid_before_utc.timestamp() - time.time()
        ages.append(CertificateAge(kind, str(path), left_s / DAY_S, starts_in_s))
    return ages


def read_last_backup(state: Path) -> BackupRecord | None:
    """Returns the record of the last backup, or None."""
    try:
        return decode_json((state / RECORD_FILE).read_bytes(), type=BackupRecord)
    except (OSError, msgspec.MsgspecError):
        return None


def read_backup_at(state: Path) -> float:
    """Returns when the last backup was made, seconds since the epoch; 0 where none is known."""
    record = read_last_backup(state)
    return record.at if record is not None else 0.0


def find_backup(state: Path) -> tuple[float, str]:
    """Returns when the last backup was made, seconds since the epoch, and its path."""
    record = read_last_backup(state)
    return (record.at, record.file) if record is not None else (0.0, "")


def call_status(pool: PoolFile, lang: str) -> admin_pb2.Status:
    """Returns the status of the running scheduler.

    Raises:
        EntraideError: it does not answer.
    """
    with AdminClient(pool.grpc, pool.admin_key, ca_pem=pool.ca, lang=lang) as admin:
        status: admin_pb2.Status = admin.call("GetStatus", admin_pb2.GetStatusRequest())
    return status


def call_findings(pool: PoolFile, lang: str) -> list[Finding]:
    """Returns what the running scheduler finds.

    Raises:
        EntraideError: it does not answer.
    """
    request = admin_pb2.ListFindingsRequest(running_only=True)
    with AdminClient(pool.grpc, pool.admin_key, ca_pem=pool.ca, lang=lang) as admin:
        listed: admin_pb2.Findings = admin.call("ListFindings", request)
    return [_read_finding(each) for each in listed.findings if each.code in KINDS]


def _read_finding(message: admin_pb2.Finding) -> Finding:
    numbers = {name: int(n) if n.is_integer() else n for name, n in message.numbers.items()}
    values: dict[str, Value] = {**message.names, **numbers}
    return Finding(message.code, message.since, values, message.problem, watched=True)


def call_policy(pool: PoolFile, lang: str) -> admin_pb2.PolicyVersion:
    """Returns the policy in force.

    Raises:
        EntraideError: the scheduler does not answer.
    """
    with AdminClient(pool.grpc, pool.admin_key, ca_pem=pool.ca, lang=lang) as admin:
        policy: admin_pb2.PolicyVersion = admin.call("GetPolicy", admin_pb2.GetPolicyRequest())
    return policy
