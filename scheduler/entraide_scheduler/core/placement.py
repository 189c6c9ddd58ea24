"""Placement: the greenest node that keeps the promise. Filter, predict, pick.

Decides where one job would run best now. What is compared is in physical units: seconds, then
micrograms, then microwatt-hours, then the node's name. ``scan`` is the definition, a plain look at
every lane; ``search`` gives the same for models that very many nodes serve. It changes nothing and
refuses to know whose turn it is.
"""

from collections.abc import Callable, Collection, Mapping
from heapq import nsmallest
from math import inf
from types import MappingProxyType

from msgspec import Struct

from entraide.types import Candidates
from entraide_scheduler.core.lanes import Lane, code_of
from entraide_scheduler.core.policy import ClassTerms, Picker, Policy
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.rules import PASSING, Rule
from entraide_scheduler.core.want import Want

# Rules that need the prediction, or what happened to this very job.
OVER_CARBON_CAP = Rule(
    "over_carbon_cap",
    lambda *_: False,
    lambda *_: {},
    waiting_helps=True,
)
OVER_CARBON_QUOTA = Rule("over_carbon_quota", lambda *_: False, lambda *_: {}, waiting_helps=True)
OVER_ENERGY_QUOTA = Rule("over_energy_quota", lambda *_: False, lambda *_: {}, waiting_helps=True)
LEND_ENERGY_SPENT = Rule(
    "lend_energy_spent",
    lambda *_: False,
    lambda node, _: {"coop": node.card.coop},
    waiting_helps=True,
)
GREENER_LATER = Rule(
    "greener_later", lambda *_: False, lambda node, _: {"zone": node.card.zone}, waiting_helps=True
)
SAME_ENGINE = Rule("same_engine", lambda *_: False, lambda *_: {}, waiting_helps=False)
ALONE_LIMIT = Rule("alone_limit", lambda *_: False, lambda *_: {}, waiting_helps=True)
TRIED_BEFORE = Rule("tried_before", lambda *_: False, lambda *_: {}, waiting_helps=False)

# What keeps a job from a node by a limit of its own, or of its lender's; another job of its shape
# may fit there.
LIMITS = (LEND_ENERGY_SPENT, OVER_CARBON_CAP, OVER_CARBON_QUOTA, OVER_ENERGY_QUOTA)

TIME_WORTH = 2.0  # of the time that is taken up, beside the slots, where little room is left

WITH_ROOM = "greenest_with_room"  # the reason of a pick that a fuller node loses by its fullness


class Prediction(Struct, gc=False):
    """What is expected of one job on one lane.

    Attributes:
        lane: which.
        ttft_s, ttft_upper_s: from now to the first token, on average and with the asked confidence.
        completion_s: from now to the end, on average.
        energy_uwh, carbon_ug: what the job makes the machine use and emit more.
        keeps: whether the promise, counted from the request, is expected to be kept.
    """

    lane: Lane
    ttft_s: float
    ttft_upper_s: float
    completion_s: float
    energy_uwh: float
    carbon_ug: float
    keeps: bool


class Survey(Struct, gc=False):
    """The nodes as seen for one job.

    Attributes:
        best: the one to take; None when none fits.
        fitting: how many nodes may run it.
        fits: those nodes, greenest first; of very many none.
        listed: those told one by one: all of them, or of very many the best by grams and the
            fastest; the one to take stands first.
        excluded: the others, each with the rule that excludes it; of very many one per rule.
        counts: how many nodes each rule excludes, by its code.
        least_ug: the least grams of those that keep the promise; infinite when none does.
    """

    best: Prediction | None
    fitting: int
    fits: list[Prediction]
    listed: Candidates
    excluded: list[tuple[Node, Rule]]
    counts: dict[str, int]
    least_ug: float


class Pick(Struct, frozen=True, gc=False):
    """The node picked, and why."""

    best: Prediction
    reason: str


def predict(lane: Lane, want: Want) -> Prediction:
    """Returns what is expected of a job on a lane; ``quote.Quote`` tells the formulas."""
    quote = lane.quote
    tokens = want.input_tokens
    if want.cached:
        tokens -= want.cached.get(lane.name, 0)
    queued_s = quote.free_at - want.at
    excess = quote.ttft_excess
    if queued_s > 0.0:
        excess = quote.queued_excess
    else:
        queued_s = 0.0
    ttft_s = queued_s + quote.start_s + tokens * quote.input_s
    upper_s = ttft_s * (1.0 + excess * want.scale)
    tpot_upper_s = quote.token_s * (1.0 + quote.tpot_excess * want.scale)
    return Prediction(
        lane,
        ttft_s,
        upper_s,
        ttft_s + want.output_tokens * quote.token_s,
        quote.wake_uwh + tokens * quote.input_uwh + want.produced_tokens * quote.output_uwh,
        quote.wake_ug + tokens * quote.input_ug + want.produced_tokens * quote.output_ug,
        upper_s <= want.ttft_left_s
        and tpot_upper_s <= want.tpot_s
        and upper_s + want.output_upper * tpot_upper_s <= want.completion_left_s,
    )


