"""Candidates: the nodes that could have run a job, with what was predicted for each."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import astuple

from entraide.enums import Basis


class Candidate(Struct, frozen=True, gc=False):
    """A node that could have run the job, with what was predicted for it.

    ``ttft_s`` is the mean; ``ttft_upper_s`` is the quantile of the class's confidence.
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
    """Candidates as columns, so that a decision over many nodes is encoded as a few lists.

    It reads as a sequence of ``Candidate``. The columns are ``Candidate``'s fields.
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
        rows = [astuple(candidate) for candidate in candidates]
        return cls(*map(list, zip(*rows, strict=True))) if rows else cls()

    def __len__(self) -> int:
        return len(self.node)

    def __getitem__(self, index: int) -> Candidate:
        return Candidate(*[column[index] for column in astuple(self)])

    def __iter__(self) -> Iterator[Candidate]:
        return (Candidate(*row) for row in zip(*astuple(self), strict=True))
