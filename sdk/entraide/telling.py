"""Telling: the values that an explanation's sentences may name, gathered from its facts.

It decides what a sentence may count on beyond the values that the core chose to tell: what was
predicted for the nodes named, the excluded node that the core names, how the next best compares,
and moments in words. It refuses to know the sentences.
"""

from entraide import i18n, moments
from entraide.i18n import Value
from entraide.types import Candidate, Exclusion, Explanation
from entraide.units import g_from_ug, wh_from_uwh

Values = dict[str, Value]


def gather(explanation: Explanation, lang: str, clock: moments.Clock | None) -> Values:
    """Returns all that a sentence may name: the picked node's prediction, then the facts."""
    found = of_nodes(explanation)
    if explanation.objective_ttft_s is not None:
        found["objective_s"] = explanation.objective_ttft_s
    found["others"] = sum(explanation.excluded_counts.values())
    found |= explanation.values
    example = named(explanation)
    if example is not None:
        found |= {
            "example_node": example.node,
            "example_coop": example.coop,
            "example_zone": example.zone,
        }
    if explanation.decision == "placed":
        found["next_how"] = _how_next(explanation, found, lang)
    return in_words(found, lang, explanation.at, clock)


def of_nodes(explanation: Explanation) -> Values:
    """Returns the node picked, the next best and a greener one, as they were predicted.

    Only among the greenest does the order of the candidates say which would have been next.
    """
    if not explanation.node:
        return {}
    by_name = {one.node: one for one in explanation.candidates}
    others = [one.node for one in explanation.candidates if one.node != explanation.node]
    second = others[0] if others and explanation.reason == "greenest" else ""
    following = explanation.values.get("next_node", second)
    found: Values = {}
    if explanation.node in by_name:
        found |= _predicted(by_name[explanation.node])
    for prefix, name in (("next", following), ("greener", explanation.values.get("greener_node"))):
        one = by_name.get(str(name))
        if one is not None:
            found |= {f"{prefix}_{key}": value for key, value in _predicted(one).items()}
    return found


def _predicted(one: Candidate) -> Values:
    found: Values = {
        "node": one.node,
        "coop": one.coop,
        "zone": one.zone,
        "ttft_s": one.ttft_s,
        "energy_wh": wh_from_uwh(one.energy_uwh),
        "carbon_g": g_from_ug(one.carbon_ug),
        "intensity_g_per_kwh": one.intensity_g_per_kwh,
    }
    if one.ttft_upper_s > 0:
        found["ttft_upper_s"] = one.ttft_upper_s
    if one.surplus_w > 0:
        found["surplus_w"] = one.surplus_w
    return found


def _how_next(explanation: Explanation, values: Values, lang: str) -> Value:
    """How the next best compares: ``late``, ``equal`` as far as a reader sees, or plainly worse."""
    keeps = {one.node: one.keeps_promise for one in explanation.candidates}
    if not keeps.get(str(values.get("next_node", "")), True):
        return "late"
    least, following = values.get("carbon_g"), values.get("next_carbon_g")
    if isinstance(least, str) or isinstance(following, str) or least is None or following is None:
        return i18n.ABSENT
    seen_alike = i18n.decimal(following, lang) == i18n.decimal(least, lang)
    return "equal" if following <= least or seen_alike else i18n.ABSENT


def in_words(values: Values, lang: str, at: float, clock: moments.Clock | None) -> Values:
    """Returns the values with every moment in words."""
    return {
        name: moments.told(value, lang, at=at, clock=clock)
        if name.endswith("_at") and not isinstance(value, str)
        else value
        for name, value in values.items()
    }


def named(explanation: Explanation) -> Exclusion | None:
    """Returns the excluded node that one rule alone kept from the job; None where none is sure.

    The core checks that; an explanation of an older core names none.
    """
    name = explanation.values.get("could_node")
    return next((one for one in explanation.excluded if one.node == name), None)
