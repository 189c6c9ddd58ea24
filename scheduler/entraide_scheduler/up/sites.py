"""Sites of the demo pool: three invented co-ops.

The Ontario site declares a solar surplus that is not measured, and all that is vouched for it is
invented, as whoever shows it says (``SurplusEvidence.INVENTED``).
"""

from msgspec import Struct


class Site(Struct, frozen=True):
    """Site of a demo node.

    Attributes:
        coop: identifier of the co-op.
        coop_name: name of the co-op, for people.
        name: name of the site.
        zone: grid zone.
        surplus_w: declared renewable surplus, watts.
        document: name of what its declaration rests on; "" without a surplus.
    """

    coop: str
    coop_name: str
    name: str
    zone: str
    surplus_w: float
    document: str


SITES = (
    Site("boreale", "Coop Boréale", "Montréal", "CA-QC", 0.0, ""),
    Site("grands-lacs", "Coop des Grands Lacs", "Ottawa", "CA-ON", 400.0, "entraide up"),
    Site("prairie", "Prairie Co-op", "Edmonton", "CA-AB", 0.0, ""),
)


def site_of(number: int) -> Site:
    """Returns the site of the node with this number, from 1; the sites repeat after three."""
    return SITES[(number - 1) % len(SITES)]
