"""Host checks: what doctor and running pool both look for on the pool's machine.

In: the pool's directory, and the file of a given certificate. Out: findings.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from entraide_scheduler.findings import Finding, Value, finding, passed
from entraide_scheduler.pool import facts

DISK_BYTES_MIN = 200_000_000
DISK_BYTES_LOW = 5_000_000_000
GIVEN_DAYS_LOW = 14.0
POOL_DAYS_LOW = 20.0  # ``pool run`` renews it 30 days before its end
AUTHORITY_DAYS_LOW = 180.0
DAYS_LOW = {"https": GIVEN_DAYS_LOW, "pool": POOL_DAYS_LOW, "authority": AUTHORITY_DAYS_LOW}


def check_disk(state: Path) -> Finding:
    """Checks the free space of the disk of the pool's directory."""
    free = shutil.disk_usage(state).free
    values: dict[str, Value] = {"free_gb": round(free / 1e9, 1), "path": str(state)}
    if free < DISK_BYTES_MIN:
        return finding("disk-full", **values)
    return finding("disk-low", **values) if free < DISK_BYTES_LOW else passed("disk-ok", **values)


def check_ages(ages: Sequence[facts.CertificateAge]) -> Iterator[Finding]:
    """Checks how long each certificate is still valid."""
    for age in ages:
        values: dict[str, Value] = {"days": int(age.days_left), "file": age.file}
        code = f"certificate-{age.kind}"
        if age.days_left < 0.0:
            yield finding(f"{code}-expired", **values)
        elif age.days_left < DAYS_LOW[age.kind]:
            yield finding(f"{code}-ending", **values)
        else:
            yield passed(code, **values)
