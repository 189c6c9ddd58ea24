"""Vocabulary: the facts that the core, the shells, the wire and the clients speak of.

Every struct is frozen and holds facts only: never a prompt, never an answer. Times are seconds
since the epoch on the scheduler's clock (``_at``) or durations (``_s``); a node's own clock is
corrected at the scheduler's door and never reaches these types. Energy is in microwatt-hours,
carbon in micrograms of CO2 equivalent, intensity in gCO2e/kWh, power in watts. None can hold
itself, so the cyclic garbage collector need not look at them (``gc=False``).
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import astuple

from entraide.enums import (
    Basis,
    DataClass,
    JobClass,
    JobKind,
    JobState,
    Lending,
    NodeState,
    Outcome,
    Promise,
)

__all__ = [
    "Basis", "Candidate", "Candidates", "DataClass", "EnergyStatus", "Exclusion", "Explanation",
    "JobClass", "JobKind", "JobState", "Lending", "Loadable", "NodeCard", "NodeState", "Outcome",
    "Power", "Promise", "Rates", "Receipt", "Replica", "RequestFacts", "Settlement",
    "SmallerModel", "SmallerQuote", "Terms", "Usage",
]  # fmt: skip


class Power(Struct, frozen=True, gc=False):
    """Power of a whole machine, from its meter or its catalogue entry.

    Attributes:
        device: identifier in the hardware catalogue.
        idle_w: power while no job runs.
        active_w: power while at least one job runs.
        basis: how the two were obtained.
        wake_j, wake_s: energy and time to wake the machine for its first job, joules and seconds;
            0 where it is on anyway.
    """

    device: str
    idle_w: float
    active_w: float
    basis: Basis
    wake_j: float = 0.0
    wake_s: float = 0.0


class Rates(Struct, frozen=True, gc=False):
    """How fast one replica works: TPOT(b) = tpot_base_s + tpot_per_sequence_s * b.

    Attributes:
        prefill_tokens_per_s: prompt tokens per second, one sequence.
        tpot_base_s: t0 of the time per output token, seconds.
        tpot_per_sequence_s: t1, seconds for each sequence in the batch.
        basis: measured (the enrolment benchmark) or default.
    """

    prefill_tokens_per_s: float
    tpot_base_s: float
    tpot_per_sequence_s: float
    basis: Basis


class Replica(Struct, frozen=True, gc=False):
    """A model that a node has loaded and serves.

    Attributes:
        model: the public name, as requests ask for it.
        revision: checksum of the weights, ``sha256:…`` or ``unknown``.
        engine: engine and version, for instance ``llama.cpp/2026.10.11549``.
        context_tokens: longest prompt plus answer of one job.
        slots: sequences it runs at once.
        features: what it can do beyond text (``tools``, ``schema``, ``images``, ``logprobs``),
            and ``prefix_cache`` where it reuses a co-op's own prompts and nobody else's.
        rates: its measured speed.
    """

    model: str
    revision: str
    engine: str
    context_tokens: int
    slots: int
    features: tuple[str, ...]
    rates: Rates


class EnergyStatus(Struct, frozen=True, gc=False):
    """Renewable status of a node's site, as the node advertises it.

    Attributes:
        surplus_w: own generation beyond the site's own use, watts (never negative).
        basis: measured or declared.
        evidence: where the number comes from, in a few words (a meter, a statement).
        measured_at: when it held, seconds since the epoch.
        expires_at: from when it must not be used any more.
    """

    surplus_w: float
    basis: Basis
    evidence: str
    measured_at: float
    expires_at: float


class Loadable(Struct, frozen=True, gc=False):
    """A model of the catalogue that a node could load, and what that takes.

    Attributes:
        model: public name.
        revision: of the weights, ``sha256:…`` or ``unknown``.
        engine: name of the engine that would serve it.
        context_tokens, slots, features: what the replica would offer.
        memory_bytes: that it takes while loaded, weights and context.
        fetch_bytes: still to be fetched; 0 when the weights lie on the node's disk.
        load_s: expected time until it serves, the fetch included.
    """

    model: str
    revision: str
    engine: str
    context_tokens: int
    slots: int
    features: tuple[str, ...]
    memory_bytes: int
    fetch_bytes: int
    load_s: float


class NodeCard(Struct, frozen=True, gc=False):
    """What a node says of itself when it joins, and again when it changes.

    Attributes:
        node: durable identifier, bound to the node's key.
        coop: the member that owns it (set by the pool at enrolment, not by the node).
        site: name of the place it stands in.
        zone: grid zone, as Electricity Maps names it (``CA-QC``).
        power: of the machine.
        replicas: the models it serves.
        data_classes: what its owner lets it process.
        energy: renewable status of its site, if any.
        rtt_s: round trip between pool and node, seconds, as the node measured it.
        agent: version of the node agent.
        loadable: models that it could load at the pool's word.
        loading: models that it is loading.
        models_bytes: memory that its owner gives to models altogether; 0 where the owner alone
            says what is loaded.
    """

    node: str
    coop: str
    site: str
    zone: str
    power: Power
    replicas: tuple[Replica, ...]
    data_classes: tuple[DataClass, ...]
    energy: EnergyStatus | None
    rtt_s: float
    agent: str
    loadable: tuple[Loadable, ...] = ()
    loading: tuple[str, ...] = ()
    models_bytes: int = 0


class RequestFacts(Struct, frozen=True, gc=False):
    """All that the core learns of a request: never its text.

    Attributes:
        job: identifier, made by the gateway.
        coop, project, key: who asks; ``key`` is the API key's identifier, not its secret.
        gateway: the gateway that holds the body.
        kind: live or kept.
        job_class, data_class, jurisdiction: what was asked, or the pool's defaults. Jurisdiction
            is a prefix of the node's zone (``CA``, ``CA-QC``).
        model: the public model name.
        input_tokens_est: expected prompt tokens.
        input_tokens_max: a bound on them that always holds.
        output_tokens_max: the client's own limit; None when it set none.
        choices: answers asked for (``n``).
        features: what the engine must be able to do.
        stream: whether the answer is streamed.
        session: conversation identifier for affinity, or "".
        prefix_keys: keyed hashes of the request's leading blocks.
        deadline_at: end of the last acceptable completion, seconds since the epoch.
        max_carbon_ug: the client's cap for this job.
        idempotency: the client's idempotency key, or "".
    """

    job: str
    coop: str
    project: str
    key: str
    gateway: str
    kind: JobKind
    job_class: JobClass
    data_class: DataClass
    jurisdiction: str
    model: str
    input_tokens_est: int
    input_tokens_max: int
    output_tokens_max: int | None = None
    choices: int = 1
    features: tuple[str, ...] = ()
    stream: bool = False
    session: str = ""
    prefix_keys: tuple[int, ...] = ()
    deadline_at: float | None = None
    max_carbon_ug: int | None = None
    idempotency: str = ""


class Usage(Struct, frozen=True, gc=False):
    """What one run used.

    Attributes:
        input_tokens, cached_tokens, output_tokens: as the engine counted them; cached tokens are
            a part of the input.
        counted: ``measured`` (the engine's own counts) or ``estimated``.
        energy_prefill_uwh, energy_decode_uwh: the run's share of the machine's energy.
        energy_basis: how the energy was obtained.
        ttft_s: from the node's receipt of the run to its first token; 0 when there was none.
        run_s: from the node's receipt of the run to its end.
    """

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    counted: Basis
    energy_prefill_uwh: int
    energy_decode_uwh: int
    energy_basis: Basis
    ttft_s: float
    run_s: float


class SmallerQuote(Struct, frozen=True, gc=False):
    """What a token would take on the smallest model that does the same.

    Attributes:
        model: its public name.
        input_uwh, output_uwh: of an uncached prompt token and of an output token.
        intensity_g_per_kwh: where it would run.
        basis: ``estimated`` (the learned pace of a replica of it) or ``default`` (in proportion to
            the catalogue's energy figures).
    """

    model: str
    input_uwh: float
    output_uwh: float
    intensity_g_per_kwh: float
    basis: Basis


class Terms(Struct, frozen=True, gc=False):
    """What was fixed when a job was placed; with the usage it settles the job.

    Attributes:
        job, epoch: the lease.
        borrower: the co-op that asked.
        node, lender, site, zone: where it runs and whose machine that is.
        engine, model, revision: what runs it.
        job_class: class of the job.
        objective_ttft_s: promised time to first token; None when the class has none.
        intensity_direct_g_per_kwh, intensity_lifecycle_g_per_kwh: effective, surplus counted.
        intensity_basis: how the grid's part was obtained.
        surplus_basis: how the surplus was obtained; None when there was none.
        requested_at, placed_at: when the job came, and when it was placed.
        policy_version: the policy that decided.
        at_risk: no node was predicted to keep the promise.
        smaller: what a token would take on a smaller model; None when this was the smallest, or
            nothing is known of sizes.
    """

    job: str
    epoch: int
    borrower: str
    node: str
    lender: str
    site: str
    zone: str
    engine: str
    model: str
    revision: str
    job_class: JobClass
    objective_ttft_s: float | None
    intensity_direct_g_per_kwh: float
    intensity_lifecycle_g_per_kwh: float
    intensity_basis: Basis
    surplus_basis: Basis | None
    requested_at: float
    placed_at: float
    policy_version: str
    at_risk: bool
    smaller: SmallerQuote | None = None


class Candidate(Struct, frozen=True, gc=False):
    """A node that could have run the job, with what was predicted for it.

    ``ttft_s`` is the mean; ``ttft_upper_s`` holds with the confidence that the class asks for.
    """

    node: str
    coop: str
    zone: str
    ttft_s: float
    tpot_s: float
    energy_uwh: int
    carbon_ug: int
    intensity_g_per_kwh: float
    intensity_basis: Basis
    surplus_w: float
    keeps_promise: bool
    ttft_upper_s: float = 0.0


class Candidates(Struct, frozen=True, array_like=True, gc=False):
    """Candidates as columns: a decision over many nodes is kept and sent as a few lists.

    A sequence of ``Candidate`` for whoever reads it. The columns are ``Candidate``'s fields.
    """

    node: list[str] = []
    coop: list[str] = []
    zone: list[str] = []
    ttft_s: list[float] = []
    tpot_s: list[float] = []
    energy_uwh: list[int] = []
    carbon_ug: list[int] = []
    intensity_g_per_kwh: list[float] = []
    intensity_basis: list[Basis] = []
    surplus_w: list[float] = []
    keeps_promise: list[bool] = []
    ttft_upper_s: list[float] = []

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> "Candidates":
        """Returns candidates as columns, in the same order."""
        rows = [astuple(one) for one in candidates]
        return cls(*map(list, zip(*rows, strict=True))) if rows else cls()

    def __len__(self) -> int:
        return len(self.node)

    def __getitem__(self, place: int) -> Candidate:
        return Candidate(*[column[place] for column in astuple(self)])

    def __iter__(self) -> Iterator[Candidate]:
        return (Candidate(*row) for row in zip(*astuple(self), strict=True))


class Exclusion(Struct, frozen=True, gc=False):
    """A node that was ruled out, and by which rule.

    Attributes:
        node, coop, zone: which node.
        rule: stable code of the rule (the catalogue has its sentence).
        values: the numbers and names in that sentence.
        waiting_helps: whether the node may pass the same rule later.
    """

    node: str
    coop: str
    zone: str
    rule: str
    values: dict[str, str | int | float]
    waiting_helps: bool


class Explanation(Struct, frozen=True, gc=False):
    """Why a job was placed where it was, is waiting, or was refused.

    Attributes:
        job: the job.
        at: when it was decided.
        policy_version: under which policy.
        decision: ``placed``, ``waiting``, ``deferred`` or ``refused``.
        reason: stable code (``greenest``, ``fastest``, ``fair_share``, ``no_free_slot``, or an
            error code); the catalogue has its sentence.
        values: the numbers and names in that sentence.
        epoch: of the placement; 0 when not placed.
        node: the node picked, or "".
        candidates: nodes that passed every rule, best first.
        excluded: nodes ruled out.
        excluded_counts: how many nodes each rule excluded, also those not listed.
        waiting_helps: whether waiting could change the decision.
        objective_ttft_s: the promise that was looked at.
    """

    job: str
    at: float
    policy_version: str
    decision: str
    reason: str
    values: dict[str, str | int | float]
    epoch: int
    node: str
    candidates: Candidates
    excluded: tuple[Exclusion, ...]
    excluded_counts: dict[str, int]
    waiting_helps: bool
    objective_ttft_s: float | None


class Settlement(Struct, frozen=True, gc=False):
    """What a run comes to, computed from its terms and its usage alone."""

    energy_uwh: int
    carbon_direct_ug: int
    carbon_lifecycle_ug: int
    queue_s: float
    ttft_s: float
    promise: Promise


class SmallerModel(Struct, frozen=True, gc=False):
    """What the same tokens would have cost on the smallest model that does the same.

    Attributes:
        model: its public name.
        energy_wh, carbon_gco2e: watt-hours and grams (direct).
        basis: how that was obtained; see ``SmallerQuote``.
    """

    model: str
    energy_wh: float
    carbon_gco2e: float
    basis: Basis


class Receipt(Struct, frozen=True, gc=False):
    """What a member gets with each answer.

    ``settled`` is false on the receipt that rides on the answer and true on the one that the
    ledger holds; both come from the same function and the same facts. ``signature`` is Ed25519
    over the receipt's canonical JSON without ``signature`` and ``key``, and without ``smaller``
    when that is None, base64.
    """

    job: str
    coop: str
    node: str
    node_coop: str
    site: str
    province: str
    engine: str
    model: str
    model_revision: str
    job_class: JobClass
    promise: Promise
    at_risk: bool
    queue_ms: float
    ttft_ms: float
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    tokens_basis: Basis
    energy_wh: float
    energy_basis: Basis
    carbon_gco2e: float
    carbon_lifecycle_gco2e: float
    intensity_g_per_kwh: float
    intensity_basis: Basis
    surplus_basis: Basis | None
    policy_version: str
    settled: bool
    issued_at: float
    key: str = ""
    signature: str = ""
    smaller: SmallerModel | None = None
