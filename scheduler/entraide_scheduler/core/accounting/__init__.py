# mypy: implicit-reexport
"""Accounting: balances, quotas, lent energy, credit, and the bounds of a usage report.

Input: the terms and the usage of a run, in whole tokens, microwatt-hours and micrograms. Output:
ledger entries that sum to zero, reserved and used quotas, the credit that a lender has earned, and
usage cut to what a lease allows.

All amounts are integers in the smallest unit, bounded by ``amount_limits``, so sums are exact in
any order and nothing overflows a 64-bit column. The package books; it does not decide when:
``settlement`` calls it once for each run, and ``admission`` and ``leases`` reserve and release.

``ledger`` keeps balances by co-op and unit; ``quotas`` the amounts used and reserved by period;
``lending`` the energy that a lender's terms allow for others each day; ``credit`` the decaying sum
of what a co-op gave; ``usage_limits`` the bounds of a report;
``resumed_usage`` what each of several runs of an answer is billed for.
"""

from entraide_scheduler.core.accounting.amount_limits import (
    CARBON_MAX_UG,
    ENERGY_MAX_UWH,
    TOKENS_MAX,
    TOTAL_MAX,
    clamp_amount,
)
from entraide_scheduler.core.accounting.credit import STEPS, Credits, Gift, decayed
from entraide_scheduler.core.accounting.ledger import UNITS, Ledger, entries
from entraide_scheduler.core.accounting.quotas import (
    PER_UNIT,
    RETRY_LEAST_S,
    Quotas,
    QuotasState,
    QuotaUsage,
    Shortage,
    to_quota_unit,
)
from entraide_scheduler.core.accounting.resumed_usage import (
    DeliveredRun,
    bill_resumed,
    cut_output,
)
from entraide_scheduler.core.accounting.usage_limits import (
    ENERGY,
    INPUT,
    OUTPUT,
    TOKEN_CODES,
    UsageEstimate,
    UsageGrant,
    energy_limit_uwh,
    limit_usage,
    raise_to_shown,
)
