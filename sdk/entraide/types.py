"""Vocabulary: the structs that the cores, the shells, the wire format and the clients share.

Every struct is frozen, and none holds a prompt or an answer. Times are seconds since the epoch on
the scheduler's clock (``_at``) or durations in seconds (``_s``); the scheduler corrects times of a
node's clock before they reach these types. Energy is in microwatt-hours, carbon in micrograms of
CO2 equivalent, intensity in gCO2e/kWh, power in watts. No struct can contain a reference cycle, so
the garbage collector need not track them (``gc=False``).
"""

from math import ceil

from msgspec import UNSET, Struct, UnsetType

from entraide.candidates import Candidate, Candidates
from entraide.enums import (
    Basis,
    Control,
    DataClass,
    JobClass,
    JobKind,
    JobState,
    Lending,
    NodeState,
    Outcome,
    Promise,
    Sandbox,
    SurplusEvidence,
    Task,
)
from entraide.lent_terms import LentTerms
from entraide.models import EMBEDDINGS, OpennessClass
from entraide.settlements import (
    UNKNOWN,
    UNKNOWN_PLACE,
    ComparedModel,
    ModelQuote,
    Receipt,
    ReceiptRun,
    ServerPlace,
    Settlement,
)
from entraide.thinking import Effort, ThinkingTerms

__all__ = [
    "START_MARK", "UNKNOWN", "UNKNOWN_PLACE", "Basis", "Candidate", "Candidates", "ComparedModel",
    "Control", "DataClass", "Effort", "EnergyStatus", "Exclusion", "Explanation", "JobClass",
    "JobKind", "JobState", "Lending", "Loadable", "ModelQuote", "NodeCard", "NodeState", "Outcome",
    "Power", "Promise", "Rates", "Receipt", "ReceiptRun", "Replica", "RequestFacts", "Sandbox",
    "ServerPlace", "Settlement", "SurplusEvidence", "Task", "Terms", "ThinkingTerms", "Usage",
    "account_of",
]  # fmt: skip

ROUNDING_TOKENS = 1e-6  # far above the error of a product of floats, far below a token


class Power(Struct, frozen=True, gc=False):
    """Power of a whole machine, from its meter or its catalogue entry.

    Attributes:
        device: identifier in the hardware catalogue.
        idle_w: power while no job runs.
        active_w: power while at least one job runs.
        basis: how the two were obtained.
        wake_j, wake_s: joules and seconds to wake it for its first job; 0 if it is always on.
    """

    device: str
    idle_w: float
    active_w: float
    basis: Basis
    wake_j: float = 0.0
    wake_s: float = 0.0


PREFILL_MAX_TOKENS_PER_S = 1e7  # above every machine; a pool ignores a node that announces more


class Rates(Struct, frozen=True, gc=False):
    """Speed of one replica; with b sequences, TPOT(b) = tpot_base_s + tpot_per_sequence_s * b.

    Attributes:
        prefill_tokens_per_s: prompt tokens per second, for one sequence.
        tpot_base_s: constant part of the time per output token, seconds.
        tpot_per_sequence_s: part for each sequence in the batch, seconds.
        basis: measured (the enrolment benchmark) or default.
    """

    prefill_tokens_per_s: float
    tpot_base_s: float
    tpot_per_sequence_s: float
    basis: Basis


class Replica(Struct, frozen=True, gc=False):
    """A model that a node has loaded and serves.

    Attributes:
        model: public name, used in requests.
        revision: checksum of the weights, ``sha256:…`` or ``unknown``.
        engine: engine and version, for instance ``llama.cpp/2026.10.11549``.
        context_tokens: longest prompt plus answer of one job.
        slots: number of sequences that it runs at once.
        features: features beyond text (``tools``, ``schema``, ``images``, ``logprobs``,
            ``embeddings``), ``prefix_cache`` (it reuses a co-op's prompts), ``resume``.
        rates: its speed.
    """

    model: str
    revision: str
    engine: str
    context_tokens: int
    slots: int
    features: tuple[str, ...]
    rates: Rates


class EnergyStatus(Struct, frozen=True, gc=False):
    """Renewable energy of a node's site, as the node reports it.

    Attributes:
        surplus_w: the site's generation minus its own use, watts; never negative.
        basis: measured or declared.
        evidence: source of the number, in a few words (a meter, a declaration).
        measured_at: time of the reading, seconds since the epoch.
        expires_at: time from which it must not be used, seconds since the epoch.
    """

    surplus_w: float
    basis: Basis
    evidence: str
    measured_at: float
    expires_at: float


