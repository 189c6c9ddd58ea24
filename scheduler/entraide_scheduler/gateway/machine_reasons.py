"""Machine reasons: which of the codes that nodes report other people may see. Pure.

A node says why it takes no work. Some of its reasons tell that somebody sits at the machine, or
when its owner is away. Others see all reasons that an owner's terms give as one, ``owner_terms``,
so that none can be told from the others. A code that is not listed here counts as such a reason.
"""

OWNER_TERMS = "owner_terms"

# Reasons that concern the agent, its engine or the pool, not the owner.
SHOWN = frozenset(
    {
        "benchmarking", "draining", "engine_down", "engine_starting", "full", "goodbye",
        "no_answer", "no_model", "not_approved", "not_loaded", "quarantined", "revoked", "stale",
        "starting",
    }
)  # fmt: skip


def public_reason(reason: str) -> str:
    """Returns the code that others see for a node's reason.

    >>> public_reason("owner_busy"), public_reason("draining"), public_reason("")
    ('owner_terms', 'draining', '')
    """
    return reason if not reason or reason in SHOWN else OWNER_TERMS
