"""Scenario: the keys of a scenario file with their units and defaults.

A scenario describes sites, machines, co-ops, models, demand, policy and faults in TOML.
``scenario_validation`` checks the values. Moments are hours from ``start`` (``_h``); hours of the
day are local to ``timezone``.
"""

import datetime as dt
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from msgspec import Struct, field

from entraide.shared_fields import make_copier
from entraide.types import DataClass, JobClass
from entraide_node.core.model_manager import UNLOAD_IDLE_S
from entraide_scheduler.core.policy import CoopTerms
from entraide_sim.scenario.money_settings import MoneySettings, TariffPeriod

START = dt.datetime(2025, 1, 13, 5, tzinfo=dt.UTC)  # a Monday, midnight in Québec

Title = str | dict[str, str]  # what people call a part: one text, or a text by language


class SolarSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Solar panels of a site.

    Attributes:
        peak_kw: rated power.
        latitude: degrees north.
        longitude: degrees east (negative in Canada).
        tilt_deg: from the horizontal; panels face south.
        clearness: mean part of clear-sky irradiance that passes the clouds.
    """

    peak_kw: float
    latitude: float
    longitude: float
    tilt_deg: float = 35.0
    clearness: float = 0.7


class BatterySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Battery of a site, charged by the surplus that the machines leave.

    Attributes:
        capacity_kwh: energy when full.
        power_kw: maximum charge and discharge power.
        efficiency: of the round trip.
        floor_part: minimum charge as a part of the capacity, and the initial one.
    """

    capacity_kwh: float
    power_kw: float
    efficiency: float = 0.9
    floor_part: float = 0.2


class ScenarioSite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A location of machines.

    Attributes:
        name: identifier.
        zone: grid zone (``CA-QC``).
        intensity: CSV file with an hourly series of the zone; "" for a synthetic series around the
            zone's annual average. One file for all sites of a zone.
        column, lifecycle_column: its columns, gCO2e/kWh.
        forecast: CSV file with forecasts; "" for synthetic ones.
        tariff_cad_per_kwh: electricity price, where no period of ``tariffs`` applies.
        tariffs: prices of some hours and seasons; the first that applies counts.
        solar, battery: own generation and storage.
        surplus: CSV file (``utc``, ``surplus_w``) instead of ``solar``.
        own_use_w: mean power of the site without its machines, subtracted from its generation.
        rtt_s: round-trip time between pool and machines.
        forecast_error: factor on the errors of the forecasts; 0 for perfect ones. The zone's first
            site decides.
        title: shown in reports instead of the name.
    """

    name: str
    title: Title = ""
    zone: str
    intensity: str = ""
    column: str = "ci_direct_g_per_kwh"
    lifecycle_column: str = ""
    forecast: str = ""
    tariff_cad_per_kwh: float | None = None
    tariffs: tuple[TariffPeriod, ...] = ()
    solar: SolarSpec | None = None
    battery: BatterySpec | None = None
    surplus: str = ""
    own_use_w: float = 400.0
    rtt_s: float = 0.03
    forecast_error: float = 1.0


class ScenarioCoop(CoopTerms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member co-op: a name, and the terms that a policy has for a co-op, whatever they are.

    Attributes:
        coop: ``name`` in the file.
        name: ``shown_name`` in the file: the policy's name for people; ``title`` goes before it.
        title: shown in reports instead of the name; with ``count``, a number follows it.
        count: number of identical members, named ``NAME-001`` and so on; None for one member.
    """

    coop: str = field(name="name")
    name: str = field(default="", name="shown_name")
    title: Title = ""
    count: int | None = None

    @property
    def terms(self) -> CoopTerms:
        """Its terms as the policy has them."""
        return _terms_of(self)


class ScenarioModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that machines can serve.

    Attributes:
        name: public name.
        title: shown in reports instead of the name.
        params_b: parameters, billions.
        active_params_b: active parameters per token (mixture of experts); None for all.
        weights_gb: in memory; None for 4 bits per parameter, as the reference model (0.613 GB per
            billion).
        context_tokens: maximum prompt plus answer.
        features: beyond text; ``prefix_cache`` for an engine that reuses prompts.
    """

    name: str
    title: Title = ""
    params_b: float = 8.03
    active_params_b: float | None = None
    weights_gb: float | None = None
    context_tokens: int = 8_192
    features: tuple[str, ...] = ()


class OwnerSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an owner uses a machine, and the consequences.

    Attributes:
        present: ``never``, ``office`` (working days, about 8:30 to 17 h), ``evenings`` (about 18 to
            22:30 h) or ``home`` (evenings, and the middle of the weekend's days).
        works_present: whether the machine serves the pool while its owner is present.
        give_back_s: delay after which its runs end when the owner arrives.
        present_cap_w: power cap while the owner is present and the machine serves the pool.
    """

    present: str = "never"
    works_present: bool = False
    give_back_s: float = 30.0
    present_cap_w: float | None = None


class NodeGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Identical machines at one site.

    Attributes:
        name: identifier; machines are named ``NAME-1`` and so on.
        title: shown in reports instead of the device and the site.
        device: of the catalogue.
        count: number of machines.
        coop: owner; with ``*``, the matching co-ops own the machines in turn.
        site, model: site, and the model that they serve.
        models: instead of ``model``: all models served initially; an empty list for none.
        loadable: further models that they can load on demand.
        models_gb: memory for loadable models; None for the memory that served models leave.
        unload_idle_s: idle time after which the owner has a loaded model unloaded; 0 for never.
        download_mb_per_s: rate at which the weights of loadable models are fetched; None if the
            weights are on the machines' disks.
        hours: local hours in which they serve the pool (``mo-fr 18:00-08:00``); empty for always.
        owner: presence of the owner.
        dedicated: bought for the pool, so that idle energy, cost and emissions count too.
        owned: whether it is paid for, so that its price does not count in a decision; None for
            not dedicated. The reader sets it for ``plan.purchases`` and alternatives.
        price_cad: of one machine; None for the catalogue's price.
        life_years: over which the price is annualised.
        resale_cad: of one machine, at the end of its life.
        maintenance_cad_per_year: of one machine, because of the pool.
        embodied_kg: emissions of one machine's manufacture, kgCO2e; None if unknown.
        on_anyway: whether it would be on without the pool: ``always``, ``present`` (while its
            owner is there) or ``never``; idle energy of other hours counts. "" for ``never`` if
            dedicated, else ``always``.
        slots: maximum batch size; None for the catalogue's.
        idle_w, active_w: measured power; None for the catalogue's.
        power_cap_w: the owner's power cap; None for none.
        throttle_after_s, throttle_factor: time at full load until throttling, starting cold, and
            the part of the speed that remains (1: never throttles); None for the catalogue's.
        data_classes: that the owner accepts.
        wake_s, wake_j, sleep_after_s: time and energy to wake, and idle time before sleep; 0 for a
            machine that stays on.
        noise: standard deviation of the relative duration of each phase.
        energy_told: ratio of reported to used energy.
        speed: true speed over the catalogue's, for prompts and answers alike, at the same power.
    """

    name: str
    title: Title = ""
    device: str
    count: int = 1
    coop: str
    site: str
    model: str = ""
    models: tuple[str, ...] | None = None
    loadable: tuple[str, ...] = ()
    models_gb: float | None = None
    unload_idle_s: float = UNLOAD_IDLE_S
    download_mb_per_s: float | None = None
    hours: tuple[str, ...] = ()
    owner: OwnerSchedule = OwnerSchedule()
    dedicated: bool = False
    owned: bool | None = None
    price_cad: float | None = None
    life_years: float = 5.0
    resale_cad: float = 0.0
    maintenance_cad_per_year: float = 0.0
    embodied_kg: float | None = None
    on_anyway: str = ""
    slots: int | None = None
    idle_w: float | None = None
    active_w: float | None = None
    power_cap_w: float | None = None
    throttle_after_s: float | None = None
    throttle_factor: float | None = None
    data_classes: tuple[DataClass, ...] = tuple(DataClass)
    wake_s: float = 0.0
    wake_j: float = 0.0
    sleep_after_s: float = 0.0
    noise: float = 0.05
    energy_told: float = 1.0
    speed: float = 1.0


class ClassObjective(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Service-level objectives of a job class; an omitted key keeps the policy's."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    completion_s: float | None = None


class Workload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests of one kind: of a trace, or of generated clients.

    Attributes:
        name: identifier.
        title: shown in reports instead of the name.
        model: requested model; "" for the first one. If machines can load models, also a size
            (``petit``, ``moyen``, ``grand``, ``auto``).
        job_class: ``class`` in the file.
        objective: of that class.
        data_class, project, jurisdiction: as in a request.
        deadline_h: hours from arrival to the deadline.
        coops: co-ops of the clients, one co-op per client (``*`` as above); empty for all.
        trace: CSV with Azure's columns, Mooncake's JSONL, or a recorded journal (``.journal``);
            "" for generated clients.
        keep: part of the trace to keep.
        repeat_h: period after which the trace repeats, hours; 0 for no repetition.
        clients: number of generated clients.
        requests_per_client_day: mean over the week.
        rhythm: ``steady``, ``office``, ``evenings``, ``home`` or ``nights``.
        arrivals: ``poisson``, ``gamma`` or ``weibull`` intervals.
        shape: of gamma and Weibull intervals; below 1 arrivals are bursty.
        input_tokens, output_tokens: quantiles 0, 10, 25, 50, 75, 90, 99 and 100 % (one number for
            a fixed length, two for the bounds of a uniform one).
        output_tokens_max: limit set by clients; None for the longest generated answer, or the true
            length in a trace.
        turns: mean number of requests per conversation, with a shared prompt prefix; 1 for none.
        patience_s: time in the queue after which a client cancels; None for never.
        from_h, until_h: period of the requests; None for the end of the scenario.
    """

    name: str
    title: Title = ""
    model: str = ""
    job_class: JobClass = field(name="class", default=JobClass.INTERACTIVE)
    objective: ClassObjective = ClassObjective()
    data_class: DataClass = DataClass.INTERNAL
    project: str = "main"
    jurisdiction: str = "CA"
    deadline_h: float | None = None
    coops: tuple[str, ...] = ()
    trace: str = ""
    keep: float = 1.0
    repeat_h: float = 0.0
    clients: int = 0
    requests_per_client_day: float = 20.0
    rhythm: str = "office"
    arrivals: str = "poisson"
    shape: float = 1.0
    input_tokens: tuple[float, ...] = (10.0, 40.0, 90.0, 200.0, 500.0, 1_200.0, 3_000.0, 4_000.0)
    output_tokens: tuple[float, ...] = (5.0, 30.0, 70.0, 150.0, 300.0, 500.0, 900.0, 1_000.0)
    output_tokens_max: int | None = None
    turns: float = 1.0
    patience_s: float | None = None
    from_h: float = 0.0
    until_h: float | None = None


class FaultSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault of some machines.

    Attributes:
        at_h: begin.
        until_h: end; None for never.
        zone, site, nodes: affected machines (all given keys must match); "" for all.
        part: random part of those machines.
        spread_h: period over which the machines recover one by one.
        factor: of ``slow``.
        late_s: of ``late``: delay of heartbeats.
    """

    at_h: float
    until_h: float | None = None
    zone: str = ""
    site: str = ""
    nodes: str = ""
    part: float = 1.0
    spread_h: float = 0.0
    factor: float = 1.0
    late_s: float | None = None


class RestartSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A restart of the scheduler: live jobs of its gateway end, everything else continues.

    Attributes:
        at_h: moment of the stop.
        down_s: duration; events are queued meanwhile.
    """

    at_h: float
    down_s: float = 10.0


class FaultPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults to inject.

    Attributes:
        vanish: machines crash without a message.
        slow: steps take ``factor`` times as long.
        silent: heartbeats are lost; machines continue to run.
        pause: owners take their machines back.
        late: heartbeats take ``late_s``; machines continue to run.
        broken: engines fail every run.
        restart: of the scheduler.
    """

    vanish: tuple[FaultSpec, ...] = ()
    slow: tuple[FaultSpec, ...] = ()
    silent: tuple[FaultSpec, ...] = ()
    pause: tuple[FaultSpec, ...] = ()
    late: tuple[FaultSpec, ...] = ()
    broken: tuple[FaultSpec, ...] = ()
    restart: tuple[RestartSpec, ...] = ()


class FleetAlternative(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An alternative fleet: machines added to those of the scenario, with the same demand."""

    name: str
    title: dict[str, str] = {}
    nodes: tuple[NodeGroup, ...] = ()


class CountRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Range of a node group's count in a plan."""

    nodes: str
    least: int = 0
    most: int


class PlanSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plan may change.

    Attributes:
        ranges: of the scenario's own groups; an omitted group ranges from 0 to its count.
        purchases: groups of machines to buy, up to ``count`` each.
    """

    ranges: tuple[CountRange, ...] = ()
    purchases: tuple[NodeGroup, ...] = ()


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario.

    Attributes:
        name: identifier.
        title, about: by language (``fr``, ``en``).
        start: a moment with its offset from UTC.
        hours: period during which requests arrive.
        timezone: of all hours of the day.
        seed: of all random draws, unless the command sets another.
        heartbeat_s: heartbeat interval; the policy's timing is scaled with it.
        sites, coops, models, nodes, workloads, faults, alternatives, plan, money: see their types.
        policy: keys of the policy, without ``version`` and ``coops``.
    """

    name: str
    title: dict[str, str] = {}
    about: dict[str, str] = {}
    start: dt.datetime = START
    hours: float = 24.0
    timezone: str = "America/Toronto"
    seed: int = 1
    heartbeat_s: float = 30.0
    sites: tuple[ScenarioSite, ...] = ()
    coops: tuple[ScenarioCoop, ...] = ()
    models: tuple[ScenarioModel, ...] = ()
    nodes: tuple[NodeGroup, ...] = ()
    workloads: tuple[Workload, ...] = ()
    policy: dict[str, Any] = {}
    faults: FaultPlan = FaultPlan()
    alternatives: tuple[FleetAlternative, ...] = ()
    plan: PlanSettings = PlanSettings()
    money: MoneySettings = MoneySettings()

    def members(self, names: tuple[str, ...] = ("*",)) -> tuple[str, ...]:
        """Returns the co-ops whose names match one of the patterns, in the scenario's order."""
        return tuple(
            coop.coop
            for coop in self.coops
            if any(fnmatchcase(coop.coop, pattern) for pattern in names)
        )

    @property
    def start_at(self) -> float:
        """Start, seconds since the epoch."""
        return self.start.timestamp()

    @property
    def fleet(self) -> tuple[NodeGroup, ...]:
        """Its machines, those of its first alternative included."""
        return self.nodes + (self.alternatives[0].nodes if self.alternatives else ())


_terms_of = make_copier(ScenarioCoop, CoopTerms)


def identifier_of(part: Any) -> str:
    """Returns what a scenario's file calls ``name`` in any of its parts."""
    identifier: str = part.coop if isinstance(part, ScenarioCoop) else part.name
    return identifier


def expand_coops(scenario: Scenario) -> Scenario:
    """Returns the scenario with each ``count`` of co-ops expanded to single co-ops."""
    coops: list[ScenarioCoop] = []
    for coop in scenario.coops:
        if coop.count is None:
            coops.append(coop)
            continue
        coops += [
            msgspec.structs.replace(
                coop,
                coop=f"{coop.coop}-{number:03}",
                name=f"{coop.name} {number}" if coop.name else "",
                title=_number_title(coop.title, number),
                count=None,
            )
            for number in range(1, coop.count + 1)
        ]
    return msgspec.structs.replace(scenario, coops=tuple(coops))


def _number_title(title: Title, number: int) -> Title:
    if isinstance(title, str):
        return f"{title} {number}" if title else ""
    return {lang: f"{text} {number}" for lang, text in title.items()}
