"""Results: the stored form of a simulation run.

A ``RunResult`` holds everything that a report, a comparison or a plan needs: summary, hours by
zone, shares by co-op, latency quantiles by class, fleet, and each assumption with its basis. It is
frozen, and its JSON form is lossless.
"""

from importlib import metadata
from typing import Any

from msgspec import Struct

LABEL_SEPARATOR = " · "  # between the parts of a label
SOURCE_SEPARATOR = " | "  # between the sources of one figure
PERCENTILES = 101  # quantiles kept of a latency: 0, 0.01, ..., 1


class Assumption(Struct, frozen=True):
    """An assumption of the result.

    Attributes:
        code: message code without its prefix ``sim-assumption-``.
        basis: ``measured``, ``estimated``, ``declared`` or ``default``.
        values: numbers and names in the sentence of the code.
        source: sources of the figure, separated by ``SOURCE_SEPARATOR``; "" where the sentence
            names them.
    """

    code: str
    basis: str
    values: dict[str, str | int | float] = {}
    source: str = ""


class ZoneHours(Struct, frozen=True):
    """Hourly columns of one zone, all of the same length.

    A job counts, with all its energy, in the hour of its last placement.

    Attributes:
        zone: grid zone.
        intensity_g_per_kwh: actual direct intensity of the grid.
        jobs: number of jobs placed on nodes of this zone.
        output_tokens: output tokens of those jobs.
        energy_wh, carbon_g: energy and emissions of those jobs, and counted idle energy.
        utilisation: part of the zone's slots that runs used.
    """

    zone: str
    intensity_g_per_kwh: tuple[float, ...]
    jobs: tuple[int, ...]
    output_tokens: tuple[int, ...]
    energy_wh: tuple[float, ...]
    carbon_g: tuple[float, ...]
    utilisation: tuple[float, ...] = ()


class CoopShare(Struct, frozen=True):
    """Service that one co-op requested, received and gave during the run.

    Attributes:
        coop: identifier.
        jobs, rejected: number of requests, and of refused requests.
        received_tokens: virtual tokens served to it, as the policy charges them.
        due_tokens: its weighted max-min share of all service, limited by its requests; equal to
            ``received_tokens`` when every request was served.
        weight: voted shares.
        given_tokens: virtual tokens that its own nodes served to others.
        weight_basis: ``declared`` where the scenario sets the shares.
    """

    coop: str
    jobs: int
    rejected: int
    received_tokens: float
    due_tokens: float
    weight: float
    given_tokens: float
    weight_basis: str = "declared"


class ClassLatency(Struct, frozen=True):
    """Client-side latencies of one class, of completed jobs, seconds.

    Attributes:
        job_class: name of the class.
        objective_ttft_s, objective_tpot_s, objective_e2e_s: objectives; None without an objective.
        jobs: number of completed jobs.
        ttft_s, tpot_s, e2e_s: quantiles at 0, 0.01, ..., 1; empty without values.
    """

    job_class: str
    objective_ttft_s: float | None
    objective_tpot_s: float | None
    objective_e2e_s: float | None
    jobs: int
    ttft_s: tuple[float, ...]
    tpot_s: tuple[float, ...]
    e2e_s: tuple[float, ...]


class GroupUsage(Struct, frozen=True):
    """Use of one node group.

    Attributes:
        device: identifier in the catalogue.
        name: display name of the device.
        zone, coop: zone and co-op of the machines.
        count: number of machines.
        price_cad: price of one machine; 0 if it is owned already, None if unknown.
        life_years: years over which the price is annualised; None without a price.
        power_max_w: maximum power of one machine.
        jobs, output_tokens, energy_wh: sums over the runs, with counted idle energy.
        group: name of the ``[[nodes]]`` entry.
        owned: whether the machines are already owned.
    """

    device: str
    name: str
    zone: str
    coop: str
    count: int
    price_cad: float | None
    life_years: float | None
    power_max_w: float | None
    jobs: int = 0
    output_tokens: int = 0
    energy_wh: float = 0.0
    group: str = ""
    owned: bool = True


class SiteEnergy(Struct, frozen=True):
    """Energy balance of a site with own generation, Wh, over the whole run.

    ``surplus + grid = used + lost + away + held at the end - held at the start``; the machines used
    ``own + battery + grid``.

    Attributes:
        site: name of the site.
        zone: zone of the site.
        surplus_wh: own generation minus the site's own use.
        own_wh: surplus used by the machines directly.
        battery_wh, grid_wh: energy of the machines from the battery, and from the grid.
        lost_wh: battery losses.
        away_wh: unused surplus.
        held_wh: change of the battery's charge from start to end.
        stores: whether the site has a battery.
    """

    site: str
    zone: str
    surplus_wh: float
    own_wh: float
    battery_wh: float
    grid_wh: float
    lost_wh: float
    away_wh: float
    held_wh: float
    stores: bool


