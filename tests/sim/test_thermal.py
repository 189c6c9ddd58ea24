"""Throttling machines, and owners' power caps."""

from math import exp, inf, log
from zoneinfo import ZoneInfo

import pytest
from tests.sim.scenarios import small
from tests.sim.support import RATES, START, SimulatedWorld, even_arrivals, node

import entraide_sim as sim
from entraide_sim.fleet import fleet, owner_presence
from entraide_sim.machines import Run, make_hardware, thermal
from entraide_sim.machines.engine import Engine
from entraide_sim.machines.hardware import EngineParameters

EXTRA_W = 100.0
AFTER_S, FACTOR = 60.0, 0.601  # the curve has a point there: 57.1 % of the power
TPOT_S = RATES.tpot_base_s + RATES.tpot_per_sequence_s


def machine(**changes: object) -> sim.NodeSpec:
    """A machine without a fan that throttles after a quarter of an hour."""
    cooling = thermal.fit_thermal_model(EXTRA_W, after_s=AFTER_S, factor=FACTOR)
    return node(context_tokens=200_000, **{"thermal": cooling, **changes})


def warm_speed() -> float:
    """The remaining decode speed of such a machine."""
    return thermal.speed_parts(0.571)[1]


def long_answer(engine: Engine, tokens: int) -> list[tuple[float, float]]:
    """Runs one answer; returns the end and the power of each phase."""
    engine.add_run(Run("j", 1, 1, 0, tokens, tokens, 0.0), 0.0, 1.0)
    phases = []
    while engine.next_at < inf:
        at = engine.next_at
        engine.account_energy(at, 1.0)
        engine.advance(at)
        phases.append((at, engine.draw_w))
    return phases


def hardware(spec: sim.NodeSpec, cap_w: float = inf) -> EngineParameters:
    """Its hardware."""
    return make_hardware(spec, power_cap_w=cap_w)


def test_a_machine_without_a_fan_slows_down_and_recovers() -> None:
    """It throttles after the observed time, stays throttled, and recovers after a rest."""
    engine = Engine(hardware(machine()), at=0.0)
    steps = round(3 * AFTER_S / TPOT_S)
    ends = long_answer(engine, steps)
    slow_at = ends[-2][0]
    rest_s = ends[-1][0]
    engine.account_energy(rest_s, 1.0)
    warm_w = engine.heat_w
    engine.account_energy(rest_s + 30.0, 1.0)
    engine.add_run(Run("k", 1, 1, 0, 2, 2, rest_s + 30.0), rest_s + 30.0, 1.0)
    engine.advance(rest_s + 30.0)

    assert slow_at == pytest.approx(AFTER_S, abs=2 * TPOT_S)
    assert rest_s - slow_at == pytest.approx(
        (steps - slow_at / TPOT_S) * TPOT_S / warm_speed(), rel=0.01
    )
    assert warm_w == pytest.approx(57.1, abs=0.1)
    assert engine.heat_w == pytest.approx(warm_w * exp(-30.0 * -log(1.0 - 0.571) / AFTER_S))
    assert engine.hardware.rates == RATES


def test_what_a_warm_machine_used_is_what_it_drew() -> None:
    """The power of an answer is full until throttling, and the sustained power afterwards."""
    engine = Engine(hardware(machine()), at=0.0)
    ends = long_answer(engine, 9_000)
    slow_s, end_s = ends[-2][0], ends[-1][0]

    assert engine.total_j == pytest.approx(EXTRA_W * slow_s + 57.1 * (end_s - slow_s), rel=1e-4)
    assert slow_s < end_s


def test_engines_that_share_a_machine_warm_it_together() -> None:
    """Two engines with half the power each throttle as soon as one with full power."""
    engine = Engine(hardware(machine()), at=0.0)
    engine.set_sharing(2, 0.0)
    ends = long_answer(engine, 5_000)

    assert ends[-2][0] == pytest.approx(AFTER_S, abs=4 * TPOT_S)
    assert ends[-2][1] == pytest.approx(57.1 / 2, rel=0.01)


