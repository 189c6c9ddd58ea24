"""Quotas left: what the quotas of requests and of tokens leave to the sender of a job. Pure.

In: the quotas of a co-op. Out: of each kind the quota that leaves least, for the
``x-ratelimit-*`` headers of the answer.
"""

from collections.abc import Iterable

from entraide.wire.cards import QuotaLeft
from entraide_scheduler.core.policy import QuotaKind
from entraide_scheduler.core.views import QuotaView

COUNTED = (QuotaKind.REQUESTS, QuotaKind.TOKENS)


def find_quotas_left(
    quotas: Iterable[QuotaView], *, project: str, key: str, now: float
) -> tuple[QuotaLeft, ...]:
    """Returns of each counted kind the quota that leaves least; of equal ones, the longest.

    Args:
        quotas: of the sender's co-op.
        project: the sender's.
        key: identifier of the sender's API key.
        now: seconds since the epoch.
    """
    strictest: dict[QuotaKind, QuotaLeft] = {}
    for quota in quotas:
        is_own = quota.project in ("", project) and quota.key in ("", key)
        if quota.kind not in COUNTED or not is_own or quota.ends_at is None:
            continue
        left = QuotaLeft(quota.kind, quota.limit, int(quota.left), max(0.0, quota.ends_at - now))
        least = strictest.get(quota.kind)
        if least is None or (left.left, -left.reset_s) < (least.left, -least.reset_s):
            strictest[quota.kind] = left
    return tuple(strictest[kind] for kind in COUNTED if kind in strictest)