class FaultImpact(Struct, frozen=True):
    """A fault, and the metrics of the requests that arrived while it lasted.

    Attributes:
        kind: ``vanish``, ``slow``, ``silent``, ``pause``, ``late`` or ``restart``.
        at, until: seconds since the epoch; ``until`` is None for a fault without end.
        machines: number of affected machines.
        jobs, completed: requests while it lasted, and how many of them completed.
        kept_part: part of their objectives that were met; None without objectives.
        ttft_s_p95: 95th percentile of the TTFT of completed jobs of classes with a TTFT objective.
    """

    kind: str
    at: float
    until: float | None
    machines: int
    jobs: int
    completed: int
    kept_part: float | None
    ttft_s_p95: float | None


class OfferCost(Struct, frozen=True):
    """What an offer would cost for the same use.

    Attributes:
        name: of the offer.
        as_of: day of its price, ``YYYY-MM-DD``.
        source: where the price stands.
        cad_per_year: for the same tokens, or for all people; None if the number of people is
            unknown.
        payback_years: time after which the machines to buy have paid for themselves against this
            offer (``money.payback_years``); None if they never do.
        shipped: whether the price is one that Entraide ships, not the scenario's.
    """

    name: str
    as_of: str
    source: str
    cad_per_year: float | None
    payback_years: float | None
    shipped: bool = False


class Money(Struct, frozen=True, kw_only=True):
    """What one fleet costs, Canadian dollars a year unless said otherwise.

    Energy and tokens of the run are extrapolated to a year of 8,766 hours.

    Attributes:
        purchase_price_cad: price of all machines to buy, dollars.
        capital_cad: annualised cost of the machines to buy.
        sunk_capital_cad: the same of machines that are already owned, by what they cost as new; it
            is shown and not counted.
        maintenance_cad: of all machines.
        energy_cad: energy that running added and counted idle energy.
        idle_energy_cad: the idle part of ``energy_cad``.
        total_cad: capital, maintenance and energy.
        people: whom the pool serves; None if unknown.
        total_cad_per_person: None if the number of people is unknown.
        discount_rate: as a fraction.
        input_tokens_per_year, output_tokens_per_year: of completed jobs.
        cloud: offers by token.
        subscriptions: offers by person.
    """

    purchase_price_cad: float
    capital_cad: float
    sunk_capital_cad: float
    maintenance_cad: float
    energy_cad: float
    idle_energy_cad: float
    total_cad: float
    people: int | None
    total_cad_per_person: float | None
    discount_rate: float
    input_tokens_per_year: float
    output_tokens_per_year: float
    cloud: tuple[OfferCost, ...] = ()
    subscriptions: tuple[OfferCost, ...] = ()


class Footprint(Struct, frozen=True, kw_only=True):
    """Energy and emissions of a run beyond what running added.

    Attributes:
        idle_wh, idle_carbon_g: idle energy that counts because the pool keeps the machines on, and
            its direct emissions; both are part of the summary's energy and emissions.
        uncounted_idle_wh: idle energy of machines that would be on anyway.
        carbon_lifecycle_g: life-cycle emissions of the counted energy and, for machines to buy
            whose ``embodied_kg`` is known, of their manufacture.
        embodied_g: the part of ``carbon_lifecycle_g`` from manufacture.
        embodied_unknown: machines to buy whose manufacture is left out.
    """

    idle_wh: float
    idle_carbon_g: float
    uncounted_idle_wh: float
    carbon_lifecycle_g: float
    embodied_g: float
    embodied_unknown: int


class RunResult(Struct, frozen=True, kw_only=True):
    """One run of one scenario.

    Attributes:
        scenario: name of the scenario.
        title, about: by language; empty if the scenario has none.
        names: titles of the label's parts, by language.
        titles: titles of the scenario's parts (``display_names.scenario_titles``).
        label: name of the run in a comparison; "" for a single run.
        policy, picker: version and picker of the policy.
        seed: seed of all random draws.
        version: version of Entraide.
        start_at: start of the first hour, seconds since the epoch (UTC).
        hours: number of hours of the columns, until the last job ended.
        demand_at: start of the period in which requests arrive, seconds since the epoch.
        demand_h: length of that period, hours; 0 if unknown (then it is that of the columns).
        timezone: time zone for hours of the day in a report.
        summary: contents of ``summary.json``.
        zones, coops, latencies, fleet, assumptions: see their types.
        sites: sites with own generation.
        mishaps: faults, in the order of the scenario.
        money: yearly cost; None for results without machines of a scenario.
        footprint: idle energy and life-cycle emissions; None likewise.
        command: command line that reproduces the run.
    """

    scenario: str
    title: dict[str, str] = {}
    about: dict[str, str] = {}
    names: dict[str, dict[str, str]] = {}
    titles: dict[str, dict[str, dict[str, str]]] = {}
    label: str = ""
    policy: str
    picker: str
    seed: int
    version: str
    start_at: float
    hours: int
    demand_at: float = 0.0
    demand_h: float = 0.0
    timezone: str = "America/Toronto"
    summary: dict[str, Any]
    zones: tuple[ZoneHours, ...] = ()
    coops: tuple[CoopShare, ...] = ()
    latencies: tuple[ClassLatency, ...] = ()
    fleet: tuple[GroupUsage, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    sites: tuple[SiteEnergy, ...] = ()
    mishaps: tuple[FaultImpact, ...] = ()
    money: Money | None = None
    footprint: Footprint | None = None
    command: str = ""


def version() -> str:
    """Returns the version of Entraide that makes results."""
    return metadata.version("entraide")