class Loadable(Struct, frozen=True, gc=False):
    """A model of the catalogue that a node can load, with the memory and time required.

    Attributes:
        model: public name.
        revision: checksum of the weights, ``sha256:…`` or ``unknown``.
        engine: name of the engine that would serve it.
        context_tokens, slots, features: of the replica, if loaded.
        memory_bytes: memory while loaded, weights and context.
        fetch_bytes: bytes still to download; 0 where the weights are on the node's disk.
        load_s: expected time until it serves, download included, seconds.
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
    """Description of a node, sent when it joins and whenever it changes.

    Attributes:
        node: durable identifier, bound to the node's key.
        coop: the member that owns it (set by the pool at enrolment, not by the node).
        site: name of its site.
        zone: grid zone, as Electricity Maps names it (``CA-QC``).
        power: power of the machine.
        replicas: the models that it serves.
        data_classes: data classes that its owner lets it process.
        energy: renewable energy of its site, if any.
        rtt_s: round-trip time between pool and node as the node measured it, seconds.
        agent: version of the node agent.
        loadable: models that it can load at the pool's request.
        loading: models that it is loading.
        models_bytes: memory for the models that the pool loads; 0 where the owner loads them.
        controlled_by, surplus_evidence: who controls its owner, and what backs its surplus (set
            by the pool as the operator vouches, not by the node).
        terms: its owner's hours and caps; None where the owner does not let the pool know them.
        node_key: the node's public key on the bus (set by the pool from its record, not by the
            node); "" where there is no bus.
        sandbox: what closes in the engines that it runs and could load: the weakest of them.
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
    controlled_by: Control = Control.UNSTATED
    surplus_evidence: SurplusEvidence = SurplusEvidence.NONE
    terms: LentTerms | None = None
    node_key: str = ""
    sandbox: Sandbox = Sandbox.NONE


KEY_HASH_CHARS = 24  # of the hash of an idempotency key
START_MARK = "."  # between a person and a start of that person, in the identifier of a sender


def account_of(key: str) -> str:
    """Returns the API key or the person of a sender, whichever start of the person it is.

    >>> account_of("person-0123456789ab.9f3a1c2b"), account_of("key-0123456789ab")
    ('person-0123456789ab', 'key-0123456789ab')
    """
    return key.partition(START_MARK)[0]


def idempotency_key_of(idempotency: str) -> str:
    """Returns the hash of the key alone, of what a request's ``idempotency`` contains."""
    return idempotency[:KEY_HASH_CHARS]


