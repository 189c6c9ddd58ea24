"""Energy output: the state of a node's meters as sentences."""

from collections.abc import Iterator

from entraide import i18n
from entraide_node.energy.power_sampler import PowerStatus
from entraide_node.energy.site_meters import SiteStatus
from entraide_node.owner.files import NodeStatus


def energy_sentences(status: NodeStatus, lang: str) -> Iterator[str]:
    """Yields sentences on the readings of machine and site, and on meters without a value."""
    yield from _power_sentences(status.power, lang)
    yield from _site_sentences(status.site, status.surplus_w, lang)


def _power_sentences(power: PowerStatus, lang: str) -> Iterator[str]:
    meter, basis = meter_name(power.kind, lang), str(power.basis)
    if power.power_w is None:
        yield i18n.text("node-energy-power-unread", lang, **power_values(power, lang))
    else:
        yield i18n.text("node-energy-power", lang, meter=meter, basis=basis, power_w=power.power_w)
    if power.aside:
        yield i18n.text(
            "node-energy-aside",
            lang,
            meter=meter_name(power.aside, lang),
            fault=i18n.text(f"meter-fault-{power.fault}", lang),
        )


def _site_sentences(site: SiteStatus, surplus_w: float, lang: str) -> Iterator[str]:
    measured = site.surplus_w is not None
    if measured:
        yield i18n.text(
            "node-energy-surplus",
            lang,
            surplus_w=surplus_w,
            basis=str(site.basis),
            meter=", ".join(meter_name(kind, lang) for kind in site.kinds.split("+")),
            age=round(site.age_s),
        )
    elif surplus_w > 0.0:
        yield i18n.text("node-energy-declared", lang, surplus_w=surplus_w)
    if site.role:
        yield i18n.text(
            "node-energy-silent",
            lang,
            role=i18n.text(f"meter-role-{site.role}", lang),
            fault=i18n.text(f"meter-fault-{site.fault}", lang),
            left="measured" if measured else "declared" if surplus_w > 0.0 else "none",
        )


def power_values(power: PowerStatus, lang: str) -> dict[str, i18n.Value]:
    """Returns the machine's idle and full power and their source, for a sentence."""
    return {
        "idle_w": power.idle_w,
        "active_w": power.active_w,
        "basis": str(power.basis),
        "meter": meter_name(power.kind, lang),
    }


def meter_name(kind: str, lang: str) -> str:
    """Returns the name of a kind of meter."""
    plug = kind.removeprefix("plug_")
    if plug != kind:
        return i18n.text("meter-plug", lang, source=i18n.text(f"meter-{plug}", lang))
    return i18n.text(f"meter-{kind}", lang)
