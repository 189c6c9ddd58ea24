"""Request bounds: limits of every field of ``RequestFacts``, checked before the core. Pure.

A gateway may run on another machine or another version, and a kept job's facts may come from an
older version. A value out of bounds could overflow a sum in the core, and a NaN would break its
comparisons.
"""

import math

from entraide.models import EVALUATED_LANGUAGES
from entraide.types import UNKNOWN, Control, JobKind, RequestFacts, ServerPlace

NAME_MAX = 256
TOKENS_MAX = 1 << 31
OUTPUT_TOKENS_MAX = 1 << 24
CHOICES_MAX = 128 * 128  # ``n`` times the prompts of one request
FEATURES_MAX = 16
FEATURE_MAX = 64
PREFIX_KEYS_MAX = 65_536
DEADLINE_AHEAD_S_MAX = 32 * 86_400.0  # 31 days, and a day for clock differences
MAX_WAIT_S_MAX = 32 * 86_400.0
CARBON_UG_MAX = 2**53
HASH_MAX = 128
PLACES_MAX = 4  # the pool's server, a gateway elsewhere, and where both stood before
CONTROLS = frozenset({UNKNOWN, *filter(None, Control)})  # what a place may say


def find_facts_fault(facts: RequestFacts, *, now: float) -> str:
    """Returns the name of the first field that is out of bounds, or "".

    Args:
        facts: decoded facts, as a gateway sent them.
        now: seconds since the epoch.
    """
    return _text_fault(facts) or _count_fault(facts) or _time_fault(facts, now)


def _text_fault(facts: RequestFacts) -> str:
    for name in ("job", "coop", "key", "gateway", "model"):
        text = getattr(facts, name)
        if not text or not _is_name(text):
            return name
    for name in ("project", "jurisdiction"):
        if not _is_name(getattr(facts, name)):
            return name
    if facts.language not in ("", *EVALUATED_LANGUAGES):
        return "language"
    for name in ("session", "idempotency"):
        if len(getattr(facts, name)) > HASH_MAX:
            return name
    if len(facts.features) > FEATURES_MAX or any(len(f) > FEATURE_MAX for f in facts.features):
        return "features"
    return (
        "places" if len(facts.places) > PLACES_MAX or not all(map(_is_place, facts.places)) else ""
    )


def _count_fault(facts: RequestFacts) -> str:
    if not 0 <= facts.input_tokens_est <= TOKENS_MAX:
        return "input_tokens_est"
    if not 0 <= facts.input_tokens_max <= TOKENS_MAX:
        return "input_tokens_max"
    if facts.input_tokens_est > facts.input_tokens_max:
        return "input_tokens_est"  # the fair share's bound rests on the bound of the prompt
    limit = facts.output_tokens_max
    least = 0 if facts.embeds else 1
    if limit is not None and not least <= limit <= OUTPUT_TOKENS_MAX:
        return "output_tokens_max"
    if not 0 <= facts.longest_input_est <= (facts.input_tokens_max if facts.embeds else 0):
        return "longest_input_est"
    if not 1 <= facts.choices <= CHOICES_MAX:
        return "choices"
    if facts.max_carbon_ug is not None and not 0 <= facts.max_carbon_ug <= CARBON_UG_MAX:
        return "max_carbon_ug"
    if not 0 <= facts.thinking_budget_tokens <= OUTPUT_TOKENS_MAX:
        return "thinking_budget_tokens"
    if facts.warm:
        return "warm"  # the scheduler's own
    keys = facts.prefix_keys
    return "prefix_keys" if len(keys) > PREFIX_KEYS_MAX or any(map(_is_long, keys)) else ""


def _time_fault(facts: RequestFacts, now: float) -> str:
    limit_s = facts.max_wait_s
    if limit_s is not None and not 0.0 < limit_s <= MAX_WAIT_S_MAX:
        return "max_wait_s"
    deadline = facts.deadline_at
    if deadline is None:
        return ""
    if not math.isfinite(deadline) or deadline < 0.0:
        return "deadline_at"
    # A kept job is submitted again at each start; the core refuses a deadline that has passed.
    ahead = deadline - now > DEADLINE_AHEAD_S_MAX
    return "deadline_at" if ahead and facts.kind is JobKind.LIVE else ""


def _is_name(text: str) -> bool:
    return len(text) <= NAME_MAX and text.isprintable()


def _is_place(place: ServerPlace) -> bool:
    return _is_name(place.zone) and bool(place.zone) and place.controlled_by in CONTROLS


def _is_long(key: int) -> bool:
    return not -(2**63) <= key < 2**64
