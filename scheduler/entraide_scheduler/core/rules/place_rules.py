"""Rules on the places that a request's text passes beside the machines: the pool's own servers.

A server is checked like a machine, by its zone and by who controls it. Where one of these is
unknown, a request that names a jurisdiction or a control is refused, since nobody can promise it;
the policy's defaults then bind the machines only.

Input: a request's facts, before and after the policy's defaults. Output: a stable code and the
values of its sentence, or nothing.
"""

from typing import NamedTuple

from entraide.types import UNKNOWN, Control, RequestFacts, ServerPlace
from entraide_scheduler.core.rules.offer_rules import has_control, is_in_jurisdiction
from entraide_scheduler.core.rules.rule import Values

PLACE_UNKNOWN, PLACE_OUTSIDE = "place_unknown", "place_outside"


class PlaceWish(NamedTuple):
    """What a request names of the places that it passes, and these places."""

    jurisdiction: str
    controlled_by: Control
    places: tuple[ServerPlace, ...]


Wish = RequestFacts | PlaceWish


def find_place_fault(asked: Wish, facts: Wish) -> tuple[str, Values] | None:
    """Returns why a request must not pass a server: a code and its values; None if it may.

    Args:
        asked: the request as it came; a field that it does not name is empty.
        facts: the same with the policy's defaults.
    """
    for number, place in enumerate(facts.places):
        fault = _zone_fault(asked, facts, place) or _control_fault(asked, facts, place)
        if fault is not None:
            return fault[0], {"server": "further" if number else "pool", **fault[1]}
    return None


def _zone_fault(asked: Wish, facts: Wish, place: ServerPlace) -> tuple[str, Values] | None:
    values: Values = {"param": "jurisdiction", "jurisdiction": facts.jurisdiction}
    if place.zone == UNKNOWN:
        return (PLACE_UNKNOWN, values) if asked.jurisdiction else None
    if not facts.jurisdiction or is_in_jurisdiction(place.zone, facts.jurisdiction):
        return None
    return PLACE_OUTSIDE, {**values, "zone": place.zone}


def _control_fault(asked: Wish, facts: Wish, place: ServerPlace) -> tuple[str, Values] | None:
    values: Values = {"param": "controlled_by", "asked_control": facts.controlled_by.value}
    if place.controlled_by == UNKNOWN:
        return (PLACE_UNKNOWN, values) if asked.controlled_by else None
    if has_control(Control(place.controlled_by), facts.controlled_by):
        return None
    return PLACE_OUTSIDE, {**values, "controlled_by": place.controlled_by}