class RequestFacts(Struct, frozen=True, gc=False):
    """Everything that the core knows of a request; its text is not included.

    Attributes:
        job: identifier, made by the gateway.
        coop, project, key: of the sender; ``key`` identifies the API key and is not its secret.
        gateway: the gateway that holds the body.
        kind: live or kept.
        job_class, data_class, jurisdiction: as requested, else the pool's defaults. Jurisdiction
            is a prefix of the node's zone (``CA``, ``CA-QC``).
        model: the public model name.
        input_tokens_est, input_tokens_max: expected prompt tokens, and an upper bound on them.
        output_tokens_max: the client's own limit; None where it set none.
        choices: number of answers (``n``).
        features: features that the engine must have.
        stream: whether the answer is streamed.
        session: conversation identifier for affinity, or "".
        prefix_keys: keyed digests of the request's leading blocks, each of all blocks up to it; ()
            where nothing of it may be reused. The core never gets them: see ``warm``.
        warm: nodes that hold the state of a part of the prompt, and the tokens that each need not
            read; None where nothing of it may be reused. A driver sets it in place of the digests;
            () without digests stands for a prompt that may be reused and is not looked for.
        deadline_at: latest acceptable completion, seconds since the epoch.
        max_carbon_ug: the client's cap on the job's emissions, micrograms.
        idempotency: keyed hash of the client's idempotency key, of a live request followed by one
            of the whole request; or "".
        controlled_by: control that the node must have, or a closer one; else the policy's default.
        longest_input_est: low estimate of the longest input's tokens, for embeddings; else 0.
        resumable: whether a second node may continue its answer if the first is lost.
        places: where its text passes beside the nodes: the pool's server, then each server
            elsewhere; () where it is not checked, as in a simulation.
        max_wait_s: longest wait while no node would accept it, seconds; None without a limit.
        effort, thinking_budget_tokens: length of the thought and its limit (0: none), as requested.
        task, language: of the question, for the choice of an alias; None and "" where unknown.
        language_basis: how the language was obtained: ``declared`` by the client, ``estimated``
            from the text, or ``default``, the pool's, in place of which the co-op's counts.
        openness: class that the model must reach, or a higher one of the policy; "" for any.
        sandboxed: whether the node's engines must run in a sandbox, which the policy decides.
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
    controlled_by: Control = Control.UNSTATED
    longest_input_est: int = 0
    resumable: bool = False
    places: tuple[ServerPlace, ...] = ()
    max_wait_s: float | None = None
    effort: Effort = Effort.UNSTATED
    thinking_budget_tokens: int = 0
    task: Task | None = None
    language: str = ""
    language_basis: Basis = Basis.DECLARED
    openness: OpennessClass = OpennessClass.UNSTATED
    sandboxed: bool = False
    warm: tuple[tuple[str, int], ...] | None = None

    @property
    def idempotency_key(self) -> str:
        """The part of ``idempotency`` that another request may share."""
        return idempotency_key_of(self.idempotency)

    @property
    def embeds(self) -> bool:
        """Whether it asks for embeddings, which have no output tokens."""
        return EMBEDDINGS in self.features

    @property
    def account(self) -> str:
        """On whom quotas and faults count; see ``account_of``."""
        return account_of(self.key)


class Usage(Struct, frozen=True, gc=False, omit_defaults=True):
    """Tokens, energy and time of one run.

    Attributes:
        input_tokens, cached_tokens, output_tokens: as counted; the input includes cached ones.
        counted: ``measured`` (the engine's own counts) or ``estimated``.
        energy_prefill_uwh, energy_decode_uwh: the run's share of the machine's energy.
        energy_basis: how the energy was obtained.
        ttft_s: seconds from the node's receipt of the run to the first token or to the embeddings.
        run_s: time from the node's receipt of the run to its end, seconds.
        reasoning_tokens: output tokens of the model's thought; left out where there are none.
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
    reasoning_tokens: int = 0


class Terms(Struct, frozen=True, gc=False):
    """Terms fixed when a job is placed; terms and usage determine the settlement.

    Attributes:
        job, epoch: the lease.
        borrower: the co-op that sent the request.
        node, lender, site, zone: the node that runs the job, its co-op and its place.
        engine, model, revision: engine and weights that run the job.
        job_class: class of the job.
        objective_ttft_s: promised time to first token; None when the class has none.
        intensity_direct_g_per_kwh, intensity_lifecycle_g_per_kwh: effective intensity, the
            site's surplus included.
        intensity_basis: how the grid's intensity was obtained.
        surplus_basis: how the surplus was obtained; None without a surplus.
        requested_at, placed_at: times of the request and of the placement.
        policy_version: version of the policy that decided.
        at_risk: no node was predicted to keep the promise.
        smaller: energy on a smaller model; None where there is none, or its size is unknown.
        controlled_by, surplus_evidence: who controls the lender, and what backs the surplus; left
            out where unstated, so that terms of before keep their bytes and the digests over them.
        places: of the request; likewise.
        node_key: public key of the node, to whose subjects the run goes; left out likewise.
        lender_name: what people read in place of ``lender``; left out likewise.
        thinking: whether and how the model thinks; left out where it does not.
        template_tokens: tokens that the model's chat template may add to the prompt beyond those of
            a usual one; left out where there are none.
        larger: energy on the next larger model, where an alias chose this one; left out likewise.
        cached_token_part: part of a token that a prompt token found in a kept state counts; left
            out where nothing of the prompt may be reused, and then none is cached.
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
    smaller: ModelQuote | None = None
    controlled_by: Control | UnsetType = UNSET
    surplus_evidence: SurplusEvidence | UnsetType = UNSET
    places: tuple[ServerPlace, ...] | UnsetType = UNSET
    node_key: str | UnsetType = UNSET
    lender_name: str | UnsetType = UNSET
    thinking: ThinkingTerms | UnsetType = UNSET
    template_tokens: int | UnsetType = UNSET
    larger: ModelQuote | UnsetType = UNSET
    cached_token_part: float | UnsetType = UNSET

    def count_tokens(self, usage: Usage) -> int:
        """Returns the tokens that a run counts in the books: those read, and the answer's."""
        return self.count_input(usage) + usage.output_tokens

    def count_input(self, usage: Usage) -> int:
        """Returns the prompt tokens that a run counts in the books.

        Those found in a kept state count ``cached_token_part`` of a token each, rounded up in all.
        """
        part, cached = self.cached_token_part, usage.cached_tokens
        if part is UNSET or not cached:
            return usage.input_tokens
        return usage.input_tokens - cached + ceil(cached * part - ROUNDING_TOKENS)


class Exclusion(Struct, frozen=True, gc=False):
    """A node that a filter rule excluded.

    Attributes:
        node, coop, zone: the node.
        rule: stable code of the rule (the message catalogue has its sentence).
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
        at: time of the decision, seconds since the epoch.
        policy_version: version of the policy that decided.
        decision: ``placed``, ``waiting``, ``deferred`` or ``refused``.
        reason: stable code (``greenest``, ``fastest``, ``fair_share``, ``no_free_slot``, or an
            error code); the message catalogue has its sentence.
        values: the numbers and names in that sentence.
        epoch: epoch of the placement; 0 without one.
        node: the picked node, or "".
        candidates: nodes that passed every rule, best first.
        excluded: excluded nodes; of many, one example for each rule.
        excluded_counts: number of nodes that each rule excluded, listed or not.
        waiting_helps: whether waiting could change the decision.
        objective_ttft_s: promised time to first token, seconds; None where the class has none.
        coop_names: what people read in place of the identifiers of co-ops that it names.
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
    coop_names: dict[str, str] = {}
