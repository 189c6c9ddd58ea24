"""Random events, in any order, with duplicates and old ones: every invariant holds after each.

Nodes come, go, change what they serve and come back; messages arrive late, twice and for runs that
are long over; grids change, and forecasts of them come; the scheduler restarts, from its state or
from a snapshot; periods begin.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.core import invariants
from tests.core.builders import MODEL, Pool, card, facts, policy, rates, replica, surplus

from entraide.types import Control, DataClass, JobClass, JobKind, Outcome, SurplusEvidence
from entraide_scheduler.core import events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Lend, Period, Quota, QuotaKind
from entraide_scheduler.core.policy.policy import Limits

COOPS = ("alpha", "beta", "gamma")
NODES = ("n1", "n2", "n3", "n4")
ZONES = ("CA-QC", "CA-ON", "CA-AB", "US-NY")
QUOTAS = {
    "alpha": (
        Quota(QuotaKind.TOKENS, 12_000, Period.MINUTE),
        Quota(QuotaKind.REQUESTS, 30, Period.DAY),
        Quota(QuotaKind.JOBS_IN_FLIGHT, 9),
    ),
    "beta": (
        Quota(QuotaKind.TOKENS, 6_000, Period.MONTH),
        Quota(QuotaKind.REQUESTS, 9, Period.DAY, project="side"),
        Quota(QuotaKind.JOBS_IN_FLIGHT, 4, key="key-beta"),
        Quota(QuotaKind.CARBON_G, 1, Period.MINUTE, project="side"),
    ),
    "gamma": (Quota(QuotaKind.ENERGY_WH, 1, Period.DAY),),
}


def mostly(value: object, *others: object) -> st.SearchStrategy:
    """One value four times in five, so that most events lead somewhere."""
    return st.integers(0, 4).flatmap(
        lambda chance: st.sampled_from(others) if chance == 0 else st.just(value)
    )


replicas = st.builds(
    replica,
    mostly(MODEL, "grand"),
    context_tokens=mostly(4_096, 128, 512),
    slots=st.integers(1, 3),
    features=mostly(("resume", "schema", "tools"), (), ("resume", "tools")),
    revision=mostly("sha256:abc", "sha256:def", "unknown"),
    engine=mostly("llama.cpp/1", "vllm/2"),
    rates=mostly(
        rates(), rates(prefill_tokens_per_s=40.0, tpot_base_s=0.4), rates(tpot_per_sequence_s=0.1)
    ),
)
cards = st.builds(
    card,
    st.sampled_from(NODES),
    st.sampled_from(COOPS),
    st.sampled_from(ZONES),
    replicas=st.lists(replicas, min_size=1, max_size=2).map(tuple),
    data_classes=mostly(tuple(DataClass), (DataClass.PUBLIC,), ()),
    controlled_by=mostly(Control.MEMBER, *Control),
    surplus_evidence=st.sampled_from(SurplusEvidence),
    energy=st.one_of(st.none(), st.floats(0, 500).map(surplus)),
)
requests = st.fixed_dictionaries(
    {
        "coop": mostly("alpha", "beta", "gamma", "nobody"),
        "project": st.sampled_from(("main", "side")),
        "gateway": st.sampled_from(("gw", "gw-2")),
        "kind": st.sampled_from(JobKind),
        "job_class": st.sampled_from(JobClass),
        "data_class": mostly(DataClass.INTERNAL, *DataClass),
        "jurisdiction": mostly("CA", "CA-QC", "CA-Q", ""),
        "controlled_by": mostly(Control.UNSTATED, *Control),
        "model": mostly(MODEL, "grand", "absent"),
        "input_tokens_est": st.integers(0, 200),
        "input_tokens_max": st.integers(200, 250),
        "output_tokens_max": st.one_of(st.none(), st.integers(1, 500)),
        "choices": st.integers(1, 2),
        "features": mostly((), ("tools",), ("tools", "schema")),
        "stream": st.booleans(),
        "resumable": mostly(True, False),
        "max_carbon_ug": mostly(None, 0, 50, 500, 5_000, 20_000),
    }
)
FAILURES = (
    "",
    "engine_failed",
    "engine_exited",
    "engine_exited",
    "context_length_exceeded",
    "draining",
)
LENDS = {"beta": Lend(0.5, 1), "gamma": Lend(1.0, 0)}
CODES = (
    "full",
    "draining",
    "not_loaded",
    "stale",
    "context_length_exceeded",
    "engine_refused",
    "odd",
)


class AnyOrder(RuleBasedStateMachine):
    """Feeds random events to a pool."""

    @initialize()
    def begin(self) -> None:
        limits = Limits(queued_per_coop=12, attempts=3)
        terms = [
            CoopTerms(coop, 1.0, QUOTAS.get(coop, ()), LENDS.get(coop, Lend())) for coop in COOPS
        ]
        self.pool = Pool(*terms, limits=limits)
        self.jobs: list[str] = []
        self.incarnation = 1
        self.pool.join(card("n1"), card("n2", "beta", "CA-ON", replicas=(replica(slots=1),)))

    @rule(wanted=requests, within_s=mostly(None, -1.0, 6.0, 40.0, 20_000.0))
    def request(self, wanted: dict, within_s: float | None) -> None:
        job = f"j{len(self.jobs)}"
        self.jobs.append(job)
        deadline_at = None if within_s is None else self.pool.now + within_s
        self.pool.tell(events.JobRequested, facts(job, deadline_at=deadline_at, **wanted))

    @rule(wanted=requests, times=st.integers(2, 9))
    def request_many(self, wanted: dict, times: int) -> None:
        for _ in range(times):
            self.request(wanted, None)

    @rule(data=st.data())
    def request_again(self, data: st.DataObject) -> None:
        open_jobs = list(self.pool.core._state.jobs)
        if open_jobs:
            job = data.draw(st.sampled_from(open_jobs))
            self.pool.tell(events.JobRequested, facts(job))

    @rule(node_card=cards, accepting=st.booleans(), boot=st.sampled_from(("", "b1", "b2")))
    def join(self, node_card, accepting: bool, boot: str) -> None:
        why = "" if accepting else "paused"
        self.pool.tell(events.NodeJoined, node_card, accepting, why, boot=boot)

    @rule(node=st.sampled_from(NODES), accepting=st.booleans(), surplus_w=st.floats(0, 500))
    def change(self, node: str, accepting: bool, surplus_w: float) -> None:
        self.pool.tell(events.NodeChanged, node, accepting, "", surplus(surplus_w))

    @rule(
        node=mostly("n1", "ghost", *NODES),
        control=st.sampled_from(Control),
        evidence=st.sampled_from(SurplusEvidence),
    )
    def vouch(self, node: str, control: Control, evidence: SurplusEvidence) -> None:
        self.pool.tell(events.NodeVouched, node, control, evidence)

    @rule(nodes=mostly(NODES, (), ("ghost", "n1"), NODES[1:]))
    def seen(self, nodes: tuple[str, ...]) -> None:
        self.pool.tell(events.NodesSeen, nodes)

    @rule(seconds=st.floats(0, 15), step=st.sampled_from((0.5, 3.0)), seen=mostly(True, False))
    def wait(self, seconds: float, step: float, seen: bool) -> None:
        end = self.pool.now + seconds
        while self.pool.now < end:
            self.pool.now = min(end, self.pool.now + step)
            if seen:
                self.pool.tell(events.NodesSeen, NODES)
            else:
                self.pool.tell(events.Woke)

    @rule(seconds=st.floats(0.1, 100))
    def go_back(self, seconds: float) -> None:
        now = self.pool.now
        self.pool.now -= seconds
        self.pool.tell(events.NodesSeen, NODES[:1])
        self.pool.now = now

    @rule(data=st.data(), tokens=st.integers(0, 600), code=st.sampled_from(CODES))
    def answer(self, data: st.DataObject, tokens: int, code: str) -> None:
        places = self.pool.places()[-20:]
        if not places:
            return
        place = data.draw(st.sampled_from(places))
        what = data.draw(mostly("accept", "accept", "progress", "decline", "abandon"))
        if what == "accept":
            self.pool.accept(place)
        elif what == "decline":
            self.pool.decline(place, code, limit=1)
        elif what == "progress":
            self.pool.progress(place, tokens)
        else:
            broken = data.draw(
                st.sampled_from(
                    (
                        "stream_broken",
                        "gateway_lost",
                        "answer_broken",
                        "answer_complete",
                        "answer_invalid",
                    )
                )
            )
            self.pool.tell(events.JobAbandoned, place.job, place.epoch, broken)

    @rule(data=st.data(), tokens=st.integers(1, 400))
    def work(self, data: st.DataObject, tokens: int) -> None:
        """What an honest node does with a run it holds."""
        leases = list(self.pool.core._state.leases)
        held = [place for place in self.pool.places() if place.job in leases]
        if held:
            place = data.draw(st.sampled_from(held))
            self.pool.accept(place)
            self.pool.progress(place, tokens // 2)
            if data.draw(st.booleans()):
                self.pool.report(place, output_tokens=tokens)

    @rule(
        data=st.data(),
        outcome=st.sampled_from(Outcome),
        code=st.sampled_from(FAILURES),
        delivered=st.booleans(),
        used=st.fixed_dictionaries(
            {
                "output_tokens": mostly(40, -1, 2_000),
                "ttft_s": mostly(0.4, 0.0, float("nan")),
            }
        ),
    )
    def report(  # type: ignore[no-untyped-def]
        self, data, outcome, code, *, delivered, used
    ) -> None:
        places = self.pool.places()[-20:]
        if places:
            place = data.draw(st.sampled_from(places))
            self.pool.report(place, outcome, code=code, delivered=delivered, **used)

    @rule(data=st.data(), tokens=st.integers(-1, 600))
    def resume(self, data: st.DataObject, tokens: int) -> None:
        """A gateway says what the client has of runs, known or not."""
        places = self.pool.places()[-20:]
        if places:
            place = data.draw(st.sampled_from(places))
            delivered = tuple(
                (other.epoch, tokens) for other in self.pool.places() if other.job == place.job
            )
            self.pool.tell(events.AnswerResumed, place.job, place.epoch, delivered)

    @rule(data=st.data(), node=st.sampled_from(NODES))
    def wrong_node(self, data: st.DataObject, node: str) -> None:
        places = self.pool.places()[-20:]
        if places:
            place = data.draw(st.sampled_from(places))
            self.pool.tell(events.RunProgressed, place.job, place.epoch, node, 5)

    @rule(
        data=st.data(),
        node=mostly("ghost", *NODES),
        tokens=st.integers(0, 600),
        what=mostly("beat", "beat", "idle", "closed", "bus"),
    )
    def beat(self, data: st.DataObject, node: str, tokens: int, what: str) -> None:
        """A busy node's heartbeat, or the end of its connection, or of the scheduler's."""
        if what == "closed":
            self.pool.tell(events.NodeDisconnected, node)
        elif what == "bus":
            self.pool.tell(events.BusLost)
        else:
            places = self.pool.places()[-20:] if what == "beat" else []
            listed = data.draw(st.lists(st.sampled_from(places), max_size=3)) if places else []
            runs = tuple((place.job, place.epoch, tokens) for place in listed)
            self.pool.tell(events.NodeBeat, node, runs)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.jobs:
            job = data.draw(st.sampled_from(self.jobs))
            self.pool.tell(events.JobCancelled, job, "client_gone")

    @rule(
        name=st.sampled_from(("batch-1", "batch-2")),
        coop=st.sampled_from(COOPS),
        lines=st.integers(0, 500),
        hours=st.floats(0.0, 48.0),
    )
    def state_batch(self, name: str, coop: str, lines: int, hours: float) -> None:
        deadline_at = self.pool.now + hours * 3_600.0
        values = {"job_class": JobClass.BATCH, "deadline_at": deadline_at}
        self.pool.tell(events.BatchStated, facts(name, coop, **values), lines)

    @rule(
        what=st.sampled_from(
            ("leave", "forget", "gateway", "restart", "restore", "period", "long")
        ),
        node=st.sampled_from(NODES),
        reason=st.sampled_from(("goodbye", "revoked")),
        gateway=st.sampled_from(("gw", "gw-2")),
        period=st.sampled_from((Period.MINUTE, Period.DAY, Period.MONTH)),
    )
    def trouble(self, what: str, node: str, reason: str, gateway: str, period: Period) -> None:
        pool = self.pool
        if what == "leave":
            pool.tell(events.NodeLeft, node, reason)
        elif what == "forget":
            pool.tell(events.NodeForgotten, node, f"node-{node}")
        elif what == "gateway":
            pool.tell(events.GatewayLost, gateway)
        elif what == "period":
            pool.tell(events.PeriodBegan, period, pool.now + 60.0)
        elif what == "long":
            pool.now += 700.0
            pool.tell(events.Woke)
        else:
            if what == "restore":
                pool.core = Core.restore(pool.core.snapshot())
            self.incarnation += 1
            pool.tell(events.SchedulerStarted, self.incarnation, "gw")
            pool.tell(events.NodesSeen, NODES[:2])

    @rule(
        shares=st.floats(0.5, 5),
        coops=st.sampled_from((COOPS, COOPS, COOPS[:2])),
        lends=st.sampled_from((LENDS, LENDS, {})),
    )
    def change_policy(self, shares: float, coops: tuple[str, ...], lends: dict[str, Lend]) -> None:
        terms = [
            CoopTerms(coop, shares, QUOTAS.get(coop, ()), lends.get(coop, Lend())) for coop in coops
        ]
        limits = Limits(queued_per_coop=12, attempts=3)
        self.pool.tell(events.PolicyChanged, policy(*terms, version="v2", limits=limits))

    @rule(
        name=st.sampled_from(("c1", "c2", "c3")),
        between=st.permutations(COOPS),
        amounts=st.tuples(*[st.integers(-(10**9), 10**9)] * 3),
    )
    def correct(self, name: str, between: list[str], amounts: tuple[int, int, int]) -> None:
        self.pool.tell(events.LedgerCorrected, name, *between[:2], *amounts, "a wrong meter")

    @rule(zone=st.sampled_from(ZONES), grams=st.floats(0, 900))
    def change_intensity(self, zone: str, grams: float) -> None:
        self.pool.tell(events.IntensityChanged, zone, grams, grams, "measured", self.pool.now)

    @rule(zone=st.sampled_from(ZONES), hours=st.lists(st.floats(0, 900), min_size=1, max_size=48))
    def forecast(self, zone: str, hours: list[float]) -> None:
        now = self.pool.now
        self.pool.tell(events.ForecastIssued, zone, now, now, tuple(hours))

    @rule()
    def restore(self) -> None:
        """The core goes on from its snapshot, as if nothing had been."""
        self.pool.core = Core.restore(self.pool.core.snapshot())

    @rule()
    def look(self) -> None:
        core, now = self.pool.core, self.pool.now
        before = core.snapshot()
        for job in self.jobs[-5:]:
            core.explain(job, now)
        core.jobs(), core.nodes(), core.models(), core.queue_lengths(), core.quota_left("alpha")
        core.plan(), core.model_loads(), core.alias_meanings(), core.loadable_models()

        assert core.snapshot() == before

    @invariant()
    def everything_holds(self) -> None:
        if hasattr(self, "pool"):
            invariants.check(self.pool)


AnyOrder.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


class TestAnyOrder(AnyOrder.TestCase):
    """Every invariant holds after any sequence of events."""
