"""Drawing: policies, cards and requests of a fuzzed world, all from one generator."""

from random import Random
from typing import Any

from msgspec import Struct, structs
from tests.core.builders import (
    GB,
    START,
    card,
    facts,
    loadable,
    policy,
    rates,
    replica,
    surplus,
)

from entraide.models import PUBLIC_ONLY
from entraide.settlements import ServerPlace
from entraide.types import (
    Basis,
    Control,
    DataClass,
    JobClass,
    JobKind,
    NodeCard,
    Power,
    RequestFacts,
    SurplusEvidence,
)
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Policy, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import (
    DEFAULT_CLASSES,
    Carbon,
    Deferral,
    FairShare,
    Limits,
    ModelTerms,
    Newcomer,
    Timing,
)

COOPS = ("alpha", "beta", "gamma", "delta")
ZONES = ("CA-QC", "CA-ON", "CA-AB", "US-NY", "")
MODELS = ("nord", "sud", "est")  # none of these is an alias
RARE = ("rare", "rarer")  # models that some machines could load
GATEWAYS = ("gw", "gw-2", "gw-3")
CONTEXT_MAX = 4_096

LIMITS = {
    QuotaKind.TOKENS: (1_500, 9_000, 40_000),
    QuotaKind.REQUESTS: (0, 5, 20, 60),
    QuotaKind.JOBS_IN_FLIGHT: (1, 3, 8),
    QuotaKind.ENERGY_WH: (0, 1, 1, 2),
    QuotaKind.CARBON_G: (0, 1, 1, 2),
}
PERIODS = (Period.MINUTE, Period.MINUTE, Period.DAY, Period.MONTH)


class Habits(Struct):
    """How often things happen in one world.

    Attributes:
        tick_s: time between two heartbeats, seconds.
        faults_per_tick: chance that a tick has a fault.
        requests_per_tick: mean number of requests; ``burst``: requests of a burst.
        weights: of each kind of fault, by name; 0 for one that this world does not have.
        kinds, watts, zones: of its quotas and machines.
        quotas, caps, lends, loads: chances that a co-op has a quota, a job a cap, a co-op a limit
            on what it lends, a machine models that it could load.
    """

    tick_s: float
    faults_per_tick: float
    requests_per_tick: float
    burst: int
    weights: dict[str, int]
    quotas: float
    kinds: tuple[QuotaKind, ...]
    watts: tuple[float, ...]
    zones: tuple[str, ...]
    caps: float
    lends: float
    loads: float


def mostly(rng: Random, value: Any, *others: Any) -> Any:
    """One value four times in five, so that most of what is drawn leads somewhere."""
    return value if rng.random() < 0.8 else rng.choice(others)


def drawn_habits(rng: Random, kinds: list[str]) -> Habits:
    """Draws what one world is like."""
    return Habits(
        tick_s=rng.choice((0.5, 0.9)),
        faults_per_tick=rng.choice((0.1, 0.4, 1.0)),
        requests_per_tick=rng.choice((1.0, 3.0, 6.0)),
        burst=rng.choice((0, 20, 60)),
        weights={kind: rng.choice((0, 1, 1, 4)) for kind in kinds},
        quotas=rng.choice((0.0, 0.0, 0.3, 0.7)),
        kinds=rng.choice((tuple(QuotaKind), (QuotaKind.ENERGY_WH, QuotaKind.CARBON_G))),
        watts=rng.choice(((110.0,), (110.0, 2_010.0), (2_010.0,))),
        zones=rng.choice((ZONES[:3], ZONES[:3], ZONES[2:3])),
        caps=rng.choice((0.0, 0.05, 0.4)),
        lends=rng.choice((0.0, 0.5)),
        loads=rng.choice((0.0, 0.0, 0.4)),
    )


def drawn_quota(rng: Random, coop: str, habits: Habits) -> Quota:
    kind = rng.choice(habits.kinds)
    in_flight = kind is QuotaKind.JOBS_IN_FLIGHT
    owner = rng.choice(({}, {}, {"project": "side"}, {"key": f"key-{coop}"}))
    period = Period.NONE if in_flight else rng.choice(PERIODS)
    return Quota(kind, rng.choice(LIMITS[kind]), period, **owner)


def drawn_quotas(rng: Random, coop: str, habits: Habits, *, first: bool) -> tuple[Quota, ...]:
    """Draws quotas; two may limit the same, unless it is the world's first policy."""
    quotas: dict[tuple[Any, ...], Quota] = {}
    while rng.random() < habits.quotas and len(quotas) < 4:
        quota = drawn_quota(rng, coop, habits)
        quotas[quota.kind, quota.period, quota.project, quota.key] = quota
    listed = list(quotas.values())
    if listed and not first and rng.random() < 0.1:
        listed.append(structs.replace(listed[0], limit=listed[0].limit * 2 + 1))
    return tuple(listed)


def drawn_terms(rng: Random, coop: str, habits: Habits, *, first: bool) -> CoopTerms:
    lend = Lend()
    if rng.random() < habits.lends:
        lend = Lend(rng.choice((0.0, 0.5, 0.5, 1.0)), rng.choice((None, None, 0, 1)))
    shares = rng.choice((0.5, 1.0, 3.0))
    return CoopTerms(coop, shares, drawn_quotas(rng, coop, habits, first=first), lend)


