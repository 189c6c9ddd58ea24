"""The gateway's limits of one run are those of its lease."""

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from tests.contract.samples import TERMS
from tests.core.builders import facts

from entraide.wire.messages import JobPlaced
from entraide_scheduler.gateway.jobs.run_limits import RunLimits


def granted(template_tokens: int | UnsetType) -> int:
    """The prompt tokens of a run whose prompt has 100 at most with a usual template."""
    terms = replace(TERMS, template_tokens=template_tokens)
    placed = JobPlaced("j1", 1, "n1", 64, terms)
    return RunLimits.from_placement(facts("j1", input_tokens_max=100), placed).input_tokens


def test_a_template_that_shows_much_is_within_the_limits() -> None:
    """A run may report what its model's template adds beyond a usual one."""
    assert (100, 520) == (granted(UNSET), granted(420))
