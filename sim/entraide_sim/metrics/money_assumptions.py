"""Money assumptions: every input of a run's money and idle energy, with its basis and source."""

from collections.abc import Iterator, Mapping

from entraide_sim import catalogue
from entraide_sim.building import WorldParts
from entraide_sim.fleet import fleet
from entraide_sim.money import ALWAYS, TARIFF_CAD_PER_KWH, IdleTime, idle_energy, money
from entraide_sim.scenario import Assumption, MoneySettings, NodeGroup, Scenario, ScenarioSite

Values = dict[str, str | int | float]


def list_assumptions(parts: WorldParts, idle: Mapping[str, IdleTime]) -> list[Assumption]:
    """Returns the assumptions about money, idle energy and life-cycle emissions of a run.

    Args:
        parts: parts of the simulation.
        idle: idle time by node.
    """
    scenario = parts.scenario
    return [
        *(stated for site in scenario.sites for stated in _tariffs(site)),
        *(stated for group in scenario.fleet if group.count for stated in _group_costs(group)),
        *_idle(parts, idle),
        *_settings(scenario),
        *_lifecycle(parts),
    ]


def _tariffs(site: ScenarioSite) -> Iterator[Assumption]:
    for period in site.tariffs:
        values: Values = {
            "site": site.name,
            "tariff_cad": period.cad_per_kwh,
            "hours": ", ".join(period.hours) or "all",
            "season": period.season or "all",
        }
        yield Assumption("tariff_period", "declared", values)
    declared = site.tariff_cad_per_kwh
    values = {
        "site": site.name,
        "tariff_cad": TARIFF_CAD_PER_KWH if declared is None else declared,
    }
    yield Assumption("tariff", "default" if declared is None else "declared", values)


def _group_costs(group: NodeGroup) -> Iterator[Assumption]:
    known, price = catalogue.devices().get(group.device), money.price_cad(group)
    device = known.name if known is not None else group.device  # of a replayed journal
    owned = money.is_owned(group)
    if price is None:
        yield Assumption("sunk_unknown", "default", {"machines": group.name})
    else:
        values: Values = {
            "device": device, "price_cad": price, "life_years": group.life_years,
        }  # fmt: skip
        declared = group.price_cad is not None
        source = "" if declared or known is None else fleet.cite_sources(known, "price")
        code = "sunk" if owned else "price"
        yield Assumption(code, "declared" if declared else "estimated", values, source)
    if price is not None and not owned:
        values = {"device": device, "resale_cad": group.resale_cad}
        yield Assumption("resale", _basis(group.resale_cad), values)
    if not owned or group.maintenance_cad_per_year:
        values = {"machines": group.name, "maintenance_cad": group.maintenance_cad_per_year}
        yield Assumption("maintenance", _basis(group.maintenance_cad_per_year), values)
    if not owned and group.embodied_kg is None:
        yield Assumption("embodied_left_out", "default", {"machines": group.name})
    elif not owned:
        yield Assumption(
            "embodied",
            "declared",
            {"machines": group.name, "embodied_kg": group.embodied_kg or 0.0},
        )


def _basis(value: float) -> str:
    """Returns the basis of a figure whose default is 0."""
    return "declared" if value else "default"


def _idle(parts: WorldParts, idle: Mapping[str, IdleTime]) -> Iterator[Assumption]:
    for group in parts.scenario.fleet:
        times = [
            idle[machine.spec.card.node]
            for machine in parts.machines
            if machine.group.name == group.name
        ]
        if not times:
            continue
        mode = idle_energy.on_anyway(group)
        basis = "declared" if group.on_anyway else "default"
        counted_wh = sum(time.counted_wh for time in times)
        uncounted_wh = sum(time.uncounted_wh for time in times)
        if mode != ALWAYS:
            values: Values = {"machines": group.name, "mode": mode, "counted_wh": counted_wh}
            yield Assumption("idle_counted", basis, values)
        if uncounted_wh:
            values = {"machines": group.name, "mode": mode, "uncounted_wh": uncounted_wh}
            yield Assumption("idle_uncounted", basis, values)


def _settings(scenario: Scenario) -> Iterator[Assumption]:
    settings = scenario.money
    if any(not money.is_owned(group) for group in scenario.fleet):
        basis = "default" if settings.discount_rate is None else "declared"
        percent = round(money.discount_rate(settings) * 100.0, 2)
        yield Assumption("discount_rate", basis, {"percent": percent})
    if settings.people is None:
        yield Assumption("people_unknown", "default")
    else:
        yield Assumption("people", "declared", {"people": settings.people})
    yield from _offers(settings)
    yield Assumption("exchange_rate", "default", {"cad_per_usd": catalogue.CAD_PER_USD})
    yield Assumption("year", "default", {"hours": scenario.hours})


def _offers(settings: MoneySettings) -> Iterator[Assumption]:
    for offer in money.cloud_offers(settings):
        values: Values = {
            "offer": offer.name,
            "as_of": offer.as_of.isoformat(),
            "input_cad": offer.cad_per_1m_input_tokens,
            "output_cad": offer.cad_per_1m_output_tokens,
        }
        basis = "default" if settings.cloud is None else "declared"
        yield Assumption("cloud_offer", basis, values, offer.source)
    for plan in money.subscription_offers(settings):
        values = {
            "offer": plan.name,
            "as_of": plan.as_of.isoformat(),
            "person_month_cad": plan.cad_per_person_month,
        }
        basis = "default" if settings.subscriptions is None else "declared"
        yield Assumption("subscription_offer", basis, values, plan.source)


def _lifecycle(parts: WorldParts) -> Iterator[Assumption]:
    for zone in sorted({machine.site.zone for machine in parts.machines}):
        if not parts.grid.has_lifecycle(zone):
            yield Assumption("lifecycle_missing", "default", {"zone": zone})
