"""Random pools in which the fairness bound of ``docs/concepts/fairness.md`` is checked.

Bound: between two co-ops that can use the same nodes, the service over weight of one exceeds that
of the other by at most ``w_out K (1 / weight_1 + 1 / weight_2)``; ``K`` is the cap on tokens in
flight, or the largest job if that is larger. A co-op's lift counts as service. The bound applies to
a co-op whose last turn was in order and within its cap, beside a co-op that waits and could have
had each turn since its arrival. If borrowers own nodes, service in turns owed to the co-op since
its last turn in order is added; and while a co-op waits and holds fewer runs than its nodes have
slots, none of those slots goes to another co-op.

Weights, arrivals, lengths, speeds and cap are random. The checker computes service from events and
commands; of the core's state it reads only the lifts.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence

from benchmarks.support.vtc_simulation import HOST, MODEL, START_AT, ZONE, progress_of
from msgspec import Struct, structs

from entraide.types import Basis, DataClass, NodeCard, Power, Rates, Replica, RequestFacts
from entraide_scheduler.core import events
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import ChargeWeights, CoopTerms, FairShare, Policy
from entraide_sim import (
    ClientSpec,
    Grid,
    NodeSpec,
    RequestTemplate,
    World,
    constant_series,
    generate_arrivals,
    make_requests,
    slow_heartbeat_timing,
    uniform_length,
)
from entraide_sim.workload import RateWindow, Request, Rng, make_rng

NODES = (1, 50)
JOBS = {1: 80, 50: 240}
PROMPT_TOKENS = 160  # the longest
OVERLOAD = 3.0
WINDOWS = 6  # in each a co-op sends at another rate, or not at all
HEARTBEAT_S = 20.0
PROGRESS_S = 1.0
HUGE_TOKENS = 10**8
SLACK = 1.0 + 1e-9  # sums of floats
REFERENCE_PART = 10  # plain VTC lives through one of so many pools


class BoundRow(Struct, frozen=True):
    """Violations of the bound, and the largest gap.

    ``widest_part`` is the largest gap as a part of the bound. The reference is plain VTC without a
    cap in every tenth pool, compared with the same bound, which does not hold for it.
    """

    benchmark: str
    workload: str
    nodes: int
    seeds: int
    jobs: int
    pairs_checked: int
    violations: int
    widest_part: float
    reference_uncapped_vtc_pairs_checked: int
    reference_uncapped_vtc_violations: int
    reference_uncapped_vtc_widest_part: float


class OwnersRow(Struct, frozen=True):
    """Violations in pools whose borrowers own nodes, and slots that were owed to their owner.

    ``owner_waits_checked`` counts slots of a co-op that went to another co-op;
    ``owner_violations`` those of them that were owed to the owner. The reference, plain VTC,
    ignores owners; its pairs are compared with the same bound.
    """

    benchmark: str
    workload: str
    nodes: int
    seeds: int
    jobs: int
    pairs_checked: int
    violations: int
    widest_part: float
    owner_waits_checked: int
    owner_violations: int
    reference_uncapped_vtc_violations: int
    reference_uncapped_vtc_owner_waits_checked: int
    reference_uncapped_vtc_owner_violations: int


class CoopRecord:
    """The checker's state of one co-op.

    Attributes:
        coop, weight: which, and its shares.
        charged: virtual tokens over its weight.
        in_flight_tokens: prompts and longest answers of its runs, less what was produced.
        waiting: tokens that each waiting job may need, in order.
        served: whether it ever was.
        last_turn_in_order: whether its last turn kept it within its cap.
        arrived_within_cap: whether it last came with no more in flight than K.
        is_comparable: whether it came so, kept within its cap, and could have had each turn since.
        own_slots: slots of its own nodes; all of them could run each of its jobs.
        runs: how many it holds.
        turn_count: turns in order and lifts so far.
        owed_charged: of ``charged``, for owed runs that began since the last of these.
    """

    __slots__ = (
        "arrived_within_cap",
        "charged",
        "coop",
        "in_flight_tokens",
        "is_comparable",
        "last_turn_in_order",
        "lift",
        "owed_charged",
        "own_slots",
        "runs",
        "served",
        "turn_count",
        "waiting",
        "weight",
    )

    def __init__(self, coop: str, weight: float, own_slots: int) -> None:
        self.coop = coop
        self.weight = weight
        self.own_slots = own_slots
        self.runs = self.turn_count = 0
        self.owed_charged = self.lift = 0.0
        self.charged = 0.0
        self.in_flight_tokens = 0
        self.waiting: deque[int] = deque()
        self.served = False
        self.last_turn_in_order = True
        self.arrived_within_cap = True
        self.is_comparable = True

    def is_owed(self) -> bool:
        """Returns whether it holds fewer runs than its own nodes have slots."""
        return self.runs < self.own_slots

    def reset_owed(self) -> None:
        """Starts a new count of owed service, after a turn in order or a lift."""
        self.turn_count += 1
        self.owed_charged = 0.0


class RunRecord:
    """A run: its co-op, reserved tokens, output tokens, and whether it was owed."""

    __slots__ = ("coop", "is_owed", "output_tokens", "reserved_tokens", "turn")

    def __init__(self, account: CoopRecord, reserved_tokens: int, *, is_owed: bool) -> None:
        self.coop = account
        self.reserved_tokens = reserved_tokens
        self.output_tokens = 0
        self.is_owed = is_owed
        self.turn = account.turn_count

    def charge(self, virtual_tokens: float) -> None:
        """Charges its co-op."""
        account = self.coop
        account.charged += virtual_tokens / account.weight
        if self.is_owed and self.turn == account.turn_count:
            account.owed_charged += virtual_tokens / account.weight


class BoundChecker:
    """Checks each pair of co-ops to which the bound applies whenever one of them is served.

    Attributes:
        pairs_checked, violations: pairs to which the bound applied, and those that it did not hold
            for.
        slots_lent, owners_skipped: slots that went to another co-op than their owner, and how many
            of them were owed to it.
        widest_part: the largest gap, as a part of what is allowed.
    """

    def __init__(
        self, core: Core, policy: Policy, nodes: Sequence[NodeSpec], *, longest_tokens: int,
        cap_tokens: int,
    ) -> None:  # fmt: skip
        self._queue = core._state.queue  # noqa: SLF001 - lifts are not in events or commands
        self._charge = ChargeWeights()
        self._cap_tokens = cap_tokens
        self._bound_tokens = max(cap_tokens, longest_tokens)
        self._cap_applies = policy.fair_share.cap_tokens == cap_tokens
        self._owners = {spec.card.node: spec.card.coop for spec in nodes}
        own = Counter[str]()
        for spec in nodes:
            own[spec.card.coop] += sum(
                replica.slots for replica in spec.card.replicas if replica.model == MODEL
            )
        self._coops = {
            terms.coop: CoopRecord(terms.coop, terms.shares, own[terms.coop])
            for terms in policy.coops
        }
        self._facts: dict[str, RequestFacts] = {}
        self._runs: dict[str, RunRecord] = {}
        self.pairs_checked = self.violations = self.slots_lent = self.owners_skipped = 0
        self.widest_part = 0.0

    def __call__(self, event: events.Event, asked: list[Command]) -> None:
        """Processes an event and its commands."""
        match event:
            case events.RunProgressed() | events.NodeBeat():
                for job, output_tokens in progress_of(event):
                    self._add_tokens(job, output_tokens)
            case events.JobRequested():
                self._add_request(event.facts)
            case events.RunReported():
                self._add_tokens(event.job, event.usage.output_tokens)
                flight = self._runs.pop(event.job)
                flight.coop.in_flight_tokens -= flight.reserved_tokens - flight.output_tokens
                flight.coop.runs -= 1
            case _:
                pass
        for command in asked:
            if isinstance(command, Place):
                self._add_placement(self._facts.pop(command.job), self._owners[command.node])

    def _add_request(self, facts: RequestFacts) -> None:
        account = self._coops[facts.coop]
        if not account.waiting:
            within = account.in_flight_tokens <= self._bound_tokens
            account.is_comparable = account.arrived_within_cap = within
        if self._lift(account) != account.lift:
            account.lift = self._lift(account)
            account.reset_owed()
        account.waiting.append(_reserved_tokens(facts))
        self._facts[facts.job] = facts

    def _add_placement(self, facts: RequestFacts, owner: str) -> None:
        account = self._coops[facts.coop]
        is_owed = account.is_owed()
        if owner != account.coop:
            lender = self._coops[owner]
            self.slots_lent += bool(lender.own_slots)
            self.owners_skipped += bool(lender.waiting) and lender.is_owed()
        within = self._below_cap(account)
        for other in self._coops.values():
            if other is not account and other.waiting:
                other.is_comparable &= self._below_cap(other)
        account.served = True
        account.is_comparable &= within
        account.runs += 1
        if not is_owed:
            account.last_turn_in_order = within
            account.reset_owed()
        reserved_tokens = account.waiting.popleft()
        assert reserved_tokens == _reserved_tokens(facts), "jobs of a co-op change places"
        account.in_flight_tokens += reserved_tokens
        flight = self._runs[facts.job] = RunRecord(account, reserved_tokens, is_owed=is_owed)
        flight.charge(self._charge.input_weight * facts.input_tokens_est)
        self._check_pairs(account)

    def _below_cap(self, account: CoopRecord) -> bool:
        held_tokens = account.in_flight_tokens
        return not held_tokens or held_tokens + account.waiting[0] <= self._cap_tokens

    def _add_tokens(self, job: str, output_tokens: int) -> None:
        flight = self._runs[job]
        more = output_tokens - flight.output_tokens
        if more <= 0:
            return
        account = flight.coop
        flight.output_tokens = output_tokens
        account.in_flight_tokens -= more
        flight.charge(self._charge.output_weight * more)
        self._check_pairs(account)

    def _check_pairs(self, ahead: CoopRecord) -> None:
        """Compares the co-op that was just served with each waiting co-op."""
        if self._cap_applies and not (
            ahead.served and ahead.last_turn_in_order and ahead.arrived_within_cap
        ):
            return
        mine = ahead.charged - ahead.owed_charged + self._lift(ahead)
        for behind in self._coops.values():
            if (
                behind is ahead
                or not behind.waiting
                or (self._cap_applies and not behind.is_comparable)
            ):
                continue
            allowed = (
                self._charge.output_weight
                * self._bound_tokens
                * (1.0 / ahead.weight + 1.0 / behind.weight)
            )
            part = (mine - behind.charged - self._lift(behind)) / allowed
            self.pairs_checked += 1
            self.widest_part = max(self.widest_part, part)
            self.violations += part > SLACK

    def _lift(self, account: CoopRecord) -> float:
        line = self._queue.counters.coops.get(account.coop)
        return 0.0 if line is None else line.lifts.get(MODEL, 0.0)


def _reserved_tokens(facts: RequestFacts) -> int:
    return facts.input_tokens_max + (facts.output_tokens_max or 0)


class RandomPool(Struct, frozen=True):
    """A random pool.

    Attributes:
        weights: by co-op.
        nodes: machines.
        limit_tokens: longest answer that a request allows.
        cap_tokens: of the policy.
        requests: requests in order of time.
    """

    weights: dict[str, float]
    nodes: list[NodeSpec]
    limit_tokens: int
    cap_tokens: int
    requests: list[Request]

    @property
    def longest_tokens(self) -> int:
        """Tokens of the largest job."""
        return PROMPT_TOKENS + self.limit_tokens


def _make_node(number: int, slots: int, source: Rng) -> NodeSpec:
    base_s = float(source.uniform(0.004, 0.02))
    rates = Rates(float(source.uniform(500.0, 4_000.0)), base_s, base_s / 20.0, Basis.MEASURED)
    replica = Replica(MODEL, "sha256:bench", "bench/1", 2_048, slots, (), rates)
    power = Power("bench", 50.0, 300.0, Basis.MEASURED)
    card = NodeCard(
        f"node-{number:02}", HOST, "home", ZONE, power, (replica,), tuple(DataClass), None, 0.0,
        "bench",
    )  # fmt: skip
    return NodeSpec(card=card)


def _clients(
    coops: Sequence[str], *, jobs: int, until_s: float, limit: int, source: Rng
) -> Iterator[ClientSpec]:
    """Yields clients with random rates and lengths, some of them silent for a time."""
    long_s = until_s / WINDOWS
    mean_per_s = jobs / until_s / len(coops)
    for coop in coops:
        rates = source.choice((0.0, 0.5, 1.0, 3.0), WINDOWS) * mean_per_s
        windows = tuple(
            RateWindow(number * long_s, (number + 1) * long_s, max(float(rate), 1e-6))
            for number, rate in enumerate(rates)
        )
        least = int(source.integers(1, limit + 1))
        yield ClientSpec(
            coop, windows, uniform_length(4, PROMPT_TOKENS), uniform_length(least, limit)
        )


def owned_pool(nodes: int, seed: int) -> RandomPool:
    """Returns the pool of a seed whose nodes belong to borrowers.

    The second co-op owns only slots of another model without requests, so no turns are owed to it.
    """
    pool = random_pool(nodes, seed)
    source = make_rng(seed, 1_000 + nodes)
    coops = list(pool.weights)
    owners = [coop for coop in (HOST, *coops) if coop != coops[1]] if nodes > 1 else coops[:1]
    owned = [
        structs.replace(
            spec, card=structs.replace(spec.card, coop=owners[int(source.integers(len(owners)))])
        )
        for spec in pool.nodes
    ]
    other = owned[0].card
    replica = structs.replace(other.replicas[0], model=f"other-{MODEL}", slots=4)
    card = structs.replace(other, node="other", coop=coops[1], replicas=(replica,))
    return structs.replace(pool, nodes=[*owned, NodeSpec(card=card)])


def random_pool(nodes: int, seed: int) -> RandomPool:
    """Returns the pool of a seed."""
    source = make_rng(seed, nodes)
    most = 8 if nodes == 1 else 4
    slots = [int(source.integers(2 if nodes == 1 else 1, most + 1)) for _ in range(nodes)]
    machines = [_make_node(number, count, source) for number, count in enumerate(slots)]
    coops = [f"coop-{number}" for number in range(int(source.integers(2, 6)))]
    weights = {coop: float(source.uniform(0.5, 4.0)) for coop in coops}
    limit = int(source.choice((60, 120, 240)))
    longest = PROMPT_TOKENS + limit
    fair = sum(slots) * longest / len(coops)
    cap_tokens = int(max(longest, fair * source.uniform(0.2, 2.0)))
    # A run takes some 12 ms a token; so more is asked than the pool can serve in the meantime.
    until_s = JOBS[nodes] / sum(slots) * limit / 2 * 0.012 / OVERLOAD
    clients = _clients(coops, jobs=JOBS[nodes], until_s=until_s, limit=limit, source=source)
    asked = make_requests(
        generate_arrivals(list(clients), seed=seed),
        RequestTemplate(MODEL, output_tokens_max=limit),
        start_at=START_AT,
        coop_of={coop: coop for coop in coops},
    )
    return RandomPool(weights, machines, limit, cap_tokens, list(asked))


def simulate_pool(pool: RandomPool, fair_share: FairShare) -> BoundChecker:
    """Simulates a pool until all requests have ended; returns its checker."""
    coops = tuple(CoopTerms(coop, weight) for coop, weight in pool.weights.items())
    policy = Policy(
        "bench",
        (*coops, CoopTerms(HOST)),
        timing=slow_heartbeat_timing(HEARTBEAT_S),
        fair_share=fair_share,
    )
    core = Core()
    witness = BoundChecker(
        core, policy, pool.nodes, longest_tokens=pool.longest_tokens, cap_tokens=pool.cap_tokens
    )
    grid = Grid([constant_series(ZONE, 1.3, start_at=START_AT, hours=1)])
    timing = {"start_at": START_AT, "heartbeat_s": HEARTBEAT_S, "progress_s": PROGRESS_S}
    world = World(core, watch=witness, policy=policy, nodes=pool.nodes, grid=grid, **timing)
    world.run(pool.requests)
    return witness


def bound_rows(seeds: int) -> list[BoundRow]:
    """Returns a row for each number of nodes."""
    return [_row(nodes, seeds) for nodes in NODES]


def owners_rows(seeds: int) -> list[OwnersRow]:
    """Returns a row for each number of nodes, in pools whose borrowers own nodes."""
    return [_owners_row(nodes, seeds) for nodes in NODES]


def _owners_row(nodes: int, seeds: int) -> OwnersRow:
    mine: list[BoundChecker] = []
    plain: list[BoundChecker] = []
    jobs = 0
    for seed in range(1, seeds + 1):
        pool = owned_pool(nodes, seed)
        jobs += len(pool.requests)
        mine.append(simulate_pool(pool, FairShare(pool.cap_tokens)))
        if seed % REFERENCE_PART == 0:
            terms = FairShare(HUGE_TOKENS, expected_lengths=False, own_nodes=False)
            plain.append(simulate_pool(pool, terms))
    return OwnersRow(
        benchmark="fairness",
        workload="own_nodes",
        nodes=nodes,
        seeds=seeds,
        jobs=jobs,
        pairs_checked=sum(checker.pairs_checked for checker in mine),
        violations=sum(checker.violations for checker in mine),
        widest_part=round(max(checker.widest_part for checker in mine), 4),
        owner_waits_checked=sum(checker.slots_lent for checker in mine),
        owner_violations=sum(checker.owners_skipped for checker in mine),
        reference_uncapped_vtc_violations=sum(checker.violations for checker in plain),
        reference_uncapped_vtc_owner_waits_checked=sum(checker.slots_lent for checker in plain),
        reference_uncapped_vtc_owner_violations=sum(checker.owners_skipped for checker in plain),
    )


def _row(nodes: int, seeds: int) -> BoundRow:
    jobs = checked = broken = plain_checked = plain_broken = 0
    widest = plain_widest = 0.0
    for seed in range(1, seeds + 1):
        pool = random_pool(nodes, seed)
        jobs += len(pool.requests)
        mine = simulate_pool(pool, FairShare(pool.cap_tokens))
        checked, broken = checked + mine.pairs_checked, broken + mine.violations
        widest = max(widest, mine.widest_part)
        if seed % REFERENCE_PART == 0:
            plain = simulate_pool(pool, FairShare(HUGE_TOKENS, expected_lengths=False))
            plain_checked += plain.pairs_checked
            plain_broken += plain.violations
            plain_widest = max(plain_widest, plain.widest_part)
    return BoundRow(
        benchmark="fairness",
        workload="bound",
        nodes=nodes,
        seeds=seeds,
        jobs=jobs,
        pairs_checked=checked,
        violations=broken,
        widest_part=round(widest, 4),
        reference_uncapped_vtc_pairs_checked=plain_checked,
        reference_uncapped_vtc_violations=plain_broken,
        reference_uncapped_vtc_widest_part=round(plain_widest, 4),
    )
