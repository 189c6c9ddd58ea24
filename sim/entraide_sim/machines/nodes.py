"""Nodes: the simulated machines and the sites that they share.

A ``NodeSpec`` holds a node's card and its true values where the card is wrong. ``Node`` and
``Site`` are their state during a run: the engine, its noise, and the grams of CO2e per joule at the
site, ``[max(0, P - S) * I_grid + min(P, S) * I_own] / P`` for power ``P`` and surplus ``S``.
"""

from collections.abc import Callable
from itertools import cycle
from math import inf
from typing import Any

import msgspec
from msgspec import Struct

from entraide.models import TransferRates
from entraide.types import Basis, NodeCard, Rates
from entraide_node.core.model_manager import UNLOAD_IDLE_S, ModelManager
from entraide_sim.grid import step_value
from entraide_sim.machines.battery import Battery, SiteSupply
from entraide_sim.machines.energy import (
    FLAT,
    J_PER_KWH,
    PowerCurve,
    decode_energy_j,
    prefill_energy_j,
)
from entraide_sim.machines.engine import Engine
from entraide_sim.machines.hardware import EngineParameters, Run
from entraide_sim.machines.prefix_cache import PrefixCache
from entraide_sim.machines.thermal import ThermalModel, allowed_power_part, speed_parts
from entraide_sim.workload import make_rng

NOISE_SAMPLES = 1_024  # random factors of a node, used cyclically


class NodeSpec(Struct, frozen=True, kw_only=True):
    """A machine: its card and its true values.

    Attributes:
        card: as sent to the pool; without ``model_specs`` it has exactly one replica.
        model_specs: one specification for each model that it serves or can load; empty for a
            machine with one fixed model.
        transfer_rates: of the weights of models that it loads.
        unload_idle_s: idle time after which its owner has a loaded model unloaded; 0 for never.
        rates: true speed; None for the card's.
        extra_w: true added power at full load, watts; None for the card's.
        power_cap_w: power cap of the whole machine, watts; ``rates`` and ``extra_w`` are without
            the cap.
        thermal: of a machine that throttles.
        curve: added power by batch fill.
        chunk_tokens: maximum number of prompt tokens prefilled in one step.
        alone_s: duration of a step with an empty batch, without its prompt tokens.
        steps_s: duration of a step without prefill by batch size, from 1 to the number of slots;
            empty to compute it from the rates.
        mixed_s: time that prefill adds to a step with a batch, beside its tokens.
        settle_s: time added to the first decode step after a step with prefill.
        batches_prefill: whether one step prefills several waiting prompts.
        pool_tokens: KV cache capacity, tokens; 0 for a full context in each slot.
        noise: standard deviation of the relative duration of each phase.
        prefix_tokens: capacity of its prefix cache, tokens; 0 for no cache.
        prefix_block_tokens: tokens of one prefix block of the workload.
        sleep_after_s: idle time before it sleeps, where its card has a wake time or energy.
        energy_basis: basis of its reported energy.
        slowdowns: (from, factor on all times), ascending, seconds since the epoch; of a machine
            with one model.
        energy_told: ratio of reported to used energy.
    """

    card: NodeCard
    rates: Rates | None = None
    extra_w: float | None = None
    power_cap_w: float = inf
    thermal: ThermalModel | None = None
    curve: PowerCurve = FLAT
    chunk_tokens: int = 512
    alone_s: float = 0.0
    steps_s: tuple[float, ...] = ()
    mixed_s: float = 0.0
    settle_s: float = 0.0
    batches_prefill: bool = False
    pool_tokens: int = 0
    noise: float = 0.0
    prefix_tokens: int = 0
    prefix_block_tokens: int = 512
    sleep_after_s: float = 0.0
    energy_basis: Basis = Basis.MEASURED
    slowdowns: tuple[tuple[float, float], ...] = ()
    energy_told: float = 1.0
    model_specs: tuple["NodeSpec", ...] = ()
    transfer_rates: TransferRates = TransferRates()
    unload_idle_s: float = UNLOAD_IDLE_S

    @property
    def first_model(self) -> "NodeSpec":
        """The specification for its first model, loaded or not."""
        return self.model_specs[0] if self.model_specs else self


class SiteSpec(Struct, frozen=True):
    """Own generation of a site minus its own use.

    Without a ``SiteSpec`` a site has no surplus, whatever its nodes' cards say.

    Attributes:
        coop, site: as on the cards of its nodes.
        surplus_w: (from, watts), ascending, seconds since the epoch; 0 before the first.
        own_g_per_kwh: direct emissions of its own generation.
        battery: charged by the surplus.
    """

    coop: str
    site: str
    surplus_w: tuple[tuple[float, float], ...]
    own_g_per_kwh: float = 0.0
    battery: Battery | None = None