def grams(lane: Lane, want: Want) -> float:
    """Returns the grams that ``predict`` expects, and nothing else, micrograms."""
    quote = lane.quote
    tokens = want.input_tokens
    if want.cached:
        tokens -= want.cached.get(lane.name, 0)
    return quote.wake_ug + tokens * quote.input_ug + want.produced_tokens * quote.output_ug


def beyond(predicted: Prediction, want: Want) -> Rule | None:
    """Returns the rule that a prediction breaks: a lender's limit, a cap, a quota; None if none."""
    if want.lent_left_uwh and predicted.lane.coop != want.shape.coop:
        left_uwh = want.lent_left_uwh.get(predicted.lane.coop, inf)
        if left_uwh <= 0 or predicted.energy_uwh > left_uwh:
            return LEND_ENERGY_SPENT
    if predicted.carbon_ug > want.carbon_cap_ug:
        return OVER_CARBON_CAP
    if predicted.carbon_ug > want.carbon_left_ug:
        return OVER_CARBON_QUOTA
    if predicted.energy_uwh > want.energy_left_uwh:
        return OVER_ENERGY_QUOTA
    return None


def scan(
    lanes: Collection[Lane], lasting: list[tuple[Node, Rule]], want: Want, policy: Policy
) -> Survey:
    """Looks at every lane that may ever serve a job: the definition of what is picked.

    Args:
        lanes: of the nodes that pass the lasting rules, in order of name.
        lasting: the other nodes, and the rule that each breaks.
        want: the job.
        policy: how one of them is picked.
    """
    fits: list[Prediction] = []
    excluded = list(lasting)
    green, coop, batch = want.most_g_per_kwh, want.shape.coop, 2 * want.shape.batch
    for lane in lanes:
        if want.shape.alone:
            code = code_of(lane, want.shape)
        else:
            code = lane.shut[batch if lane.coop == coop else batch + 1]
        rule = PASSING[code - 1] if code else None
        if rule is None and green is not None and lane.quote.g_per_kwh > green.get(lane.zone, 0.0):
            rule = GREENER_LATER
        if rule is None and lane.name in want.barred:
            rule = SAME_ENGINE
        if rule is None:
            predicted = predict(lane, want)
            rule = beyond(predicted, want) if want.limited else None
            if rule is None:
                fits.append(predicted)
                continue
        excluded.append((lane.node, rule))
    if want.avoid:
        fits = _others_first(fits, want.avoid, excluded)
    counts: dict[str, int] = {}
    for _, rule in excluded:
        counts[rule.code] = counts.get(rule.code, 0) + 1
    if len(fits) > 1:
        fits.sort(key=greenest_first)
    best = best_of(fits, want, policy)
    listed = (
        fits
        if len(lanes) + len(lasting) <= policy.limits.explained_nodes
        else shortlist(fits, want, policy.limits.explained_best)
    )
    least_ug = fits[0].carbon_ug if fits and fits[0].keeps else inf
    return Survey(best, len(fits), fits, told(listed, best), excluded, counts, least_ug)


def shortlist(fits: list[Prediction], want: Want, most: int) -> list[Prediction]:
    """Returns the best by grams, then the fastest not among them.

    Args:
        fits: greenest first.
        want: the job.
        most: so many of each at most.
    """
    found = fits[:most]
    known = {one.lane.name for one in found}
    fastest = nsmallest(most, fits, key=lambda one: (took_s(one, want.objective), one.lane.name))
    return found + [one for one in fastest if one.lane.name not in known]


def told(listed: list[Prediction], best: Prediction | None) -> Candidates:
    """Returns predictions as they are kept, the one to take first."""
    if best is not None and listed and listed[0] is not best:
        listed = [best, *[one for one in listed if one is not best]]
    lanes = [one.lane for one in listed]
    return Candidates(
        [lane.name for lane in lanes],
        [lane.coop for lane in lanes],
        [lane.zone for lane in lanes],
        [one.ttft_s for one in listed],
        [lane.quote.token_s for lane in lanes],
        [int(one.energy_uwh + 0.5) for one in listed],
        [int(one.carbon_ug + 0.5) for one in listed],
        [lane.effective.direct_g_per_kwh for lane in lanes],
        [lane.effective.basis for lane in lanes],
        [lane.effective.surplus_w for lane in lanes],
        [one.keeps for one in listed],
        [one.ttft_upper_s for one in listed],
    )


