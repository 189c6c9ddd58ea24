"""Jobs: the state of each request in progress."""

from msgspec import Struct

from entraide.types import JobState
from entraide_sim.machines import Node
from entraide_sim.workload import Request


class Job(Struct, gc=False, eq=False):
    """A job in progress, as its client and its nodes see it.

    Attributes:
        request: of the client.
        node: of the last placement.
        epoch: of its last placement.
        placements: number of placements.
        placed_at, first_at, end_at: placement, first token and end of the last run, seconds since
            the epoch at the gateway; 0 if not yet.
        cached_tokens, output_tokens: of its last run.
        prefill_j, decode_j, wake_j: energy of all its runs, lost runs included, joules.
        carbon_g: their direct emissions at the actual intensity.
        state, code: final state and reason.
        runs: runs that nodes have, or that are on their way.
        begun_tokens: output tokens of a run that had begun before the simulation.
        delivered: output tokens that its client has of each run, by epoch; only of runs that other
            runs continue.
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
    begun_tokens: int = 0
    delivered: dict[int, int] = {}

    @property
    def answered_tokens(self) -> int:
        """Output tokens that its client has of earlier runs."""
        return sum(self.delivered.values())