class Site:
    """A location whose nodes share a surplus and a battery.

    Attributes:
        nodes: of the site.
        surplus_w: current surplus, watts.
        supply: its surplus and battery.
        g_per_j: current carbon intensity of the nodes' energy.
        battery_event_at: scheduled moment at which the battery is full or empty.
    """

    def __init__(
        self,
        spec: SiteSpec | None,
        *,
        at: float,
        schedule_battery_event: Callable[["Site", float], None],
    ) -> None:
        """Creates a site without nodes.

        Args:
            spec: its own generation and battery, or None.
            at: time now, seconds since the epoch.
            schedule_battery_event: schedules the moment at which the battery will be full or empty.
        """
        self.spec = spec
        self.nodes: list[Node] = []
        self.surplus_w = 0.0
        self.supply = SiteSupply(None if spec is None else spec.battery)
        self.grid_g_per_kwh = 0.0
        self.g_per_j = 0.0
        self.battery_event_at = inf
        self._schedule_battery_event = schedule_battery_event
        self._accounted_at = at

    @property
    def draw_w(self) -> float:
        """Power that running adds to its nodes now, watts."""
        draw_w = 0.0
        for node in self.nodes:
            draw_w += node.engine.draw_w
            for instance in node.other_instances:
                draw_w += instance.engine.draw_w
        return draw_w

    def account_energy(self, at: float) -> None:
        """Adds the nodes' energy up to now; call it before any change."""
        for node in self.nodes:
            node.engine.account_energy(at, self.g_per_j)
            for instance in node.other_instances:
                instance.engine.account_energy(at, self.g_per_j)
        if self.spec is not None and at > self._accounted_at:
            self.supply.advance(at - self._accounted_at)
            self._accounted_at = at

    def update_carbon_rate(self) -> None:
        """Recomputes the carbon intensity; call ``account_energy`` first.

        It is ``[max(0, P-S) * I_grid + min(P, S) * I_own] / P``. Battery discharge is part of
        ``S``, with the intensity of the own generation over the battery's efficiency.
        """
        self.g_per_j = self.grid_g_per_kwh / J_PER_KWH
        if self.spec is None:
            return
        draw_w, supply = self.draw_w, self.supply
        flows = supply.allocate_power(self.surplus_w, draw_w)
        own = self.spec.own_g_per_kwh
        if flows.grid_w < draw_w:
            stored = 0.0 if supply.battery is None else own / supply.battery.efficiency
            grams = flows.own_w * own + flows.battery_w * stored
            self.g_per_j = (grams + flows.grid_w * self.grid_g_per_kwh) / draw_w / J_PER_KWH
        elif not draw_w and (self.surplus_w > 0.0 or supply.discharge_limit_w > 0.0):
            self.g_per_j = own / J_PER_KWH
        turns_at = self._accounted_at + supply.time_to_limit_s()
        if turns_at < self.battery_event_at:
            self.battery_event_at = turns_at
            self._schedule_battery_event(self, turns_at)

    def update_surplus(self, at: float) -> float:
        """Sets the surplus of a moment; returns the moment of its next change."""
        steps = () if self.spec is None else self.spec.surplus_w
        self.surplus_w = step_value(steps, at)
        return next((begin for begin, _ in steps if begin > at), inf)


