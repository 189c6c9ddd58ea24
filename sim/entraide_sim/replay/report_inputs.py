"""Report inputs: a recorded run as a report's sites, machines, grid and assumptions.

Each machine becomes a group of its own, not dedicated. An hour has the last intensity that the
journal reported for its zone in that hour.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide import i18n
from entraide_node.core.owner_terms import OwnerTerms
from entraide_scheduler.core.policy import Policy
from entraide_sim import catalogue
from entraide_sim.building import WorldParts
from entraide_sim.catalogue import Device
from entraide_sim.fleet import DRAIN_H, Machine
from entraide_sim.grid import HOUR_S, Grid, IntensitySeries
from entraide_sim.machines import NodeSpec
from entraide_sim.metrics import build_result
from entraide_sim.recordings import ExactReplay, RecordedHistory
from entraide_sim.replay import replay_text
from entraide_sim.replay.policy_comparison import (
    PolicyComparison,
    ReplayedJournal,
    SimulatedRun,
)
from entraide_sim.report import REPLAY, ReportContext, write_report
from entraide_sim.scenario import (
    Assumption,
    NodeGroup,
    RunResult,
    Scenario,
    ScenarioCoop,
    ScenarioModel,
    ScenarioSite,
)

TITLE = {"fr": "Journal rejoué", "en": "Replayed journal"}
SCENARIO_NAME = "journal"
HOURS_MIN = 1.0 / 60.0


class ReportInputs(Struct, frozen=True):
    """Inputs of a report that both simulated runs share."""

    scenario: Scenario
    machines: list[Machine]
    assumptions: list[Assumption]


def build_grid(history: RecordedHistory, exact: ExactReplay) -> Grid:
    """Returns the intensities of the machines' zones by hour, drain included."""
    begin = exact.start_at // HOUR_S * HOUR_S
    hours = int((exact.end_at - begin) // HOUR_S) + 1 + DRAIN_H
    series = []
    for zone, steps in sorted(history.intensities.items()):
        direct, lifecycle = [], []
        place = 0
        for hour in range(hours):
            while place + 1 < len(steps) and steps[place + 1][0] < begin + (hour + 1) * HOUR_S:
                place += 1
            direct.append(steps[place][1])
            lifecycle.append(steps[place][2])
        series.append(IntensitySeries(zone, begin, tuple(direct), tuple(lifecycle)))
    # A report asks for every machine's zone; one without a recorded intensity has its average.
    for zone in sorted({card.zone for card in history.cards.values()} - history.intensities.keys()):
        year = catalogue.zone_averages().get(zone)
        direct_g, lifecycle_g = (
            (year.direct_g_per_kwh, year.lifecycle_g_per_kwh) if year is not None else (0.0, 0.0)
        )
        values = (direct_g,) * hours, (lifecycle_g,) * hours
        series.append(IntensitySeries(zone, begin, *values, basis="default"))
    return Grid(series)


def _build_results(
    compared: PolicyComparison, replayed: ReplayedJournal, *, proposed: Policy, command: str
) -> list[RunResult]:
    """Returns the results of both runs: under the old policy, then under the proposed one."""
    history, exact = replayed.history, replayed.exact
    grid = build_grid(history, exact)
    inputs = _make_inputs(compared, history, exact)
    runs = ((compared.old, history.policy), (compared.proposed, proposed))
    names = _run_labels(history.policy.version, proposed.version, compared.growth)
    return [
        _build_result(inputs, run, policy, grid, label=label, command=command)
        for (run, policy), label in zip(runs, names, strict=True)
    ]


def write_replay_report(
    path: Path,
    replayed: ReplayedJournal,
    compared: PolicyComparison,
    *,
    proposed: Policy | None,
    command: str,
    lang: str,
) -> None:
    """Writes the report of a replay; ``lang`` is shown first."""
    policy = proposed or replayed.history.policy
    results = _build_results(compared, replayed, proposed=policy, command=command)
    hours = (replayed.exact.end_at - replayed.exact.start_at) / HOUR_S
    answers: dict[str, Callable[[str], Iterable[str]]] = {
        "past": partial(replay_text.baseline_sentences, compared.baseline),
        "change": partial(replay_text.change_sentences, compared),
        "unknown": partial(replay_text.left_out_sentences, compared, hours),
    }
    context = ReportContext(
        kind=REPLAY,
        answers={
            question: {language: tuple(sentences(language)) for language in i18n.LANGUAGES}
            for question, sentences in answers.items()
        },
    )
    write_report(path, results, lang=lang, chosen=1, context=context)


def _run_labels(old: str, proposed: str, growth: float) -> tuple[str, str]:
    """Returns different names of both runs; that of a higher demand says so.

    >>> _run_labels("3", "4", 0.0), _run_labels("3", "3", 0.0), _run_labels("3", "3", 0.2)
    (('3', '4'), ('3', '3*'), ('3', '3 +20%'))
    """
    if growth:
        return old, f"{proposed} +{growth * 100.0:g}%"
    return (old, proposed) if old != proposed else (old, f"{proposed}*")


def _build_result(
    inputs: ReportInputs,
    run: SimulatedRun,
    policy: Policy,
    grid: Grid,
    *,
    label: str,
    command: str,
) -> RunResult:
    parts = WorldParts(
        inputs.scenario, 0, inputs.machines, [], grid, policy, [], iter(()), inputs.assumptions
    )
    result = build_result(parts, run.world, run.recorder, label=label)
    return msgspec.structs.replace(result, command=command, money=None, footprint=None)


def _make_inputs(
    compared: PolicyComparison, history: RecordedHistory, exact: ExactReplay
) -> ReportInputs:
    sites: dict[str, ScenarioSite] = {}
    machines = []
    for spec in compared.node_specs:
        card = spec.card
        site = sites.setdefault(f"{card.coop}/{card.site}", _make_site(spec))
        device = _make_device(spec)
        machines.append(Machine(spec, _make_group(spec, site, device), site, device, OwnerTerms()))
    models = sorted(
        {replica.model for spec in compared.node_specs for replica in spec.card.replicas}
    )
    scenario = Scenario(
        name=SCENARIO_NAME,
        title=TITLE,
        start=dt.datetime.fromtimestamp(exact.start_at, dt.UTC),
        hours=max(HOURS_MIN, (exact.end_at - exact.start_at) / HOUR_S),
        sites=tuple(sites.values()),
        coops=coops_of(history.policy),
        models=tuple(ScenarioModel(name=name) for name in models),
        nodes=tuple(machine.group for machine in machines),
    )
    return ReportInputs(scenario, machines, _make_assumptions(compared, machines))


def coops_of(policy: Policy) -> tuple[ScenarioCoop, ...]:
    """Returns the co-ops of a policy as a scenario has them."""
    return tuple(ScenarioCoop(**msgspec.structs.asdict(terms)) for terms in policy.coops)


def _make_site(spec: NodeSpec) -> ScenarioSite:
    card = spec.card
    return ScenarioSite(name=f"{card.coop}/{card.site}", zone=card.zone, rtt_s=card.rtt_s)


def _make_group(spec: NodeSpec, site: ScenarioSite, device: Device) -> NodeGroup:
    card = spec.card
    return NodeGroup(
        name=card.node,
        device=device.device_id,
        coop=card.coop,
        site=site.name,
        model=card.replicas[0].model,
        slots=card.replicas[0].slots,
        idle_w=card.power.idle_w,
        active_w=card.power.active_w,
    )


def _make_device(spec: NodeSpec) -> Device:
    power = spec.card.power
    known = catalogue.devices().get(power.device)
    if known is not None:
        return known
    rates = spec.rates or spec.card.replicas[0].rates
    return Device(
        device_id=power.device,
        name=power.device,
        kind="other",
        memory_gb=0.0,
        memory_part=1.0,
        idle_w=power.idle_w,
        active_w=power.active_w,
        max_w=power.active_w,
        prefill_tokens_per_s=rates.prefill_tokens_per_s,
        decode_tokens_per_s=1.0 / (rates.tpot_base_s + rates.tpot_per_sequence_s),
        basis=rates.basis,
        step_part=0.0,
        slots=spec.card.replicas[0].slots,
        curve="flat",
        price_cad=None,
        throttle_after_s=0.0,
        throttle_factor=1.0,
        sources={},
    )


def _make_assumptions(compared: PolicyComparison, machines: Sequence[Machine]) -> list[Assumption]:
    assumptions = [Assumption("replay_demand", "measured", {"jobs": compared.lengths_known})]
    if compared.lengths_estimated:
        assumptions.append(
            Assumption("replay_lengths", "estimated", {"jobs": compared.lengths_estimated})
        )
    learned = compared.speeds_learned
    if learned:
        assumptions.append(Assumption("replay_speed", "measured", {"nodes": learned}))
    if learned < len(machines):
        assumptions.append(
            Assumption("replay_card", "declared", {"nodes": len(machines) - learned})
        )
    assumptions.append(Assumption("replay_intensity", "measured"))
    assumptions.append(Assumption("rest", "default"))
    return assumptions
