"""Fleet: builds node specifications from a scenario's node groups, and lists their assumptions.

A card's speed, power and memory come from the catalogue, the model's size and the values that the
scenario overrides.
"""

from math import inf

import msgspec
from msgspec import Struct

from entraide.resuming import RESUME
from entraide.types import Basis, Control, NodeCard, Power, Rates, Replica, Sandbox, SurplusEvidence
from entraide_node.core.owner_terms import OwnerTerms, PresencePolicy, WeeklyHours, parse_hours
from entraide_sim import catalogue
from entraide_sim.catalogue import Device, ModelFootprint
from entraide_sim.fleet import model_layout
from entraide_sim.fleet.client_generator import BLOCK_TOKENS
from entraide_sim.machines import (
    FLAT,
    SERVER,
    NodeSpec,
    ThermalModel,
    allowed_power_part,
    fit_thermal_model,
    speed_parts,
    thermal,
)
from entraide_sim.scenario import (
    SOURCE_SEPARATOR,
    Assumption,
    NodeGroup,
    Scenario,
    ScenarioModel,
    ScenarioSite,
)

PREFIX_CACHE_PART = 0.25  # of the KV memory, for engines with a prefix cache


class Machine(Struct, frozen=True):
    """One machine of a scenario: its node specification, and its ``[[nodes]]`` entry."""

    spec: NodeSpec
    group: NodeGroup
    site: ScenarioSite
    device: Device
    terms: OwnerTerms


def model_footprint(model: ScenarioModel) -> ModelFootprint:
    """Returns a model's parameters, weights and KV memory per token."""
    gb_per_b = catalogue.REFERENCE_WEIGHTS_GB / catalogue.REFERENCE_PARAMS_B
    weights_gb = model.params_b * gb_per_b if model.weights_gb is None else model.weights_gb
    active_b = model.params_b if model.active_params_b is None else model.active_params_b
    return ModelFootprint(
        params_b=active_b,
        weights_gb=weights_gb,
        read_gb=weights_gb * active_b / model.params_b,
        kv_mb_per_token=catalogue.KV_MB_PER_TOKEN * model.params_b / catalogue.REFERENCE_PARAMS_B,
    )


def group_models(scenario: Scenario, group: NodeGroup) -> list[ScenarioModel]:
    """Returns the models that a group serves or can load."""
    served, loadable = model_layout.split_models(scenario, group)
    return [*served, *loadable]


def idle_power_w(group: NodeGroup) -> float:
    """Returns the idle power of one machine, watts."""
    return catalogue.devices()[group.device].idle_w if group.idle_w is None else group.idle_w


def build_machines(scenario: Scenario) -> list[Machine]:
    """Returns all machines, by group and number."""
    sites = {site.name: site for site in scenario.sites}
    machines: list[Machine] = []
    last_turns: dict[str, int] = {}  # by co-op pattern; machines are dealt to the co-ops in turn
    for group in scenario.fleet:
        terms = owner_terms(group)
        owners = scenario.members((group.coop,))
        for number in range(1, group.count + 1):
            turn = last_turns[group.coop] = last_turns.get(group.coop, -1) + 1
            owned_group = msgspec.structs.replace(group, coop=owners[turn % len(owners)])
            device = catalogue.devices()[group.device]
            spec = _make_machine(scenario, owned_group, sites[group.site], f"{group.name}-{number}")
            machines.append(Machine(spec, group, sites[group.site], device, terms))
    return machines


def owner_terms(group: NodeGroup) -> OwnerTerms:
    """Returns an owner's terms as the node agent's core represents them."""
    hours: list[WeeklyHours] = []
    for text in group.hours:
        week_hours = parse_hours(text)
        assert week_hours is not None, text
        hours.append(week_hours)
    owner = group.owner
    return OwnerTerms(
        hours=tuple(hours),
        present=PresencePolicy.ALL if owner.works_present else PresencePolicy.NOTHING,
        idle_min=0.0,  # the scenario sets presence, not keyboard activity
        give_back_s=owner.give_back_s,
        settle_s=0.0,
    )


def _make_machine(scenario: Scenario, group: NodeGroup, site: ScenarioSite, name: str) -> NodeSpec:
    served, loadable = model_layout.split_models(scenario, group)
    return model_layout.combine_models(
        lambda model: _make_spec(model, group, site, name),
        group,
        served=served,
        loadable=loadable,
        device=catalogue.devices()[group.device],
        footprint_of=model_footprint,
    )


