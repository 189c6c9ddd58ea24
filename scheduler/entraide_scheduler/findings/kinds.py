"""Kinds of findings: the registry of what can be wrong with a pool.

Each kind has a stable code ``CHECK-FAULT``. Its sentence in the message catalogue is
``pool-doctor-CODE``, its remedy the attribute ``.remedy``. A watched kind is looked for by the
running scheduler, too: it is a value of the metric ``entraide_finding``, and has an alert rule in
``deploy/prometheus/findings.yaml`` (``python scripts/reference.py``). The others are found by
``entraide pool doctor`` on the pool's machine.
"""

from enum import StrEnum

from msgspec import Struct

UNITS_S = {"m": 60.0, "h": 3_600.0}


class Severity(StrEnum):
    """How urgent a finding is; ``OK`` is that of a check without one."""

    FAIL = "fail"
    WARN = "warn"
    OK = "ok"


class Kind(Struct, frozen=True):
    """A kind of finding.

    Attributes:
        code: stable code.
        severity: ``FAIL`` if it keeps the pool from working, or harms it.
        alert_after: how long it lasts before its alert fires, as Prometheus writes it; "" for a
            kind that the running scheduler does not look for.
        is_brief: whether it may be over within seconds, and is shown for a minute nevertheless.
    """

    code: str
    severity: Severity
    alert_after: str = ""
    is_brief: bool = False

    @property
    def alert_after_s(self) -> float:
        """``alert_after`` in seconds; 0 for a kind that only the doctor looks for."""
        return (
            float(self.alert_after[:-1]) * UNITS_S[self.alert_after[-1]]
            if self.alert_after
            else 0.0
        )


FAIL, WARN = Severity.FAIL, Severity.WARN

_ALL = (
    Kind("config-problem", FAIL),
    Kind("config-unfounded", WARN),
    Kind("doctor-failed", FAIL),
    Kind("name-unknown", FAIL),
    Kind("place-unknown", WARN),
    Kind("place-outside", FAIL),
    Kind("backup-place-unknown", WARN),
    Kind("port-taken", FAIL),
    Kind("port-refused", FAIL),
    Kind("port-silent", FAIL),
    Kind("clock-behind", FAIL),
    Kind("clock-far-ahead", FAIL),
    Kind("clock-far-back", FAIL),
    Kind("clock-off", FAIL, "0m", is_brief=True),
    Kind("clock-unsynchronised", WARN),
    Kind("disk-full", FAIL, "0m"),
    Kind("disk-low", WARN, "5m"),
    Kind("certificate-problem", FAIL),
    Kind("certificate-unreadable", FAIL),
    Kind("certificate-https-expired", FAIL, "0m"),
    Kind("certificate-https-ending", WARN, "5m"),
    Kind("certificate-pool-expired", FAIL, "0m"),
    Kind("certificate-pool-ending", WARN, "5m"),
    Kind("certificate-authority-expired", FAIL, "0m"),
    Kind("certificate-authority-ending", WARN, "5m"),
    Kind("store-problem", FAIL),
    Kind("store-absent", FAIL),
    Kind("store-older", WARN),
    Kind("store-newer", FAIL),
    Kind("store-unreleased", FAIL),
    Kind("store-unreachable", FAIL),
    Kind("store-full", FAIL, "0m", is_brief=True),
    Kind("store-away", FAIL, "0m", is_brief=True),
    Kind("store-growing", WARN, "1h"),
    Kind("books-unbalanced", FAIL, "0m"),
    Kind("books-missing", FAIL),
    Kind("books-altered", FAIL),
    Kind("retention-journal", WARN),
    Kind("retention-explanations", WARN),
    Kind("bus-problem", FAIL),
    Kind("bus-lost", FAIL, "1m", is_brief=True),
    Kind("scheduler-stopped", WARN),
    Kind("scheduler-silent", FAIL),
    Kind("scheduler-elsewhere", FAIL),
    Kind("scheduler-taken", WARN, "0m", is_brief=True),
    Kind("scheduler-recovered", WARN, "0m"),
    Kind("restarts-loop", FAIL, "0m"),
    Kind("restarts-recent", WARN, "5m"),
    Kind("gateways-silent", FAIL, "1m", is_brief=True),
    Kind("gateways-twice", FAIL, "1m"),
    Kind("gateways-clock", WARN, "1m", is_brief=True),
    Kind("nodes-none", WARN, "10m"),
    Kind("models-none", WARN, "10m"),
    Kind("nodes-silent", WARN, "5m"),
    Kind("nodes-engine", WARN, "5m"),
    Kind("nodes-clock", WARN, "5m", is_brief=True),
    Kind("node-waiting", WARN, "0m"),
    Kind("node-quarantined", WARN, "0m"),
    Kind("key-quarantined", WARN, "0m"),
    Kind("node-lost", WARN, "10m"),
    Kind("node-refused", WARN, "1h"),
    Kind("node-old", WARN, "1h"),
    Kind("zones-none", WARN, "1h"),
    Kind("alarms-frequent", WARN, "0m"),
    Kind("streams-broken", WARN, "0m"),
    Kind("backup-none", WARN, "1h"),
    Kind("backup-old", WARN, "1h"),
    Kind("backup-failed", WARN, "0m"),
    Kind("backup-passphrase", WARN, "1h"),
    Kind("backup-space", WARN, "5m"),
    Kind("mirror-none", WARN),
    Kind("mirror-pythons", WARN),
    Kind("weights-missing", WARN),
    Kind("grid-problem", FAIL),
    Kind("grid-no_token", WARN),
    Kind("grid-stale", WARN, "1h"),
    Kind("signin-unreadable", FAIL),
    Kind("mail-refused", WARN),
    Kind("provider-silent", WARN),
    Kind("notify-problem", WARN),
    Kind("notify-failing", WARN, "0m"),
)

KINDS = {kind.code: kind for kind in _ALL}
WATCHED = tuple(kind for kind in _ALL if kind.alert_after)
