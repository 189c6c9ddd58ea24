"""Explanation values: the values that the sentences of an explanation may use.

Input: an explanation, as the core made it. Output: its own values, and values derived from its
candidates and exclusions: the predictions for the picked node, for the next best and for a greener
node, the excluded node that the core names, how the next best compares, and each time in words.
"""

from msgspec.structs import replace

from entraide import i18n, relative_time
from entraide.coop_names import shown_name
from entraide.i18n import Value
from entraide.types import Candidate, Exclusion, Explanation
from entraide.units import g_from_ug, wh_from_uwh

Values = dict[str, Value]
NEARLY = 0.05  # relative difference of grams up to which a sentence says "nearly as much"


def with_coop_names(explanation: Explanation) -> Explanation:
    """Returns an explanation for sentences, with names in place of co-ops' identifiers."""
    names = explanation.coop_names
    if not names:
        return explanation

    def named(values: Values) -> Values:
        return {
            key: shown_name(str(value), names) if key == "coop" or key.endswith("_coop") else value
            for key, value in values.items()
        }

    coops = [shown_name(coop, names) for coop in explanation.candidates.coop]
    return replace(
        explanation,
        values=named(explanation.values),
        candidates=replace(explanation.candidates, coop=coops),
        excluded=tuple(
            replace(each, coop=shown_name(each.coop, names), values=named(each.values))
            for each in explanation.excluded
        ),
    )


def gather(explanation: Explanation, lang: str, clock: relative_time.Clock | None) -> Values:
    """Returns every value that a sentence of the explanation may use."""
    values = predictions(explanation)
    if explanation.objective_ttft_s is not None:
        values["objective_s"] = explanation.objective_ttft_s
    values["others"] = sum(explanation.excluded_counts.values())
    values |= explanation.values
    example = named_exclusion(explanation)
    if example is not None:
        values |= {
            "example_node": example.node,
            "example_coop": example.coop,
            "example_zone": example.zone,
        }
    if explanation.decision == "placed":
        values["next_how"] = _compare_next(explanation, values, lang)
    return format_times(values, lang, explanation.at, clock)


def predictions(explanation: Explanation) -> Values:
    """Returns the predictions for the picked node, the next best (``next_``) and a greener one.

    The candidates are sorted by grams under the reason ``greenest`` only, so only then is the
    second candidate the next best.
    """
    if not explanation.node:
        return {}
    by_node = {candidate.node: candidate for candidate in explanation.candidates}
    others = [node for node in by_node if node != explanation.node]
    second = others[0] if others and explanation.reason == "greenest" else ""
    next_node = explanation.values.get("next_node", second)
    values: Values = {}
    if explanation.node in by_node:
        values |= _prediction(by_node[explanation.node])
    greener_node = explanation.values.get("greener_node")
    for prefix, node in (("next", next_node), ("greener", greener_node)):
        candidate = by_node.get(str(node))
        if candidate is not None:
            prediction = _prediction(candidate)
            values |= {f"{prefix}_{name}": value for name, value in prediction.items()}
    return values


def _prediction(candidate: Candidate) -> Values:
    values: Values = {
        "node": candidate.node,
        "coop": candidate.coop,
        "zone": candidate.zone,
        "ttft_s": candidate.ttft_s,
        "energy_wh": wh_from_uwh(candidate.energy_uwh),
        "carbon_g": g_from_ug(candidate.carbon_ug),
        "intensity_g_per_kwh": candidate.intensity_g_per_kwh,
    }
    if candidate.ttft_upper_s > 0:
        values["ttft_upper_s"] = candidate.ttft_upper_s
    if candidate.surplus_w > 0:
        values["surplus_w"] = candidate.surplus_w
    return values


def _compare_next(explanation: Explanation, values: Values, lang: str) -> Value:
    """How the next best compares: ``late``, ``equal`` once rounded, or absent: it emits more.

    It emits ``less`` by more than ``NEARLY`` only where the policy's tolerance is larger.
    """
    keeps_promise = {c.node: c.keeps_promise for c in explanation.candidates}
    if not keeps_promise.get(str(values.get("next_node", "")), True):
        return "late"
    picked_g, next_g = values.get("carbon_g"), values.get("next_carbon_g")
    if isinstance(picked_g, str) or isinstance(next_g, str) or picked_g is None or next_g is None:
        return i18n.ABSENT
    reads_equal = i18n.decimal(next_g, lang) == i18n.decimal(picked_g, lang)
    if next_g < picked_g * (1.0 - NEARLY):
        return "less"
    return "equal" if next_g <= picked_g or reads_equal else i18n.ABSENT


def format_times(values: Values, lang: str, at: float, clock: relative_time.Clock | None) -> Values:
    """Returns the values, with each time (``…_at``) in words."""
    return {
        name: relative_time.format_time(value, lang, at=at, clock=clock)
        if name.endswith("_at") and not isinstance(value, str)
        else value
        for name, value in values.items()
    }


def named_exclusion(explanation: Explanation) -> Exclusion | None:
    """Returns the excluded node that one rule alone kept from the job; None where none is known.

    The core checks that claim and names the node in ``could_node``. An explanation of an older
    core names none.
    """
    node = explanation.values.get("could_node")
    return next((excluded for excluded in explanation.excluded if excluded.node == node), None)