class Node:
    """A machine during a run.

    Attributes:
        spec, name, site: identity.
        served_spec: specification for the model that this instance serves.
        one_way_s: half of the round trip between pool and node, seconds.
        engine: of this instance.
        runs: current runs, by job.
        up: whether it runs; a crashed node sends no messages.
        reachable: whether its heartbeats arrive.
        heartbeat_delay_s: delay of its heartbeats.
        linked: whether any message passes; those of a machine without its link wait in ``unsent``.
        broken: whether its engine fails every run.
        accepting, reason: whether it accepts new runs, and the code of the reason if not.
        shares_surplus: whether it shares a site surplus with other nodes.
        phase_end_at: scheduled end of its engine's phase.
        progress_scheduled: whether the machine's next heartbeat with runs is scheduled.
        slot_s: slot-seconds used by runs.
        other_instances: instances of its other models: nodes with their own runs and engine that
            share the machine.
        host: the node that owns this instance; itself for the first model.
        sharing_instances: all instances of a machine with ``model_specs``; empty otherwise.
        models: the machine's model manager.
        models_scheduled: whether its next decision after an idle time is scheduled.
        restarts: number of crashes.
    """

    def __init__(self, spec: NodeSpec, site: Site, *, seed: int, number: int, at: float) -> None:
        if not spec.model_specs and len(spec.card.replicas) != 1:
            raise ValueError(f"node {spec.card.node} must serve exactly one replica")
        self.spec = spec
        self.card = spec.card
        self.name = spec.card.node
        self.site = site
        self.one_way_s = spec.card.rtt_s / 2.0
        self.restarts = 0
        self.other_instances = [
            Node(model_spec, site, seed=seed, number=number, at=at)
            for model_spec in spec.model_specs[1:]
        ]
        spec = spec.first_model
        self.replica = spec.card.replicas[0]
        self.served_spec = spec
        self.host = self
        self.sharing_instances: list[Node] = []
        if self.spec.model_specs:
            self.sharing_instances = self.model_instances()
            for instance in self.other_instances:
                instance.host, instance.sharing_instances = self, self.sharing_instances
        self.models_scheduled = False
        self.restart_models()
        hardware = make_hardware(spec, power_cap_w=spec.power_cap_w)
        self.engine = Engine(hardware, at=at, noise=_noise_source(spec.noise, seed, number))
        self.runs: dict[str, Run] = {}
        self.up = True
        self.reachable = True
        self.heartbeat_delay_s = 0.0
        self.linked = True
        self.unsent: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.broken = False
        self.accepting = True
        self.reason = ""
        self.shares_surplus = site.spec is not None
        self.phase_end_at = inf
        self.progress_scheduled = False
        self.slot_s = 0.0
        self.cache: PrefixCache | None = None
        if spec.prefix_tokens:
            self.cache = PrefixCache(
                capacity_tokens=spec.prefix_tokens, block_tokens=spec.prefix_block_tokens
            )

    @property
    def is_loaded(self) -> bool:
        """Whether this instance's model is served."""
        return self.models.is_ready(self.replica.model)

    def restart_models(self) -> None:
        """Gives the machine a new model manager, which serves its owner's models alone."""
        self.models = ModelManager()
        for replica in self.spec.card.replicas:
            self.models.add_fixed(replica.model)
        for instance in self.other_instances:
            instance.models = self.models

    def model_instances(self) -> list["Node"]:
        """Returns the instances of all its models, this one first."""
        return [self, *self.other_instances]

    def instance_of(self, model: str) -> "Node | None":
        """Returns the instance of a model, loaded or not; None if there is none."""
        return next(
            (instance for instance in self.model_instances() if instance.replica.model == model),
            None,
        )

    def copy_state(self) -> None:
        """Copies availability and slowdown to the instances of the other models."""
        for instance in self.other_instances:
            instance.up, instance.accepting, instance.reason = self.up, self.accepting, self.reason
            instance.engine.slowdown = self.engine.slowdown
            instance.broken = self.broken


def make_hardware(spec: NodeSpec, *, power_cap_w: float) -> EngineParameters:
    """Returns a machine's hardware under a power cap, watts."""
    power = spec.card.power
    extra_w = max(0.0, power.active_w - power.idle_w) if spec.extra_w is None else spec.extra_w
    part = allowed_power_part(power_cap_w, idle_w=power.idle_w, extra_w=extra_w)
    hardware, thermal_model = _scaled_hardware(spec, extra_w, part), spec.thermal
    if thermal_model is None:
        return hardware
    throttled = None
    if part * extra_w > thermal_model.sustained_w:
        throttled = _scaled_hardware(spec, extra_w, thermal_model.sustained_w / extra_w)
    return msgspec.structs.replace(hardware, thermal=thermal_model, throttled=throttled)


def _scaled_hardware(spec: NodeSpec, extra_w: float, part: float) -> EngineParameters:
    """Returns the hardware of a machine that may add ``part`` of its full power."""
    card = spec.card
    replica = card.replicas[0]
    free = spec.rates or replica.rates
    prompts, answers = speed_parts(part)
    rates = msgspec.structs.replace(
        free,
        prefill_tokens_per_s=free.prefill_tokens_per_s * prompts,
        tpot_base_s=free.tpot_base_s / answers,
        tpot_per_sequence_s=free.tpot_per_sequence_s / answers,
    )
    steps_s = (spec.alone_s * answers / prompts, *spec.steps_s) if spec.steps_s else ()
    return EngineParameters(
        rates=rates,
        slots=replica.slots,
        chunk_tokens=spec.chunk_tokens,
        pool_tokens=spec.pool_tokens or replica.slots * replica.context_tokens,
        prefill_j=prefill_energy_j(rates, extra_w, part=part),
        decode_j=decode_energy_j(rates, extra_w, slots=replica.slots, curve=spec.curve, part=part),
        wake_s=card.power.wake_s,
        wake_j=card.power.wake_j,
        sleep_after_s=spec.sleep_after_s,
        alone_s=spec.alone_s / prompts,
        steps_s=tuple(step_s / answers for step_s in steps_s),
        mixed_s=spec.mixed_s / prompts,
        settle_s=spec.settle_s / answers,
        batches_prefill=spec.batches_prefill,
    )


def _noise_source(spread: float, seed: int, number: int) -> Callable[[], float]:
    """Returns a source of normal factors with mean 1, at least 0.2."""
    if spread <= 0.0:
        return lambda: 1.0
    drawn = make_rng(seed, 2, number).normal(1.0, spread, NOISE_SAMPLES)
    factors = cycle([max(0.2, float(factor)) for factor in drawn])
    return lambda: next(factors)
