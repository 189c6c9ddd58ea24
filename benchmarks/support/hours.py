"""Hours: batch jobs with a day of slack in Ontario, and what waiting for green hours saves them.

Decides the jobs, the machine and the signals. Emissions are linear in time here, so that nothing
but the hour counts. Beside the core, which plans again whenever it learns something and shares few
slots, stands a job alone that fixes its hour when it arrives, with all the room there is: by the
same forecast, by yesterday's hours, or knowing the year (the oracle).
"""

from collections.abc import Callable, Sequence
from math import inf

import msgspec
from benchmarks.support.devices import MODEL
from msgspec import Struct

from entraide.types import Basis, DataClass, JobClass, JobKind, NodeCard, Power, Rates, Replica
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import (
    DEFAULT_CLASSES,
    CoopTerms,
    Deferral,
    FairShare,
    Policy,
)
from entraide_sim import (
    LINEAR,
    Arrival,
    Client,
    Driver,
    Forecast,
    Grid,
    NodeSpec,
    Records,
    Series,
    Wish,
    World,
    fixed,
    generated,
    quiet,
    requests,
    steady,
)

ZONE = "CA-ON"
HOUR_S = 3_600.0
SLACK_S = 86_400.0  # a job may start so long after it came
RUN_S = 900.0
SLOTS = 4
PER_HOUR = SLOTS / 4 * HOUR_S / RUN_S  # a quarter of what the slots could do
INPUT_TOKENS = 64
TPOT_S = 0.05
PREFILL_TOKENS_PER_S = 10_000.0
WARM_UP_H = 24  # before the first job, so that there is a yesterday
HEARTBEAT_S = 900.0

Guess = Callable[[int, int], float]  # of an hour, as believed in the present one: g/kWh


class Saved(Struct, frozen=True):
    """What waiting came to.

    Attributes:
        part: emissions saved against running each job when it comes.
        jobs: how many there were.
        late: how many ended after their deadline, or not at all.
    """

    part: float
    jobs: int
    late: int


def arrivals(hours: int, *, seed: int) -> list[Arrival]:
    """Returns jobs that come at random over so many hours, after the warm-up."""
    output_tokens = int((RUN_S - INPUT_TOKENS / PREFILL_TOKENS_PER_S) / TPOT_S)
    windows = steady(PER_HOUR / HOUR_S, hours * HOUR_S, family="poisson")
    sender = Client("batch", windows, fixed(INPUT_TOKENS), fixed(output_tokens))
    begin_s = WARM_UP_H * HOUR_S
    return [
        msgspec.structs.replace(one, at_s=one.at_s + begin_s)
        for one in generated([sender], seed=seed)
    ]


# A job alone, that fixes its hour when it arrives.


