"""Lenders: who wants letters about a co-op's machines, and what is wrong with these. Pure.

In: what the running scheduler finds, and the co-op of each machine by the pool's record. Out: for a
co-op, one finding for each of its own machines: nothing in it is about the machines of others.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct, structs

from entraide_scheduler.findings import Finding

READERS_MAX = 500
# Each has a sentence ``lender-CODE`` about one machine; its values in the sentence, besides the
# machine. A finding about many machines has values that sum them: a lender sees none of these.
SHOWN = {
    "node-waiting": (),
    "node-quarantined": (),
    "node-lost": (),
    "node-refused": ("model", "code"),
    "node-old": ("agent", "version"),
    "nodes-silent": (),
    "nodes-engine": (),
    "nodes-clock": (),
    "zones-none": (),
    "alarms-frequent": (),
}


class Reader(Struct, frozen=True):
    """A person who wants letters about the machines of the own co-op.

    Attributes:
        person: identifier.
        coop: co-op of the person.
        email: the address, which the person has confirmed.
        lang: language of the letters; "" for the pool's.
    """

    person: str
    coop: str
    email: str
    lang: str = ""


def split_by_coop(
    found: Iterable[Finding], coops: Mapping[str, str], wanted: Collection[str]
) -> dict[str, list[Finding]]:
    """Returns what is wrong with the machines of some co-ops, by co-op.

    Args:
        found: what is wrong with the pool.
        coops: the co-op of each machine, by the pool's record.
        wanted: the co-ops.
    """
    parts: dict[str, list[Finding]] = {coop: [] for coop in wanted}
    for each in found:
        if each.code not in SHOWN:
            continue
        for machine in each.machines:
            if (part := parts.get(coops.get(machine, ""))) is not None:
                part.append(_of_machine(each, machine))
    return parts


def _of_machine(each: Finding, machine: str) -> Finding:
    shown = {name: each.values[name] for name in SHOWN[each.code] if name in each.values}
    return structs.replace(each, values={"node": machine, **shown}, machines=(machine,))
