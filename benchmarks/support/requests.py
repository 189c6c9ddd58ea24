"""Requests: an interactive request, as the benchmarks of the core and of its queue send it."""

from typing import Any

from entraide.types import DataClass, JobClass, JobKind, RequestFacts


def make_request(job: str, coop: str, model: str, **changes: Any) -> RequestFacts:
    """Returns a request.

    Args:
        job: its identifier.
        coop: of its sender.
        model: which it names.
        **changes: further fields, or other values of these.
    """
    values = {
        "project": "main",
        "key": "key",
        "gateway": "gateway",
        "kind": JobKind.LIVE,
        "job_class": JobClass.INTERACTIVE,
        "data_class": DataClass.INTERNAL,
        "jurisdiction": "CA",
    }
    return RequestFacts(job=job, coop=coop, model=model, **{**values, **changes})
