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

from entraide.types import DataClass, JobClass
from entraide_scheduler.core.policy import Lend, Quota

START = dt.datetime(2025, 1, 13, 5, tzinfo=dt.UTC)  # a Monday, midnight in Québec


class SolarSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Panels of a site.

    Attributes:
        peak_kw: rated power.
        latitude: degrees north.
        longitude: degrees east (negative in Canada).
        tilt_deg: from the horizontal; they face south.
        clearness: mean part of a clear sky's light that comes through the clouds.
    """

    peak_kw: float
    latitude: float
    longitude: float
    tilt_deg: float = 35.0
    clearness: float = 0.7


class BatterySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Battery of a site: it takes what the machines leave of the surplus, and gives to them later.

    Attributes:
        capacity_kwh: what it holds when it is full.
        power_kw: at most, in and out.
        efficiency: of the round trip.
        floor_part: of its capacity, which it keeps; it begins with so much.
    """

    capacity_kwh: float
    power_kw: float
    efficiency: float = 0.9
    floor_part: float = 0.2


class ScenarioSite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where machines stand.

    Attributes:
        name: identifier.
        zone: grid zone (``CA-QC``).
        intensity: CSV file with an hourly series of the zone; "" for a made-up profile about the
            zone's annual average. One file for all sites of a zone.
        column, lifecycle_column: its columns, gCO2e/kWh.
        forecast: CSV file with forecasts; "" for made-up ones.
        tariff_cad_per_kwh: what a kilowatt-hour costs there.
        solar, battery: own generation.
        surplus: CSV file (``utc``, ``surplus_w``) in the place of ``solar``.
        own_use_w: mean power that the place uses for itself before there is a surplus.
        rtt_s: round trip between pool and machines.
    """

    name: str
    zone: str
    intensity: str = ""
    column: str = "ci_direct_g_per_kwh"
    lifecycle_column: str = ""
    forecast: str = ""
    tariff_cad_per_kwh: float | None = None
    solar: SolarSpec | None = None
    battery: BatterySpec | None = None
    surplus: str = ""
    own_use_w: float = 400.0
    rtt_s: float = 0.03


class ScenarioCoop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member: name, shares, quotas, and what it lends, as in the policy.

    Attributes:
        count: several members alike, called ``NAME-001`` and so on; None for the one of that name.
    """

    name: str
    count: int | None = None
    shares: float = 1.0
    quotas: tuple[Quota, ...] = ()
    lend: Lend = Lend()


class ScenarioModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that machines serve.

    Attributes:
        name: public name.
        params_b: parameters, billions.
        active_params_b: those that a token passes through (mixtures); None for all.
        weights_gb: in memory; None for 4 bits a parameter, as the reference model (0.613 GB per
            billion).
        context_tokens: longest prompt plus answer.
        features: beyond text; ``prefix_cache`` where prompts are reused.
    """

    name: str
    params_b: float = 8.03
    active_params_b: float | None = None
    weights_gb: float | None = None
    context_tokens: int = 8_192
    features: tuple[str, ...] = ()


class OwnerSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When somebody sits at a machine, and what that means.

    Attributes:
        present: ``never``, ``office`` (working days, about 8:30 to 17 h), ``evenings`` (about 18 to
            22:30 h) or ``home`` (evenings, and the middle of the weekend's days).
        works_present: whether the machine works on while its owner is there.
        give_back_s: what runs then is given back after so long.
        present_cap_w: limit on the machine's power while somebody is there and it works on.
    """

    present: str = "never"
    works_present: bool = False
    give_back_s: float = 30.0
    present_cap_w: float | None = None


class NodeGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Equal machines at one site.

    Attributes:
        name: identifier; machines are called ``NAME-1`` and so on.
        device: of the catalogue.
        count: how many.
        coop: whose; with ``*`` in it, the co-ops whose names fit get them in turn.
        site, model: where, and what they serve.
        models: in the place of ``model``: all that they serve from the beginning; an empty list
            for none.
        loadable: what else they load when it is asked for.
        models_gb: memory for what they load; None for what is left beside what they serve.
        hours: local hours in which they may work (``mo-fr 18:00-08:00``); empty for always.
        owner: presence of the owner.
        dedicated: bought for the pool, so that their rest counts too (energy, dollars, grams).
        price_cad: of one; None for 0 where the machine is not dedicated, else the catalogue's.
        life_years: over which the price is spread.
        slots: sequences at once; None for the catalogue's.
        idle_w, active_w: measured power; None for the catalogue's.
        power_cap_w: limit that the owner sets on the machine's power; None for none.
        throttle_after_s, throttle_factor: after how long at full load, beginning cold, the machine
            is too warm, and the part of its speed that it keeps then (1: it never slows down);
            None for the catalogue's.
        data_classes: what the owner lets them process.
        wake_s, wake_j, sleep_after_s: time and energy to wake, and rest before sleep; 0 for a
            machine that stays on.
        noise: standard deviation of the relative time of each phase.
        energy_told: factor from the energy used to the energy reported (1 is honest).
    """

    name: str
    device: str
    count: int = 1
    coop: str
    site: str
    model: str = ""
    models: tuple[str, ...] | None = None
    loadable: tuple[str, ...] = ()
    models_gb: float | None = None
    hours: tuple[str, ...] = ()
    owner: OwnerSchedule = OwnerSchedule()
    dedicated: bool = False
    price_cad: float | None = None
    life_years: float = 5.0
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


class ClassObjective(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a class of jobs is promised; a key that is left out keeps the policy's."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    completion_s: float | None = None


class Workload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests of one kind: of a trace, or of generated clients.

    Attributes:
        name: identifier.
        model: which model they ask for; "" for the only one. Where machines load models, also a
            size (``petit``, ``moyen``, ``grand``, ``auto``).
        job_class: ``class`` in the file.
        objective: of that class.
        data_class, project, jurisdiction: as in a request.
        deadline_h: hours from arrival to the end of the last acceptable completion.
        coops: whose clients these are, each client of one of them (``*`` as above); empty for all.
        trace: CSV in Azure's columns, Mooncake's JSONL, or a recorded journal (``.journal``),
            whose requests come as they were recorded; "" for generated clients.
        keep: part of the trace that is kept.
        repeat_h: the trace begins again after so many hours; 0 for once.
        clients: how many are generated.
        requests_per_client_day: mean over the week.
        rhythm: ``steady``, ``office``, ``evenings``, ``home`` or ``nights``.
        arrivals: ``poisson``, ``gamma`` or ``weibull`` intervals.
        shape: of gamma and Weibull intervals; below 1 they come in bursts.
        input_tokens, output_tokens: quantiles 0, 10, 25, 50, 75, 90, 99 and 100 % (one number for
            a fixed length, two for the bounds of a uniform one).
        output_tokens_max: limit that clients set; None for the longest generated answer, or in a
            trace the true length.
        turns: mean requests of a conversation, whose prompts share their beginning; 1 for none.
        patience_s: after so long in line a client goes away; None when it never does.
        from_h, until_h: when they come; None for the whole scenario.
    """

    name: str
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
    """Something that happens to machines.

    Attributes:
        at_h: when.
        until_h: when it is over; None for never.
        zone, site, nodes: where (all that are given must fit); "" for everywhere.
        part: of those machines, by luck.
        spread_h: the machines come back one by one over so long.
        factor: of ``slow``.
        late_s: of ``late``: how long heartbeats take.
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
    """A restart of the scheduler: its own gateway's live jobs are over, all else goes on.

    Attributes:
        at_h: when it stops.
        down_s: after so long it is back; what it would have been told waits.
    """

    at_h: float
    down_s: float = 10.0


class FaultPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong.

    Attributes:
        vanish: machines stop at once, and nobody is told.
        slow: they take ``factor`` times as long.
        silent: their heartbeats are lost; they work on.
        pause: their owners take them back.
        late: their heartbeats take ``late_s``; they work on.
        broken: their engines fail every run.
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
    """Another fleet for the same demand: machines that are added to those of the scenario."""

    name: str
    title: dict[str, str] = {}
    nodes: tuple[NodeGroup, ...] = ()


class CountRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many machines of a group a plan may have."""

    nodes: str
    least: int = 0
    most: int


class PlanSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plan may change.

    Attributes:
        ranges: of the scenario's own machines; a group that is not named may have 0 up to its
            count.
        purchases: machines that could be bought, up to ``count`` of each.
    """

    ranges: tuple[CountRange, ...] = ()
    purchases: tuple[NodeGroup, ...] = ()


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of it.

    Attributes:
        name: identifier.
        title, about: in each language (``fr``, ``en``).
        start: a moment with its offset from UTC.
        hours: how long requests come.
        timezone: whose hours of the day are meant.
        seed: of all luck, unless the command says otherwise.
        heartbeat_s: how often the machines are heard; the policy's timing goes with it.
        sites, coops, models, nodes, workloads, faults, alternatives, plan: see there.
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

    def members(self, names: tuple[str, ...] = ("*",)) -> tuple[str, ...]:
        """Returns the co-ops whose names fit one of these, in the order of the scenario."""
        return tuple(
            coop.name
            for coop in self.coops
            if any(fnmatchcase(coop.name, pattern) for pattern in names)
        )

    @property
    def start_at(self) -> float:
        """When it begins, seconds since the epoch."""
        return self.start.timestamp()

    @property
    def fleet(self) -> tuple[NodeGroup, ...]:
        """Its machines, those of its first alternative included."""
        return self.nodes + (self.alternatives[0].nodes if self.alternatives else ())


def expand_coops(scenario: Scenario) -> Scenario:
    """Returns the scenario with each of several members alike as one of its own."""
    coops: list[ScenarioCoop] = []
    for coop in scenario.coops:
        if coop.count is None:
            coops.append(coop)
            continue
        coops += [
            msgspec.structs.replace(coop, name=f"{coop.name}-{number:03}", count=None)
            for number in range(1, coop.count + 1)
        ]
    return msgspec.structs.replace(scenario, coops=tuple(coops))