def _make_spec(model: ScenarioModel, group: NodeGroup, site: ScenarioSite, name: str) -> NodeSpec:
    device = catalogue.devices()[group.device]
    footprint = model_footprint(model)
    slots = device.slots if group.slots is None else group.slots
    kv_tokens = min(catalogue.kv_capacity_tokens(device, footprint), slots * model.context_tokens)
    idle_w = idle_power_w(group)
    active_w = device.active_w if group.active_w is None else group.active_w
    measured = group.idle_w is not None and group.active_w is not None
    cap_w = inf if group.power_cap_w is None else group.power_cap_w
    rates = catalogue.estimate_rates(device, footprint, speed=group.speed)
    replica = Replica(
        model=model.name,
        revision=f"scenario:{model.name}",
        engine="sim/1",
        context_tokens=min(model.context_tokens, kv_tokens),
        slots=slots,
        features=tuple(sorted({*model.features, RESUME})),
        rates=capped_rates(
            rates, allowed_power_part(cap_w, idle_w=idle_w, extra_w=active_w - idle_w)
        ),
    )
    return NodeSpec(
        card=NodeCard(
            node=name,
            coop=group.coop,
            site=site.name,
            zone=site.zone,
            power=Power(
                device.device_id,
                idle_w,
                max(idle_w, min(active_w, cap_w)),
                Basis.DECLARED if measured else Basis.ESTIMATED,
                group.wake_j,
                group.wake_s,
            ),
            replicas=(replica,),
            data_classes=group.data_classes,
            energy=None,
            rtt_s=site.rtt_s,
            agent="sim",
            controlled_by=Control.MEMBER,  # the co-ops of a scenario are the pool's members
            sandbox=Sandbox.LANDLOCK,  # a scenario has no engines that would be excluded
            surplus_evidence=SurplusEvidence.METER,  # and their sites' surplus is metered
        ),
        rates=rates,
        extra_w=max(0.0, active_w - idle_w),
        power_cap_w=cap_w,
        thermal=_thermal_model(device, group, extra_w=active_w - idle_w),
        curve=SERVER if device.curve == "server" else FLAT,
        pool_tokens=kv_tokens,
        noise=group.noise,
        prefix_tokens=int(kv_tokens * PREFIX_CACHE_PART) if "prefix_cache" in model.features else 0,
        prefix_block_tokens=BLOCK_TOKENS,
        sleep_after_s=group.sleep_after_s or inf,
        energy_told=group.energy_told,
    )


def capped_rates(rates: Rates, power_part: float) -> Rates:
    """Returns a machine's rates at a part of the power that running adds."""
    prefill_part, decode_part = speed_parts(power_part)
    if power_part == 1.0:
        return rates
    return msgspec.structs.replace(
        rates,
        prefill_tokens_per_s=rates.prefill_tokens_per_s * prefill_part,
        tpot_base_s=rates.tpot_base_s / decode_part,
        tpot_per_sequence_s=rates.tpot_per_sequence_s / decode_part,
        basis=Basis.ESTIMATED,
    )


def throttle_limits(device: Device, group: NodeGroup) -> tuple[float, float]:
    """Returns the time at full load until throttling, and the speed factor while throttled."""
    after_s, factor = group.throttle_after_s, group.throttle_factor
    return (
        device.throttle_after_s if after_s is None else after_s,
        device.throttle_factor if factor is None else factor,
    )


def _thermal_model(device: Device, group: NodeGroup, *, extra_w: float) -> ThermalModel | None:
    after_s, factor = throttle_limits(device, group)
    if factor >= 1.0 or extra_w <= 0.0:
        return None
    return fit_thermal_model(extra_w, after_s=after_s, factor=factor)


def fleet_assumptions(scenario: Scenario) -> list[Assumption]:
    """Returns the assumptions about the machines."""
    assumptions = []
    listed: set[tuple[str, str, float]] = set()
    for group in scenario.fleet:
        device = catalogue.devices()[group.device]
        for model in group_models(scenario, group):
            if (group.device, model.name, group.speed) not in listed:
                listed.add((group.device, model.name, group.speed))
                assumptions.append(_speed_assumption(device, model, group.speed))
                assumptions.append(_power_assumption(device, group))
        assumptions += _limit_assumptions(device, group)
    assumptions += model_layout.load_assumptions(scenario)
    if any(group.hours or group.owner.present != "never" for group in scenario.fleet):
        assumptions.append(Assumption("presence", "default"))
    return assumptions


def _speed_assumption(device: Device, model: ScenarioModel, speed: float) -> Assumption:
    rates = catalogue.estimate_rates(device, model_footprint(model), speed=speed)
    values: dict[str, str | int | float] = {
        "device": device.name,
        "model": model.name,
        "prefill": rates.prefill_tokens_per_s,
        "decode": 1.0 / (rates.tpot_base_s + rates.tpot_per_sequence_s),
    }
    return Assumption("speed", rates.basis.value, values, cite_sources(device, "decode"))


def _power_assumption(device: Device, group: NodeGroup) -> Assumption:
    if group.idle_w is not None and group.active_w is not None:
        declared: dict[str, str | int | float] = {
            "device": device.name,
            "idle_w": group.idle_w,
            "active_w": group.active_w,
        }
        return Assumption("power", "declared", declared)
    values: dict[str, str | int | float] = {
        "device": device.name,
        "idle_w": device.idle_w,
        "active_w": device.active_w,
    }
    is_measured = all(device.sources[figure] not in {"ASM", "DER"} for figure in ("idle", "active"))
    basis = "measured" if is_measured else "estimated"
    return Assumption("power", basis, values, cite_sources(device, "active"))


def _limit_assumptions(device: Device, group: NodeGroup) -> list[Assumption]:
    """Returns the assumptions about throttling and power caps of a group."""
    assumptions = []
    after_s, factor = throttle_limits(device, group)
    if factor < 1.0:
        values: dict[str, str | int | float] = {
            "machines": group.name,
            "minutes": round(after_s / 60.0, 1),
            "percent": round(factor * 100),
        }
        declared = group.throttle_factor is not None
        cited = "" if declared else cite_sources(device, "throttle")
        assumptions.append(
            Assumption("throttle", "declared" if declared else "estimated", values, cited)
        )
    caps = (("power_cap", group.power_cap_w), ("power_cap_present", group.owner.present_cap_w))
    for code, cap_w in caps:
        if cap_w is not None:
            values = {"machines": group.name, "cap_w": cap_w}
            assumptions.append(Assumption(code, "declared", values, thermal.SOURCE))
    return assumptions


def cite_sources(device: Device, figure: str) -> str:
    """Returns the sources of a figure of the catalogue."""
    codes = device.sources[figure].split(":")
    return SOURCE_SEPARATOR.join(catalogue.source_texts()[code] for code in codes)
