"""Jobs, shapes, policies and own replicas for tests of the fair queue."""

from tests.core.builders import facts

from entraide.types import DataClass, JobState
from entraide_scheduler.core.policy import CoopTerms, FairShare, Policy
from entraide_scheduler.core.records import Job, OwnKind, Shape
from entraide_scheduler.core.rules import OwnSlotsChange

COOPS = ("alpha", "beta", "gamma")


def shape(
    model: str = "petit", jurisdiction: str = "CA", data_class: DataClass = DataClass.INTERNAL
) -> Shape:
    return Shape(model, (), jurisdiction, data_class, "", 4_096)


def make_job(
    serial: int,
    coop: str = "alpha",
    project: str = "main",
    *,
    where: Shape | None = None,
    prompt: int = 100,
    answer: int = 100,
    **changes,
) -> Job:
    where = where or shape()
    asked = facts(
        f"j{serial}", coop, project=project, model=where.model, input_tokens_est=prompt,
        input_tokens_max=prompt, data_class=where.data_class, **changes,
    )  # fmt: skip
    return Job(asked, JobState.QUEUED, serial, 0.0, answer, prompt + answer, where)


def policy(*coops: CoopTerms, **share) -> Policy:
    terms = coops or tuple(CoopTerms(coop) for coop in COOPS)
    return Policy("v1", terms, fair_share=FairShare(**{"own_nodes": False, **share}))


def own_kind(model: str = "petit", zone: str = "CA-QC", context_tokens: int = 8_192) -> OwnKind:
    return OwnKind(model, zone, context_tokens, (), tuple(DataClass))


def own_slots(coop: str, slots: int, kind: OwnKind | None = None) -> OwnSlotsChange:
    """A change that adds slots, all of which batch work may hold."""
    return OwnSlotsChange(coop, kind or own_kind(), slots, slots)
