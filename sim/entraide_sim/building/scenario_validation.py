"""Scenario validation: checks the values of a scenario before a simulation is built.

Each issue names its key by a path, the problem by a stable code, and the values of its error
message (``error-scenario_refused``).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from math import isfinite
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from entraide.form_faults import find_form_fault
from entraide.models import ALIASES
from entraide_node.core.owner_terms import parse_hours
from entraide_scheduler.core.policy import COOPS_MAX, AllowedRange, Policy, find_faults
from entraide_sim import catalogue
from entraide_sim.building.world_builder import make_policy
from entraide_sim.files import NUMBER_MAX
from entraide_sim.fleet import RHYTHM_WEIGHTS, fleet, owner_presence
from entraide_sim.grid import DAY_H, HOUR_S
from entraide_sim.money import Path, ScenarioIssue, Values, cost_validation
from entraide_sim.scenario import scenario as s
from entraide_sim.workload import REQUESTS_MAX, TOKENS_MAX
from entraide_sim.world import DELAY_S_MAX

NODES_MAX = 20_000
CLIENTS_MAX = 200_000
HOURS_MAX = 24.0 * 366.0
FAMILIES = ("poisson", "gamma", "weibull")
QUANTILES_ALLOWED = (1, 2, 8)
FAULT_KINDS = ("vanish", "slow", "silent", "pause", "late", "broken")

ABOVE_0 = AllowedRange(0, NUMBER_MAX, open_low=True)
FROM_0 = AllowedRange(0, NUMBER_MAX)
FROM_1 = AllowedRange(1, NUMBER_MAX)
FRACTION = AllowedRange(0, 1)
MOMENT_H = AllowedRange(0, HOURS_MAX)

RANGES: Mapping[type, Mapping[str, AllowedRange]] = MappingProxyType(
    {
        s.Scenario: {
            "hours": AllowedRange(0, HOURS_MAX, open_low=True),
            "seed": FROM_0,
            "heartbeat_s": AllowedRange(0.5, 600),
        },
        s.ScenarioSite: {
            "tariff_cad_per_kwh": FROM_0,
            "own_use_w": FROM_0,
            "rtt_s": FROM_0,
            "forecast_error": AllowedRange(0, 10),
        },
        s.SolarSpec: {
            "peak_kw": ABOVE_0,
            "latitude": AllowedRange(-66, 66),
            "longitude": AllowedRange(-180, 180),
            "tilt_deg": AllowedRange(0, 90),
            "clearness": AllowedRange(0, 1, open_low=True),
        },
        s.BatterySpec: {
            "capacity_kwh": ABOVE_0,
            "power_kw": ABOVE_0,
            "efficiency": AllowedRange(0, 1, open_low=True),
            "floor_part": AllowedRange(0, 1, open_high=True),
        },
        s.ScenarioCoop: {"shares": ABOVE_0, "count": AllowedRange(1, COOPS_MAX)},
        s.ScenarioModel: {
            "params_b": ABOVE_0,
            "active_params_b": ABOVE_0,
            "weights_gb": ABOVE_0,
            "context_tokens": FROM_1,
        },
        s.OwnerSchedule: {"give_back_s": FROM_0, "present_cap_w": ABOVE_0},
        s.NodeGroup: {
            "count": AllowedRange(0, NODES_MAX),
            **cost_validation.GROUP_COST_RANGES,
            "slots": AllowedRange(1, 1_024),
            "idle_w": FROM_0,
            "active_w": FROM_0,
            "power_cap_w": ABOVE_0,
            "models_gb": ABOVE_0,
            "unload_idle_s": FROM_0,
            "download_mb_per_s": ABOVE_0,
            "throttle_after_s": ABOVE_0,
            "throttle_factor": AllowedRange(0, 1, open_low=True),
            "wake_s": FROM_0,
            "wake_j": FROM_0,
            "sleep_after_s": FROM_0,
            "noise": AllowedRange(0, 1),
            "energy_told": FROM_0,
            "speed": AllowedRange(0.01, 100),
        },
        s.ClassObjective: {"ttft_s": ABOVE_0, "tpot_s": ABOVE_0, "completion_s": ABOVE_0},
        s.Workload: {
            "deadline_h": AllowedRange(0, HOURS_MAX, open_low=True),
            "keep": AllowedRange(0, 1, open_low=True),
            "repeat_h": MOMENT_H,
            "clients": AllowedRange(0, CLIENTS_MAX),
            "requests_per_client_day": ABOVE_0,
            "shape": ABOVE_0,
            "output_tokens_max": FROM_1,
            "turns": FROM_1,
            "patience_s": ABOVE_0,
            "from_h": MOMENT_H,
            "until_h": MOMENT_H,
        },
        s.FaultSpec: {
            "at_h": MOMENT_H,
            "until_h": MOMENT_H,
            "part": FRACTION,
            "spread_h": MOMENT_H,
            "factor": ABOVE_0,
            "late_s": AllowedRange(0, DELAY_S_MAX, open_low=True),
        },
        s.RestartSpec: {"at_h": MOMENT_H, "down_s": AllowedRange(0, DELAY_S_MAX)},
        s.CountRange: {"least": FROM_0, "most": AllowedRange(0, NODES_MAX)},
        **cost_validation.COST_RANGES,
    }
)


def find_issues(scenario: s.Scenario) -> Iterator[ScenarioIssue]:
    """Yields the invalid values of a scenario, in order of the keys."""
    yield from _check_numbers(scenario, ())
    yield from _check_required(scenario)
    yield from _check_names(scenario)
    yield from _check_sites(scenario)
    for path, group in _node_groups(scenario):
        yield from _check_group(scenario, group, path)
    for number, workload in enumerate(scenario.workloads):
        yield from _check_workload(scenario, workload, ("workloads", number))
    yield from _check_request_count(scenario)
    yield from _check_fault_specs(scenario)
    for number, bounds in enumerate(scenario.plan.ranges):
        yield from _check_known(
            bounds.nodes, [n.name for n in scenario.fleet], ("plan", "ranges", number, "nodes")
        )
    yield from cost_validation.find_offer_issues(scenario.money)
    yield from _check_policy(scenario)


def _check_numbers(struct: Any, path: Path) -> Iterator[ScenarioIssue]:
    ranges = RANGES.get(type(struct), {})
    for name in struct.__struct_fields__:
        value, here = getattr(struct, name), (*path, name)
        allowed = ranges.get(name)
        if isinstance(value, Struct):
            yield from _check_numbers(value, here)
        elif isinstance(value, tuple):
            for number, item in enumerate(value):
                if isinstance(item, Struct):
                    yield from _check_numbers(item, (*here, number))
        elif allowed is not None and value is not None and not allowed.holds(value):
            shown = value if isfinite(value) else str(value)
            bounds: Values = {"value": shown, "low": allowed.low, "high": allowed.high}
            yield ScenarioIssue(here, _fault_code(allowed, value), bounds)


def _fault_code(allowed: AllowedRange, value: float) -> str:
    """Returns the code of a number outside a range; a general limit is told only beyond it."""
    if not any(allowed is general for general in (ABOVE_0, FROM_0, FROM_1)):
        return allowed.fault(value)
    if value > NUMBER_MAX:
        return "most"
    return AllowedRange(allowed.low, open_low=allowed.open_low).fault(value)


def _check_required(scenario: s.Scenario) -> Iterator[ScenarioIssue]:
    for name in ("sites", "coops", "models", "nodes", "workloads"):
        held = scenario.fleet if name == "nodes" else getattr(scenario, name)
        if not held:
            yield ScenarioIssue((name,), "none_at_all", {"what": name})
    if scenario.start.tzinfo is None:
        yield ScenarioIssue(("start",), "no_offset", {"value": scenario.start.isoformat()})
    try:
        ZoneInfo(scenario.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield ScenarioIssue(("timezone",), "no_timezone", {"value": scenario.timezone})
    total = sum(group.count for group in scenario.fleet)
    if total > NODES_MAX:
        yield ScenarioIssue(("nodes",), "too_many", {"value": total, "high": NODES_MAX})


def _check_names(scenario: s.Scenario) -> Iterator[ScenarioIssue]:
    for kind in ("sites", "coops", "models", "workloads", "alternatives"):
        yield from _find_duplicates(
            kind, [s.identifier_of(entry) for entry in getattr(scenario, kind)]
        )
    for alternative in scenario.alternatives or (s.FleetAlternative(name=""),):
        yield from _find_duplicates(
            "nodes", [group.name for group in scenario.nodes + alternative.nodes]
        )


def _find_duplicates(kind: str, names: list[str]) -> Iterator[ScenarioIssue]:
    earlier: set[str] = set()
    for number, name in enumerate(names):
        if not name:
            yield ScenarioIssue((kind, number, "name"), "empty")
        elif name in earlier:
            yield ScenarioIssue((kind, number, "name"), "twice", {"value": name})
        earlier.add(name)


def _check_sites(scenario: s.Scenario) -> Iterator[ScenarioIssue]:
    series: dict[str, s.ScenarioSite] = {}
    for number, site in enumerate(scenario.sites):
        path = ("sites", number)
        if not site.intensity and site.zone not in catalogue.zone_averages():
            zones = ", ".join(catalogue.zone_averages())
            yield ScenarioIssue((*path, "zone"), "no_series", {"value": site.zone, "known": zones})
        other = series.setdefault(site.zone, site)
        if (site.intensity, site.column) != (other.intensity, other.column):
            values: Values = {"value": site.zone, "other": other.name}
            yield ScenarioIssue((*path, "intensity"), "two_series", values)
        if site.solar is not None and site.surplus:
            yield ScenarioIssue((*path, "surplus"), "two_surpluses", {"value": site.name})
        yield from cost_validation.find_tariff_issues(site, path)
        if site.battery is not None and site.solar is None and not site.surplus:
            yield ScenarioIssue((*path, "battery"), "nothing_to_store", {"value": site.name})


def _node_groups(scenario: s.Scenario) -> Iterator[tuple[Path, s.NodeGroup]]:
    for number, group in enumerate(scenario.nodes):
        yield ("nodes", number), group
    for index, alternative in enumerate(scenario.alternatives):
        for number, group in enumerate(alternative.nodes):
            yield ("alternatives", index, "nodes", number), group
    for number, group in enumerate(scenario.plan.purchases):
        yield ("plan", "purchases", number), group


def _check_known(name: str, names: Iterable[str], path: Path) -> Iterator[ScenarioIssue]:
    known = list(names)
    if name not in known:
        yield ScenarioIssue(path, "unknown_name", {"value": name, "known": ", ".join(known)})


def _check_member(scenario: s.Scenario, name: str, path: Path) -> Iterator[ScenarioIssue]:
    if not scenario.members((name,)):
        yield from _check_known(name, [coop.coop for coop in scenario.coops], path)


def _check_group(scenario: s.Scenario, group: s.NodeGroup, path: Path) -> Iterator[ScenarioIssue]:
    yield from _check_member(scenario, group.coop, (*path, "coop"))
    yield from _check_known(group.site, [site.name for site in scenario.sites], (*path, "site"))
    models = [model.name for model in scenario.models]
    if group.model:
        yield from _check_known(group.model, models, (*path, "model"))
    for key, names in (("models", group.models or ()), ("loadable", group.loadable)):
        for number, name in enumerate(names):
            yield from _check_known(name, models, (*path, key, number))
    if group.models == () and not group.loadable:
        yield ScenarioIssue((*path, "loadable"), "missing_key")
    for number, text in enumerate(group.hours):
        if parse_hours(text) is None:
            yield ScenarioIssue((*path, "hours", number), "no_hours", {"value": text})
    yield from _check_known(
        group.owner.present, owner_presence.PATTERNS, (*path, "owner", "present")
    )
    yield from _check_known(group.device, catalogue.devices(), (*path, "device"))
    if group.device not in catalogue.devices() or not scenario.models:
        return
    if {group.model or models[0], *(group.models or ()), *group.loadable} <= {*models}:
        yield from _check_memory(scenario, group, path)
    yield from _check_power_limits(group, path)
    yield from cost_validation.find_group_issues(group, path)


def _check_power_limits(group: s.NodeGroup, path: Path) -> Iterator[ScenarioIssue]:
    device, owner = catalogue.devices()[group.device], group.owner
    idle_w = device.idle_w if group.idle_w is None else group.idle_w
    active_w = device.active_w if group.active_w is None else group.active_w
    if active_w < idle_w and group.active_w is not None:
        yield ScenarioIssue((*path, "active_w"), "least", {"value": active_w, "low": idle_w})
    elif active_w < idle_w:
        yield ScenarioIssue((*path, "idle_w"), "most", {"value": idle_w, "high": active_w})
    caps: tuple[tuple[Path, float | None], ...] = (
        ((*path, "power_cap_w"), group.power_cap_w),
        ((*path, "owner", "present_cap_w"), owner.present_cap_w),
    )
    for here, cap_w in caps:
        if cap_w is not None and cap_w <= idle_w:
            yield ScenarioIssue(here, "after", {"value": cap_w, "low": idle_w, "other": "idle_w"})
    if owner.present_cap_w is not None and not (owner.works_present and owner.present != "never"):
        yield ScenarioIssue((*path, "owner", "present_cap_w"), "never_holds")
    after_s, factor = fleet.throttle_limits(device, group)
    if factor < 1.0 and after_s <= 0.0:
        yield ScenarioIssue((*path, "throttle_after_s"), "missing_key")
    if group.throttle_after_s is not None and factor >= 1.0 and group.throttle_factor is None:
        yield ScenarioIssue((*path, "throttle_factor"), "missing_key")


def _check_memory(scenario: s.Scenario, group: s.NodeGroup, path: Path) -> Iterator[ScenarioIssue]:
    device = catalogue.devices()[group.device]
    for model in fleet.group_models(scenario, group):
        size = fleet.model_footprint(model)
        if catalogue.kv_capacity_tokens(device, size) < 512:
            values: Values = {
                "value": model.name,
                "device": device.name,
                "needs_gb": size.weights_gb,
                "has_gb": device.usable_gb,
            }
            yield ScenarioIssue((*path, "device"), "does_not_fit", values)


def _check_workload(
    scenario: s.Scenario, workload: s.Workload, path: Path
) -> Iterator[ScenarioIssue]:
    if workload.model:
        names = [model.name for model in scenario.models]
        if any(group.loadable for group in scenario.fleet):
            names += ALIASES
        yield from _check_known(workload.model, names, (*path, "model"))
    for number, coop in enumerate(workload.coops):
        yield from _check_member(scenario, coop, (*path, "coops", number))
    yield from _check_known(workload.rhythm, RHYTHM_WEIGHTS, (*path, "rhythm"))
    yield from _check_known(workload.arrivals, FAMILIES, (*path, "arrivals"))
    if bool(workload.trace) == bool(workload.clients):
        yield ScenarioIssue((*path, "clients"), "trace_or_clients", {"value": workload.name})
    for key in ("input_tokens", "output_tokens"):
        lengths = getattr(workload, key)
        rising = all(lower <= upper for lower, upper in pairwise(lengths))
        sound = rising and all(1 <= length <= TOKENS_MAX for length in lengths)
        if len(lengths) not in QUANTILES_ALLOWED or not sound:
            values: Values = {"value": str(list(lengths)), "high": TOKENS_MAX}
            yield ScenarioIssue((*path, key), "no_lengths", values)
    if workload.from_h >= scenario.hours:
        bounds: Values = {"value": workload.from_h, "low": 0, "high": scenario.hours}
        yield ScenarioIssue((*path, "from_h"), "between_not_high", bounds)
    if workload.until_h is not None and workload.until_h <= workload.from_h:
        bounds = {"value": workload.until_h, "low": workload.from_h, "other": "from_h"}
        yield ScenarioIssue((*path, "until_h"), "after", bounds)


def _check_request_count(scenario: s.Scenario) -> Iterator[ScenarioIssue]:
    """Bounds the expected number of generated requests of all workloads."""
    expected = 0.0
    for number, workload in enumerate(scenario.workloads):
        end_h = min(scenario.hours, workload.until_h or scenario.hours)
        per_h = workload.clients * workload.requests_per_client_day / DAY_H
        expected += per_h * (end_h - workload.from_h)
        if expected > REQUESTS_MAX:
            values: Values = {"value": expected, "high": REQUESTS_MAX}
            path = ("workloads", number, "requests_per_client_day")
            yield ScenarioIssue(path, "too_many_requests", values)
            return


def _check_fault_specs(scenario: s.Scenario) -> Iterator[ScenarioIssue]:
    yield from _check_restarts(scenario.faults.restart)
    zones = sorted({site.zone for site in scenario.sites})
    for kind in FAULT_KINDS:
        for number, mishap in enumerate(getattr(scenario.faults, kind)):
            path = ("faults", kind, number)
            if mishap.zone and not any(zone.startswith(mishap.zone) for zone in zones):
                yield from _check_known(mishap.zone, zones, (*path, "zone"))
            if mishap.site:
                sites = [site.name for site in scenario.sites]
                yield from _check_known(mishap.site, sites, (*path, "site"))
            if mishap.nodes:
                groups = [group.name for group in scenario.fleet]
                yield from _check_known(mishap.nodes, groups, (*path, "nodes"))
            if mishap.until_h is not None and mishap.until_h <= mishap.at_h:
                values: Values = {"value": mishap.until_h, "low": mishap.at_h, "other": "at_h"}
                yield ScenarioIssue((*path, "until_h"), "after", values)
            if kind == "late" and mishap.late_s is None:
                yield ScenarioIssue((*path, "late_s"), "missing_key")


def _check_restarts(restarts: tuple[s.RestartSpec, ...]) -> Iterator[ScenarioIssue]:
    back_h = -1.0
    for number, restart in sorted(enumerate(restarts), key=lambda numbered: numbered[1].at_h):
        if restart.at_h <= back_h:
            values: Values = {"value": restart.at_h, "low": back_h}
            yield ScenarioIssue(("faults", "restart", number, "at_h"), "still_down", values)
        back_h = restart.at_h + restart.down_s / HOUR_S


def _check_policy(scenario: s.Scenario) -> Iterator[ScenarioIssue]:
    try:
        policy = make_policy(scenario)
    except msgspec.ValidationError as problem:
        form_fault = find_form_fault(problem, scenario.policy, Policy)
        yield ScenarioIssue(("policy", *form_fault.path), form_fault.fault, form_fault.values)
        return
    for fault in find_faults(policy):
        yield ScenarioIssue(("policy", *fault.key.split(".")), fault.fault, fault.values)