def drawn_policy(rng: Random, habits: Habits, version: str) -> Policy:
    """Draws a policy; times and limits of a world are always those of its first one."""
    fixed = Random(repr(habits))
    classes = tuple(
        structs.replace(
            terms,
            completion_s=fixed.choice((200.0, 600.0)) if terms.green_hours else terms.completion_s,
            max_wait_s=0.0 if terms.green_hours else fixed.choice((0.0, 5.0, 60.0)),
        )
        for terms in DEFAULT_CLASSES
    )
    slow = habits.tick_s > 0.5
    timing = Timing(busy_suspect_after_s=2.0, busy_lost_after_s=3.5) if slow else Timing()
    explained = fixed.choice((64, 64, 3))
    return policy(
        *(drawn_terms(rng, coop, habits, first=version == "v1") for coop in COOPS),
        version=version,
        classes=classes,
        timing=timing,
        limits=Limits(
            queued_per_coop=fixed.choice((12, 200)),
            attempts=fixed.choice((2, 4)),
            explained_nodes=explained,
        ),
        fair_share=FairShare(
            cap_tokens=fixed.choice((500, 3_000, 65_536)),
            own_nodes=fixed.random() < 0.7,
            expected_lengths=fixed.random() < 0.7,
        ),
        carbon=Carbon(headroom=rng.choice((0.0, 4.0))),
        deferral=Deferral(slots_part=rng.choice((0.25, 0.5, 1.0))),
        models=ModelTerms(5.0, 5.0, 5.0, loads_per_hour=60, retry_s=2.0, half_life_s=20.0),
        newcomer=Newcomer(fixed.choice((0, 3, 200)), fixed.choice((0.1, 0.5))),
        controlled_by=mostly(fixed, Control.UNSTATED, Control.CANADIAN),
    )


def drawn_replica(rng: Random, model: str, speed: float) -> Any:
    return replica(
        model,
        revision=mostly(rng, "sha256:abc", "sha256:def", "unknown"),
        engine=mostly(rng, "llama.cpp/1", "vllm/2"),
        slots=rng.choice((1, 1, 2, 4)),
        context_tokens=mostly(rng, CONTEXT_MAX, 512),
        features=mostly(rng, ("resume", "tools"), ("resume",), (), (PUBLIC_ONLY, "resume")),
        rates=rates(prefill_tokens_per_s=2_000.0 * speed, tpot_base_s=0.02 / speed),
    )


def drawn_card(rng: Random, node: str, coop: str, habits: Habits) -> NodeCard:
    """Draws a machine."""
    speed = rng.choice((0.1, 0.4, 1.0))
    models = dict.fromkeys((MODELS[0], rng.choice(MODELS)) if rng.random() < 0.7 else MODELS[1:])
    can_load = rng.random() < habits.loads
    return card(
        node,
        coop,
        mostly(rng, rng.choice(habits.zones), *ZONES),
        power=Power("bench", 10.0, rng.choice(habits.watts), Basis.DECLARED),
        replicas=tuple(drawn_replica(rng, model, speed) for model in models),
        data_classes=mostly(rng, tuple(DataClass), (DataClass.PUBLIC,), ()),
        energy=rng.choice((None, None, surplus(rng.uniform(0.0, 500.0), until=START + 90.0))),
        loadable=tuple(drawn_loadable(rng, model) for model in RARE) if can_load else (),
        models_bytes=5 * GB if can_load else 0,
        controlled_by=rng.choice((Control.MEMBER, Control.MEMBER, *Control)),
        surplus_evidence=rng.choice(tuple(SurplusEvidence)),
    )


def drawn_loadable(rng: Random, model: str) -> Any:
    return loadable(
        model,
        fetch_bytes=rng.choice((0, GB)),
        load_s=rng.uniform(1.0, 8.0),
        memory_bytes=rng.choice((2, 3, 4)) * GB,
    )


def drawn_facts(rng: Random, job: str, now: float, habits: Habits) -> RequestFacts:
    """Draws a request."""
    coop = rng.choice((*COOPS, *COOPS, "alpha", "nobody" if rng.random() < 0.1 else "alpha"))
    tokens = rng.choice((20, 100, 100, 400, 3_000))
    capped = rng.random() < habits.caps
    others = (*MODELS, "auto", *(RARE if habits.loads else ()), "absent")
    return facts(
        job,
        coop,
        project=rng.choice(("main", "side")),
        key=mostly(rng, f"key-{coop}-{rng.randint(1, 9)}", f"key-{coop}", f"key-{coop}.ab12cd34"),
        gateway=rng.choice(GATEWAYS),
        kind=rng.choice((JobKind.LIVE, JobKind.LIVE, JobKind.KEPT)),
        job_class=mostly(rng, JobClass.INTERACTIVE, *JobClass),
        data_class=mostly(rng, DataClass.INTERNAL, *DataClass),
        jurisdiction=mostly(rng, "CA", "CA-QC", "CA-ON", ""),
        controlled_by=mostly(rng, Control.UNSTATED, *Control),
        model=rng.choice(others) if rng.random() < 0.5 else MODELS[0],
        input_tokens_est=tokens,
        input_tokens_max=tokens * 3 // 2,
        output_tokens_max=rng.choice((None, 10, 60, 200)),
        choices=rng.choice((1, 1, 1, 2)),
        features=mostly(rng, (), ("tools",)),
        stream=rng.random() < 0.6,
        resumable=rng.random() < 0.5,
        session=rng.choice(("", f"s-{coop}")),
        deadline_at=now + rng.choice((-1.0, 3.0, 20.0, 90.0)) if rng.random() < 0.1 else None,
        max_carbon_ug=rng.choice((0, 300, 4_000, 40_000)) if capped else None,
        max_wait_s=rng.choice((None, None, 1.0, 8.0)),
        places=drawn_places(rng) if rng.random() < 0.05 else (),
    )


def drawn_places(rng: Random) -> tuple[ServerPlace, ...]:
    return tuple(
        ServerPlace(rng.choice(("CA-QC", "CA-QC", "US-NY", "unknown")), "unknown")
        for _ in range(rng.randint(1, 2))
    )