def _others_first(
    fits: list[Prediction], avoid: tuple[str, ...], excluded: list[tuple[Node, Rule]]
) -> list[Prediction]:
    others = [found for found in fits if found.lane.name not in avoid]
    if not others or len(others) == len(fits):
        return fits
    excluded.extend((found.lane.node, TRIED_BEFORE) for found in fits if found.lane.name in avoid)
    return others


# The pick.

Key = Callable[[Prediction], tuple[float | int | str, ...]]


def best_of(fits: list[Prediction], want: Want, policy: Policy) -> Prediction | None:
    """Returns the one to take; None when there is none.

    Among those that keep the promise the least grams, weighed by the room that is left there;
    within the policy's tolerance of the least, which count as equal, the least energy, then the
    first token soonest, then the node's name.
    When none keeps it, the fastest. The other pickers are there to be compared with.
    """
    if not fits:
        return None
    if policy.picker is not Picker.GREENEST:
        return min(fits, key=PICKERS[policy.picker](policy))
    keeping = [found for found in fits if found.keeps]
    if not keeping:
        return min(fits, key=fastest_first(want.objective))
    headroom = policy.carbon.headroom
    weighed = [weighed_ug(found, want, headroom) for found in keeping]
    most_ug = min(weighed) * (1.0 + policy.carbon.tolerance)
    equal = [found for found, ug in zip(keeping, weighed, strict=True) if ug <= most_ug]
    return equal[0] if len(equal) == 1 else min(equal, key=least_energy_first)


def weighed_ug(found: Prediction, want: Want, headroom: float) -> float:
    """Returns the grams of one that keeps the promise, dearer the less room it leaves there.

    With r the part of the time left to the first token that is taken up, and s the part of the
    slots that is taken, grams count ``1 + headroom (2 r^2 + s^2)`` times. So what is alike in grams
    is spread before it is full, and a burst finds room on green machines; a grid that is cleaner by
    more than that is still filled to the promise. Time counts twice: while prompts stand in line
    at one machine, others read none, and that is not made up for when all are full.
    """
    late = found.ttft_upper_s / want.ttft_left_s
    full = found.lane.quote.full_part
    return found.carbon_ug * (1.0 + headroom * (TIME_WORTH * late * late + full * full))


def least_energy_first(found: Prediction) -> tuple[float, float, str]:
    """Sort key among equal grams: energy, first token, name."""
    return found.energy_uwh, found.ttft_s, found.lane.name


def took_s(found: Prediction, objective: ClassTerms) -> float:
    """Returns the time that a class promises: to the first token, or else to the end."""
    promised_end = objective.ttft_s is None and objective.completion_s is not None
    return found.completion_s if promised_end else found.ttft_s


def fastest_first(objective: ClassTerms) -> Key:
    """Returns the sort key by what the class promises, then grams, then name."""
    return lambda found: (took_s(found, objective), found.carbon_ug, found.lane.name)


def greenest_first(found: Prediction) -> tuple[bool, float, str]:
    """Sort key of candidates: promise kept, grams, name."""
    return not found.keeps, found.carbon_ug, found.lane.name


def _weighted(policy: Policy) -> Key:
    weights = policy.weights

    def key(found: Prediction) -> tuple[float, str]:
        grams, hours = found.carbon_ug / 1e6, found.energy_uwh / 1e6
        total = weights.per_g * grams + weights.per_s * found.completion_s + weights.per_wh * hours
        return total, found.lane.name

    return key


PICKERS: Mapping[Picker, Callable[[Policy], Key]] = MappingProxyType(
    {
        Picker.WEIGHTED: _weighted,
        Picker.FASTEST: lambda _: lambda found: (found.ttft_s, found.lane.name),
        Picker.LEAST_LOADED: lambda _: (
            lambda found: (
                found.lane.load.leases / found.lane.replica.slots,
                found.lane.load.turn,
                found.lane.name,
            )
        ),
        Picker.ROUND_ROBIN: lambda _: lambda found: (found.lane.load.turn, found.lane.name),
        Picker.GREEDY_GREEN: lambda _: (
            lambda found: (
                found.lane.effective.direct_g_per_kwh,
                found.lane.load.leases / found.lane.replica.slots,
                found.lane.name,
            )
        ),
    }
)


def pick(survey: Survey, policy: Policy) -> Pick | None:
    """Returns the node to take, and why; None when none fits."""
    best = survey.best
    if best is None:
        return None
    if policy.picker is not Picker.GREENEST:
        return Pick(best, policy.picker.value)
    if not best.keeps:
        return Pick(best, "fastest_at_risk")
    if survey.fitting == 1:
        return Pick(best, "only_one")
    greenest = best.carbon_ug <= survey.least_ug * (1.0 + policy.carbon.tolerance)
    return Pick(best, "greenest" if greenest else WITH_ROOM)
