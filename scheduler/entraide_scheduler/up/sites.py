"""The demo pool's sites: three co-ops, as the catalogue of what ``entraide up`` starts.

The co-ops are invented. The Ontario site declares a solar surplus; nothing measures it.
"""

from msgspec import Struct


class Site(Struct, frozen=True):
    """Where a demo node stands.

    Attributes:
        coop: its member.
        coop_name: as a person would say it.
        name: the site.
        zone: grid zone.
        surplus_w: declared own surplus, watts.
        evidence: what the declaration rests on.
    """

    coop: str
    coop_name: str
    name: str
    zone: str
    surplus_w: float
    evidence: str


SITES = (
    Site("boreale", "Coop Boréale", "Montréal", "CA-QC", 0.0, ""),
    Site("grands-lacs", "Coop des Grands Lacs", "Ottawa", "CA-ON", 400.0, "demo declaration"),
    Site("prairie", "Prairie Co-op", "Edmonton", "CA-AB", 0.0, ""),
)


def site_of(number: int) -> Site:
    """Returns the site of the node with this number, from 1; more nodes go round the three."""
    return SITES[(number - 1) % len(SITES)]
