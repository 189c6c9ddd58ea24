"""Machine reasons: which of the codes that nodes report other people may see. Pure.

A node says why it takes no work. Some of its reasons tell that somebody sits at the machine, or
when its owner is away. Others see all reasons that an owner's terms give as one, ``owner_terms``,
so that none can be told from the others; the rule ``own_only``, that the owner is back and lets it
work for their own co-op, reads like them. A code that is not listed here counts as such a reason.
In explanations the keys and admins of the machine's own co-op, the operator and auditors see the
reason itself; a person of that co-op does not: a machine often stands at one colleague's desk.
The same code ends a run that is given back, whichever of the owner's terms asks for it.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from entraide.types import Exclusion, Explanation
from entraide_scheduler.gateway.jobs import Caller
from entraide_scheduler.people import READERS_OF_ALL
from entraide_scheduler.store.person_rows import Role

OWNER_TERMS = "owner_terms"
OWN_ONLY, NOT_ACCEPTING = "own_only", "not_accepting"  # rules
Values = Mapping[str, str | int | float]

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


def explanation_for(caller: Caller, explanation: Explanation) -> Explanation:
    """Returns an explanation with the reasons of machines as the caller sees them."""
    if caller.role in READERS_OF_ALL:
        return explanation
    coop = None if caller.role == Role.PERSON else caller.coop
    own = {each.values.get("reason") for each in explanation.excluded if each.coop == coop} - {None}
    values, counts = explanation.values, dict(explanation.excluded_counts)
    if OWN_ONLY in counts:  # such a machine serves its own co-op, so it is another's
        counts[NOT_ACCEPTING] = counts.get(NOT_ACCEPTING, 0) + counts.pop(OWN_ONLY)
    return replace(
        explanation,
        # The decision's own reason is of a machine that is not named: shown if one's own has it.
        values=values if values.get("reason") in own else _public(values, counts),
        excluded_counts=counts,
        excluded=tuple(
            each if each.coop == coop else _public_exclusion(each) for each in explanation.excluded
        ),
    )


def _public_exclusion(excluded: Exclusion) -> Exclusion:
    if excluded.rule == OWN_ONLY:
        return replace(excluded, rule=NOT_ACCEPTING, values={"reason": OWNER_TERMS})
    return replace(excluded, values=_public(excluded.values, {}))


def _public(values: Values, counts: Mapping[str, int]) -> dict[str, str | int | float]:
    shown = dict(values)
    if "reason" in shown:
        shown["reason"] = public_reason(str(shown["reason"]))
    if shown.get("rule") == OWN_ONLY:  # with the values of that rule
        del shown["coop"]
        shown |= {"rule": NOT_ACCEPTING, "reason": OWNER_TERMS}
    for name in ("greener_rule", "obstacle_rule"):
        if shown.get(name) == OWN_ONLY:
            shown[name] = NOT_ACCEPTING
    if "nodes" in shown and shown.get("rule") == NOT_ACCEPTING:
        shown["nodes"] = counts.get(NOT_ACCEPTING, shown["nodes"])
    return shown
