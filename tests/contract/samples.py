"""One message of each kind, with every field away from its default where it has one."""

import typing

import msgspec
from msgspec import structs

from entraide.lent_terms import LentCaps, LentHours, LentTerms
from entraide.types import (
    Basis,
    Candidate,
    Candidates,
    Control,
    DataClass,
    EnergyStatus,
    Exclusion,
    Explanation,
    JobClass,
    JobKind,
    JobState,
    Lending,
    Loadable,
    NodeCard,
    Outcome,
    Power,
    Promise,
    Rates,
    Receipt,
    Replica,
    RequestFacts,
    SurplusEvidence,
    Terms,
    Usage,
)
from entraide.wire import codec
from entraide.wire import messages as m
from entraide.wire.cards import JobWait, ModelCard
from entraide.wire.enrolment import JoinRequest, JoinResponse
from entraide.wire.pool_state import (
    CoopState,
    HourIntensity,
    MachineCard,
    MachineModel,
    PoolState,
    QuotaState,
    SiteSurplus,
    WaitingJobs,
    WorkHour,
    ZoneCard,
)

LENT = LentTerms(
    (LentHours((0, 1, 2), 1_080, 480),), LentCaps(8.0, 200.0), Lending.OWN_ONLY, LentCaps(4.0, 60.0)
)
ENERGY = EnergyStatus(400.0, Basis.DECLARED, "statement of the co-op", 1_000.0, 1_600.0)
CARD = NodeCard(
    node="on-1",
    coop="soleil",
    site="Sudbury",
    zone="CA-ON",
    power=Power("mac-mini-m4", 4.0, 40.0, Basis.DEFAULT),
    replicas=(
        Replica(
            model="smollm2-135m",
            revision="sha256:00ff",
            engine="llama.cpp/1",
            context_tokens=8_192,
            slots=4,
            features=("tools", "schema"),
            rates=Rates(900.0, 0.01, 0.002, Basis.MEASURED),
        ),
    ),
    data_classes=(DataClass.PUBLIC, DataClass.INTERNAL),
    energy=ENERGY,
    rtt_s=0.012,
    agent="0.1.0",
)
OFFERING = structs.replace(
    CARD,
    loadable=(Loadable("qwen3-1.7b", "sha256:01", "mlx-lm", 4_096, 2, ("tools",), 10, 5, 1.5),),
    loading=("qwen3-1.7b",),
    models_bytes=8_000_000_000,
    controlled_by=Control.MEMBER,
    surplus_evidence=SurplusEvidence.METER,
    terms=LENT,
)
FACTS = RequestFacts(
    job="job-1",
    coop="boreale",
    project="accueil",
    key="key-1",
    gateway="gw-1",
    kind=JobKind.KEPT,
    job_class=JobClass.BATCH,
    data_class=DataClass.RESTRICTED,
    jurisdiction="CA-QC",
    model="smollm2-135m",
    input_tokens_est=120,
    input_tokens_max=480,
    output_tokens_max=64,
    choices=2,
    features=("images",),
    stream=True,
    session="s-1",
    prefix_keys=(1, 2**63),
    deadline_at=2_000.5,
    max_carbon_ug=900,
    idempotency="once",
)
TERMS = Terms(
    job="job-1",
    epoch=1_048_577,
    borrower="boreale",
    node="on-1",
    lender="soleil",
    site="Sudbury",
    zone="CA-ON",
    engine="llama.cpp/1",
    model="smollm2-135m",
    revision="sha256:00ff",
    job_class=JobClass.INTERACTIVE,
    objective_ttft_s=2.0,
    intensity_direct_g_per_kwh=30.5,
    intensity_lifecycle_g_per_kwh=60.25,
    intensity_basis=Basis.DEFAULT,
    surplus_basis=Basis.DECLARED,
    requested_at=1_000.25,
    placed_at=1_000.5,
    policy_version="demo-1",
    at_risk=True,
)
USAGE = Usage(120, 20, 64, Basis.MEASURED, 4_000, 8_000, Basis.DEFAULT, 0.4, 1.9)
RECEIPT = Receipt(
    job="job-1",
    coop="boreale",
    node="on-1",
    node_coop="soleil",
    site="Sudbury",
    province="CA-ON",
    engine="llama.cpp/1",
    model="smollm2-135m",
    model_revision="sha256:00ff",
    job_class=JobClass.INTERACTIVE,
    promise=Promise.KEPT,
    at_risk=False,
    queue_ms=250.0,
    ttft_ms=650.0,
    input_tokens=120,
    cached_tokens=20,
    output_tokens=64,
    tokens_basis=Basis.MEASURED,
    energy_wh=0.012,
    energy_basis=Basis.DEFAULT,
    carbon_gco2e=0.0,
    carbon_lifecycle_gco2e=0.000_54,
    intensity_g_per_kwh=0.0,
    intensity_basis=Basis.DEFAULT,
    surplus_basis=Basis.DECLARED,
    policy_version="demo-1",
    settled=True,
    issued_at=1_002.5,
    key="pool-1",
    signature="c2ln",
)
EXPLANATION = Explanation(
    job="job-1",
    at=1_000.5,
    policy_version="demo-1",
    decision="placed",
    reason="greenest",
    values={"carbon_g": 0.000_02, "next_node": "qc-1", "next_carbon_g": 0.000_41},
    epoch=1_048_577,
    node="on-1",
    candidates=Candidates.of(
        (
            Candidate(
                "on-1", "soleil", "CA-ON", 0.4, 0.02, 12_000, 20, 1.5, Basis.DEFAULT, 400.0, True
            ),
            Candidate(
                "qc-1", "boreale", "CA-QC", 2.4, 0.02, 9_000, 410, 1.7, Basis.DEFAULT, 0.0, False
            ),
        )
    ),
    excluded=(Exclusion("ab-1", "prairie", "CA-AB", "no_free_slot", {"slots": 4}, True),),
    excluded_counts={"no_free_slot": 1},
    waiting_helps=True,
    objective_ttft_s=2.0,
)
RUNS = (("job-1", 1_048_577), ("job-2", 1_048_580))