def test_a_well_cooled_load_never_slows_down() -> None:
    """A machine below its thermal limit never throttles."""
    spec = machine(thermal=thermal.ThermalModel(10.0, EXTRA_W))
    ends = long_answer(Engine(hardware(spec), at=0.0), 5_000)

    assert ends[-1][0] == pytest.approx(1 / RATES.prefill_tokens_per_s + 4_999 * TPOT_S)


@pytest.mark.parametrize(("cap_w", "part"), [(110.0, 1.0), (67.1, 0.571), (38.6, 0.286)])
def test_a_limit_on_power_costs_prompts_more_than_answers(cap_w: float, part: float) -> None:
    """Under a cap, speeds are the measured ones and the power is the cap."""
    limited = hardware(node(), cap_w)
    prompts, answers = thermal.speed_parts(part)

    assert limited.rates.prefill_tokens_per_s == pytest.approx(2_000.0 * prompts)
    assert limited.rates.tpot_base_s == pytest.approx(0.02 / answers)
    assert limited.prefill_j * limited.rates.prefill_tokens_per_s == pytest.approx(EXTRA_W * part)
    assert limited.decode_j[1] * answers / TPOT_S == pytest.approx(EXTRA_W * part)


def test_a_limit_while_the_owner_is_there_ends_with_it() -> None:
    """A machine that serves during its owner's presence is slower meanwhile, and loses no run."""
    faults = [sim.Fault(START + 10.0, "n1", "cap", 38.6), sim.Fault(START + 40.0, "n1", "cap", inf)]
    simulated = SimulatedWorld(
        [node()], even_arrivals(0.5, 60.0, output_tokens=60), faults=faults, progress_s=1.0
    )
    asked, end = (simulated.records.column(name) for name in ("asked_at", "end_at"))
    took = end - asked
    beside = took[(asked > START + 12.0) & (end < START + 38.0)]

    assert set(simulated.records.column("state")) == {"completed"}
    assert min(beside) > 3.0 * min(took)
    assert took[-1] == pytest.approx(took[0])


def test_a_limit_changes_a_prompt_under_way_at_the_next_step() -> None:
    """The energy of a run stays power times time when a cap changes during it."""
    faults = [sim.Fault(START + 0.55, "n1", "cap", 67.1)]
    simulated = SimulatedWorld(
        [node()], even_arrivals(1.0, 0.5, input_tokens=3_000, output_tokens=9), faults=faults
    )
    (engine,) = [node.engine for node in simulated.world.nodes.values()]
    used_wh = simulated.records.column("prefill_wh") + simulated.records.column("decode_wh")

    assert engine.total_j == pytest.approx(used_wh.sum() * 3_600.0)
    assert engine.total_j < EXTRA_W * (3_000 / 2_000.0)


def test_owners_limits_follow_their_visits() -> None:
    """The lower cap holds during visits, the usual one otherwise."""
    owner = 'name = "mini"\nowner = { present = "office", works_present = true }'
    group = small(('name = "mini"', owner)).scenario.nodes[0]
    faults = list(
        owner_presence.presence_faults(
            "n1",
            fleet.owner_terms(group),
            pattern="office",
            start_at=START,
            until=START + 86_400.0 * 5,
            zone=ZoneInfo("America/Toronto"),
            seed=1,
            number=0,
            power_cap_w=80.0,
            present_cap_w=40.0,
        )
    )

    assert {"cap"} == {fault.kind for fault in faults}
    assert [40.0, 80.0] * (len(faults) // 2) == [fault.value for fault in faults]
    assert 4 <= len(faults) // 2 <= 5


def test_a_scenario_says_its_limits() -> None:
    """A fanless laptop throttles; a cap is on the card and among the assumptions."""
    loaded = small(('device = "mac-mini-m4"', 'device = "macbook-m3"\npower_cap_w = 18.0'))
    machines = fleet.build_machines(loaded.scenario)
    spec = next(machine.spec for machine in machines if machine.device.device_id == "macbook-m3")
    codes = {assumption.code for assumption in fleet.fleet_assumptions(loaded.scenario)}

    assert 18.0 == spec.card.power.active_w
    assert spec.thermal is not None
    assert spec.rates is not None
    assert spec.card.replicas[0].rates.prefill_tokens_per_s == pytest.approx(
        spec.rates.prefill_tokens_per_s * thermal.speed_parts(13 / 17)[0]
    )
    assert {"throttle", "power_cap"} <= codes