def mean_g_per_kwh(actual: Sequence[float], at_s: float, run_s: float) -> float:
    """Returns the mean intensity of a run that begins then, seconds from the series' beginning."""
    total, now_s, end_s = 0.0, at_s, at_s + run_s
    while now_s < end_s:
        hour = int(now_s // HOUR_S)
        until_s = min(end_s, (hour + 1) * HOUR_S)
        total += actual[hour] * (until_s - now_s)
        now_s = until_s
    return total / run_s


def start_s(at_s: float, guess: Guess) -> float:
    """Returns when a job starts that fixes it on arrival: now, or when the best hour begins."""
    hour = int(at_s // HOUR_S)
    best, found = guess(hour, hour), at_s
    for later in range(hour + 1, int((at_s + SLACK_S) // HOUR_S) + 1):
        value = guess(hour, later)
        if value < best:
            best, found = value, later * HOUR_S
    return found


def committed(actual: Sequence[float], jobs: Sequence[Arrival], guess: Guess) -> Saved:
    """Returns what jobs save that each fix their hour on arrival, with room for all of them."""
    at_once = sum(mean_g_per_kwh(actual, job.at_s, RUN_S) for job in jobs)
    grams = sum(mean_g_per_kwh(actual, start_s(job.at_s, guess), RUN_S) for job in jobs)
    return Saved(1.0 - grams / at_once, len(jobs), 0)


def by_oracle(actual: Sequence[float]) -> Guess:
    """Knows every hour."""
    return lambda _, hour: actual[hour]


def by_yesterday(actual: Sequence[float]) -> Guess:
    """Believes that each hour will be as it was a day before, and knows the present one."""
    return lambda now, hour: actual[
        hour if hour == now else hour - (24 if hour - 24 <= now else 48)
    ]


def by_forecast(actual: Sequence[float], begin_at: float, forecasts: Sequence[Forecast]) -> Guess:
    """Believes the newest forecast, and knows the present hour.

    Args:
        actual: hourly, from ``begin_at`` on.
        begin_at: seconds since the epoch.
        forecasts: of the zone, by issue.
    """
    issues = sorted((int((one.issued_at - begin_at) // HOUR_S), one) for one in forecasts)
    newest: dict[int, Forecast] = {}
    for issued, one in issues:
        for hour in range(max(0, issued), len(actual)):
            newest[hour] = one

    def guess(now: int, hour: int) -> float:
        one = newest.get(now)
        if hour == now or one is None:
            return actual[hour] if hour == now else inf
        place = hour - int((one.start_at - begin_at) // HOUR_S)
        return one.direct[place] if 0 <= place < len(one.direct) else inf

    return guess


# The pool.


def machine() -> NodeSpec:
    """Returns the one node: a job takes as long and as much whatever runs beside it."""
    rates = Rates(PREFILL_TOKENS_PER_S, TPOT_S, 0.0, Basis.MEASURED)
    replica = Replica(MODEL, "sha256:published", "published/1", 32_768, SLOTS, (), rates)
    card = NodeCard(
        node="node-0",
        coop="alpha",
        site="site",
        zone=ZONE,
        power=Power("even", 20.0, 120.0, Basis.DECLARED),
        replicas=(replica,),
        data_classes=tuple(DataClass),
        energy=None,
        rtt_s=0.02,
        agent="benchmark",
    )
    return NodeSpec(card=card, curve=LINEAR)


def policy(terms: Deferral) -> Policy:
    """Returns the pool's own policy, with batch jobs that take as long as their deadline lets."""
    classes = tuple(
        msgspec.structs.replace(one, completion_s=None) if one.job_class is JobClass.BATCH else one
        for one in DEFAULT_CLASSES
    )
    return Policy(
        "deferral",
        (CoopTerms("alpha"),),
        classes=classes,
        timing=quiet(HEARTBEAT_S),
        fair_share=FairShare(cap_tokens=1 << 20),
        deferral=terms,
    )


def planned(
    series: Series, jobs: Sequence[Arrival], forecasts: Sequence[Forecast], terms: Deferral
) -> Saved:
    """Returns what the core saves, in the world, with four slots for all."""
    rules = policy(terms)
    records = Records(rules)
    world = World(
        Driver(Core(), start_at=series.start_at),
        policy=rules,
        nodes=[machine()],
        grid=Grid([series], forecasts),
        heartbeat_s=HEARTBEAT_S,
        progress_s=HEARTBEAT_S,
        recorder=records,
    )
    wish = Wish(
        MODEL, job_class=JobClass.BATCH, kind=JobKind.KEPT, deadline_s=SLACK_S + RUN_S + 60.0
    )
    world.run(requests(jobs, wish, start_at=series.start_at, coops=("alpha",)))
    grams = float(records.column("carbon_g").sum())
    energy_kwh = (
        sum(float(records.column(name).sum()) for name in ("prefill_wh", "decode_wh", "wake_wh"))
        / 1_000
    )
    at_once = sum(mean_g_per_kwh(series.direct, job.at_s, RUN_S) for job in jobs) / len(jobs)
    late = int((records.column("promise") != 1).sum())
    return Saved(1.0 - grams / energy_kwh / at_once, len(jobs), late)