POOL_STATE = PoolState(
    at=1_000.5,
    policy_version="2026-11",
    intensity_basis="direct",
    queued=3,
    running=2,
    machines=(
        MachineCard(
            "on-1", "soleil", "Sudbury", "CA-ON", "mac-mini-m4", "live", True, "", False,
            (MachineModel("smollm2-135m", 4, 2, True),), ("mistral",), "member",
            SiteSurplus(400.0, 200.0, "declared", "contract", 1_000.0, 1_600.0),
        ),
    ),
    machines_total=1,
    waiting=(WaitingJobs("no_free_slot", "batch", 3),),
    zones=(
        ZoneCard(
            "CA-ON", 38.0, 73.0, "measured", 3_600.0,
            (HourIntensity(38.0, "actual"), HourIntensity(None, "")), 900.0, "series", 960.0,
        ),
    ),
    work=(WorkHour("CA-ON", 7_200.0, 1, 40),),
    coop=CoopState(
        coop="boreale",
        quotas=(QuotaState("tokens", "day", 1_000, 10.0, 5.0, 985.0, 86_400.0, "main", "key-1"),),
        balance_tokens=-120,
        balance_uwh=-4_000_000,
        balance_ug=-9_000,
        shares=1.0,
        credit=0.125,
        weight=1.125,
        credit_most=0.25,
        half_life_s=604_800.0,
        full_tokens=5_000_000.0,
        gift_tokens=2_500_000.0,
        running=2,
        queued=3,
        in_flight_tokens=4_096,
        cap_tokens=65_536,
        lend_part=0.5,
        lend_wh_per_day=200,
    ),
)  # fmt: skip

