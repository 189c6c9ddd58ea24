"""Jobs: what a world keeps of each request that is under way."""

from msgspec import Struct

from entraide.types import JobState
from entraide_sim.nodes import Node
from entraide_sim.workload import Request


class Job(Struct, gc=False, eq=False):
    """A job under way, as its client and its machines see it.

    Attributes:
        request: what was asked.
        node: where it ran last.
        epoch: of its last placement.
        placements: how often it was placed.
        placed_at, first_at, end_at: of its last placement, seconds since the epoch; 0 while not
            so. The first token and the end count when they have reached the gateway.
        cached_tokens, output_tokens: of its last run.
        prefill_j, decode_j, wake_j: energy of all its runs, those lost too, joules.
        carbon_g: what was emitted for them, actual intensity, direct.
        state, code: how it ended.
        runs: how many runs of it machines have, or will get.
    """

    request: Request
    node: Node | None = None
    epoch: int = 0
    placements: int = 0
    placed_at: float = 0.0
    first_at: float = 0.0
    end_at: float = 0.0
    cached_tokens: int = 0
    output_tokens: int = 0
    prefill_j: float = 0.0
    decode_j: float = 0.0
    wake_j: float = 0.0
    carbon_g: float = 0.0
    state: JobState = JobState.QUEUED
    code: str = ""
    runs: int = 0
