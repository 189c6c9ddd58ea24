# mypy: implicit-reexport
"""Policy: what the members vote, as one versioned document, and the check that it is sound.

Input: a decoded ``Policy``. Output: the same document as frozen structs (weights and quotas of
co-ops, latency objectives of classes, carbon rules, timeouts), and a list of faults that make a
policy unusable.

The package is the lowest of the core: every other package reads the policy, and none changes it.
The shell decodes the file, checks it with ``find_faults`` and sends it as ``PolicyChanged``; the
core checks it again, with ``find_unusable``, because a journal may come from another version. A
figure that the assembly may want to change stands here, with a default, and not as a constant of
the package that uses it.

``policy`` defines the documents; ``policy_validation`` finds faults.
"""

from entraide_scheduler.core.policy.policy import (
    DEFAULT_CLASSES,
    QUOTA_NAME,
    Approval,
    Carbon,
    ChargeWeights,
    ClassReasoning,
    ClassTerms,
    CoopReasoning,
    CoopTerms,
    Credit,
    Deferral,
    Evidence,
    FairShare,
    IntensityBasis,
    Lend,
    Newcomer,
    Period,
    Picker,
    Policy,
    PrefixTerms,
    Quota,
    QuotaKind,
    Reasoning,
    Timing,
    quota_name,
)
from entraide_scheduler.core.policy.policy_validation import (
    COOPS_MAX,
    RESUME_MAX_S,
    AllowedRange,
    PolicyFault,
    find_faults,
    find_unusable,
)