SAMPLES: tuple[m.Message, ...] = (
    m.Hello(CARD, "boot-1", 1, 1_000.125, False, "draining", RUNS, 1),
    m.Heartbeat("boot-1", 2, 1_001.125, True, "", 3, ENERGY),
    m.Accept("job-1", 1_048_577),
    m.Decline("job-1", 1_048_577, "full", {"slots": 4, "load": 1.5, "why": "busy"}),
    m.Progress("job-1", 1_048_577, 12),
    m.UsageReport("job-1", 1_048_577, Outcome.FAILED, "engine_failed", True, USAGE),
    m.Goodbye("goodbye"),
    m.LoadFailed("qwen3-1.7b", "disk_full", {"needed_gb": 1.5}),
    m.CatalogueRequest("00ff"),
    m.Welcome(1.0, RUNS, 1, "1.19.0", 1_000.25, 0.5),
    m.HelloRequest(),
    m.LoadModel("qwen3-1.7b"),
    m.UnloadModel("qwen3-1.7b"),
    m.CatalogueReply(b"{}", b"signed"),
    m.UsageAck("job-1", 1_048_577),
    m.StopRun("job-1", 1_048_577),
    m.IdentityRenewed("ey.ey.sig"),
    m.ApprovalPending(),
    m.StartRun(
        "job-1", 1_048_577, "gw-1", "/v1/completions", "m", True, b'{"a":"\xc3\xa9"}', "x25519"
    ),
    m.CancelRun("job-1", 1_048_577),
    m.ForgetPartition(b"\x07" * m.OWNER_BYTES),
    m.Tokens("job-1", 1_048_577, 12, 3, b"data: {}\n\n"),
    m.RunEnded("job-1", 1_048_577, Outcome.COMPLETED, "", {"n": 1}, 64, b"{}", b"[]", USAGE),
    m.GatewayHeartbeat("boot-9", "1.19.0", "https://entraide.example"),
    m.GatewayGoodbye("boot-9"),
    m.JobsHeld(("job-1", "job-2")),
    m.SubmitJob(FACTS),
    m.CancelJob("job-1", "client_gone"),
    m.AbandonPlacement("job-1", 1_048_577, "stream_broken"),
    m.LeaseExceeded("job-1", 1_048_577, "on-1", "stream_tokens", 64),
    m.AnswerResumed("job-1", 1_048_578, ((1_048_577, 12),)),
    m.AnswerReceived("job-1", 1_048_577, "on-1", USAGE, ((1_048_576, 7),)),
    m.AnswersSent((("job-1", 1_048_577, 7),), is_first=False),
    m.ExplanationRequest("job-1", "boreale"),
    m.JoinedParts((b"\x90", b"\x91\x01")),
    m.ModelsRequest(),
    m.PoolRequest("boreale"),
    m.EnrolmentQuery(
        JoinRequest(token="join_abc", node_public_key="UDXU4", node_name="mini", zone="CA-QC"),
        "203.0.113.9",
    ),
    m.JobPlaced("job-1", 1_048_577, "on-1", 64, TERMS),
    m.JobRefused("job-1", "quota_tokens", {"limit": 1_000, "left": 12}, 3_600.0),
    m.JobEnded("job-1", JobState.FAILED, "node_lost", 1_048_577, {}),
    m.JobUnknown("job-1"),
    m.JobsWaiting((JobWait("job-1", "no_node_live", 3, 30.0),)),
    m.GatewayHeard("boot-9", 7, True, ("job-1",)),
    m.KeyRevoked("key-1"),
    m.NodeRevoked("on-1"),
    m.SigninEnded("person-1", "session-1"),
    m.ExplanationReply(EXPLANATION, RECEIPT),
    m.EnrolmentReply(
        JoinResponse(
            node="mini",
            coop="boreale",
            jwt="ey.ey.sig",
            nats_urls=("tls://pool.coop:4222",),
            zone="CA-QC",
            controlled_by=Control.MEMBER,
            data_classes=(DataClass.PUBLIC,),
        ),
        "",
        {},
        None,
    ),
    m.ModelsReply((ModelCard("smollm2-135m", ("sha256:00ff",), 8_192, ("tools",), 3),)),
    m.PoolReply(POOL_STATE),
)

# Each decoder with the messages that may come to it.
DOORS: dict[str, tuple[msgspec.msgpack.Decoder[typing.Any], typing.Any]] = {
    "node_up": (codec.node_up, m.NodeUp),
    "node_down_ctl": (codec.node_down_ctl, m.NodeDownCtl),
    "node_in": (codec.node_in, m.NodeIn),
    "node_out": (codec.node_out, m.NodeOut),
    "joined_parts": (codec.joined_parts, m.JoinedParts),
    "gateway_up": (codec.gateway_up, m.GatewayUp),
    "gateway_down": (codec.gateway_down, m.GatewayDown),
    "explained": (codec.explanation_reply, m.ExplanationReply),
    "models": (codec.models_reply, m.ModelsReply),
    "pool": (codec.pool_reply, m.PoolReply),
    "enrolled": (codec.enrolment_reply, m.EnrolmentReply),
}


def tag(message: m.Message | type[m.Message]) -> str:
    """The tag of a message on the wire."""
    return str(message.__struct_config__.tag)


def kinds(union: typing.Any) -> tuple[type[m.Message], ...]:
    """The messages of a union, or the one message that it is."""
    return typing.get_args(union) or (union,)


def decoder(message: m.Message) -> msgspec.msgpack.Decoder[typing.Any]:
    """The decoder at the door where a message comes in."""
    return next(door for door, union in DOORS.values() if type(message) in kinds(union))
