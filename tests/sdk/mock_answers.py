"""Ready-made events and answers of a pool, for scripts of mock transports and servicers."""

from collections.abc import Sequence

from google.protobuf import struct_pb2

from entraide.v1 import common_pb2, pool_pb2

MODELS = pool_pb2.ListModelsResponse(
    models=[
        pool_pb2.Model(
            model="smollm2-135m",
            revisions=["sha256:00ff"],
            context_tokens=8_192,
            features=["repetition_penalty", "tools"],
            replicas=3,
        ),
        pool_pb2.Model(
            model="phrases",
            revisions=["sha256:11ff"],
            context_tokens=512,
            features=["embeddings", "embeddings_only"],
            replicas=1,
        ),
    ]
)
USAGE = common_pb2.Usage(input_tokens=12, cached_tokens=2, output_tokens=3, basis="measured")
RECEIPT = common_pb2.Receipt(
    job="job-1",
    coop="boreale",
    node="on-1",
    node_coop="soleil",
    site="Sudbury",
    province="CA-ON",
    engine="llama.cpp/1",
    model="smollm2-135m",
    model_revision="sha256:00ff",
    job_class="interactive",
    promise="kept",
    queue_ms=12.0,
    ttft_ms=412.0,
    usage=USAGE,
    energy_wh=0.012,
    energy_basis="default",
    carbon_gco2e=0.0,
    carbon_lifecycle_gco2e=0.000_54,
    intensity_basis="default",
    surplus_basis="declared",
    policy_version="demo-1",
    issued_at=1_000.0,
    key="pool-1",
    signature="c2ln",
)


def started(job: str = "job-1") -> pool_pb2.StreamEvent:
    """The first event of a stream."""
    return pool_pb2.StreamEvent(started=pool_pb2.Started(job=job))


def delta(text: str) -> pool_pb2.StreamEvent:
    """A piece of text."""
    return pool_pb2.StreamEvent(delta=pool_pb2.Delta(text=text))


def done(text: str) -> pool_pb2.StreamEvent:
    """The end of a stream."""
    return pool_pb2.StreamEvent(
        done=pool_pb2.Done(text=text, finish_reason="stop", usage=USAGE, receipt=RECEIPT)
    )


def embeddings(*vectors: Sequence[float]) -> list[pool_pb2.StreamEvent]:
    """A whole stream of a request for embeddings."""
    usage = common_pb2.Usage(input_tokens=12, basis="measured")
    receipt = common_pb2.Receipt()
    receipt.CopyFrom(RECEIPT)
    receipt.usage.CopyFrom(usage)
    done = pool_pb2.Done(
        usage=usage,
        receipt=receipt,
        embeddings=[pool_pb2.Embedding(values=vector) for vector in vectors],
    )
    return [started(), pool_pb2.StreamEvent(done=done)]


def answer(*pieces: str) -> list[pool_pb2.StreamEvent]:
    """A whole stream."""
    return [started(), *map(delta, pieces), done("".join(pieces))]


def job(state: str, **fields: object) -> pool_pb2.Job:
    """A job in some state."""
    return pool_pb2.Job(job="job-1", state=state, job_class="interactive", **fields)  # type: ignore[arg-type]


def values(**found: str | float) -> struct_pb2.Struct:
    """The values of a sentence."""
    message = struct_pb2.Struct()
    message.update(found)
    return message


def explanation(excluded: Sequence[common_pb2.Exclusion] = ()) -> common_pb2.Explanation:
    """Why ``job-1`` is on ``on-1``."""
    return common_pb2.Explanation(
        job="job-1",
        at=1_000.0,
        policy_version="demo-1",
        decision="placed",
        reason="greenest",
        values=values(carbon_g=0.000_02, next_node="qc-1", next_carbon_g=0.000_41),
        node="on-1",
        candidates=[
            common_pb2.Candidate(
                node="on-1",
                coop="soleil",
                zone="CA-ON",
                ttft_s=0.4,
                energy_wh=0.012,
                carbon_gco2e=0.000_02,
                surplus_w=400.0,
                intensity_basis="default",
                keeps_promise=True,
            )
        ],
        excluded=excluded,
        excluded_counts={"no_free_slot": len(excluded)},
        objective_ttft_s=2.0,
    )
