"""Price of an evaluation: questions, tokens, energy and time that it may take, told before it runs.

Energy and time come from the figures that an earlier evaluation measured here; else from the
benchmark of a machine of the pool that serves the model; else from the catalogue's energy of 1,000
output tokens on the reference machine, of which tokens that are read need a tenth.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import islice

from msgspec import Struct

from entraide.evaluation.rounds import Evaluation, list_round, questions_max
from entraide.models import ModelEntry
from entraide.thinking import Thinking

BYTES_PER_TOKEN = 3.5
READ_PART = 0.1  # energy of a token that is read, as a part of that of one that is written
REFERENCE_W = 30.1  # power of the catalogue's reference machine, watts
ANSWER_TOKENS_MIN = 8
SAMPLED = 140  # items whose length is measured


class PriceBasis(StrEnum):
    """Where energy and time of a price come from."""

    MEASURED = "measured"  # an earlier evaluation on this pool
    BENCHMARK = "benchmark"  # of a machine of this pool
    CATALOGUE = "catalogue"  # the reference machine
    NONE = "none"


class MachineRates(Struct, frozen=True):
    """What the benchmark of a machine that serves the model measured.

    Attributes:
        node: name of the machine.
        prefill_tokens_per_s: tokens read per second.
        token_s: time of each token of one answer, seconds.
        active_w: power while it runs, watts.
    """

    node: str
    prefill_tokens_per_s: float
    token_s: float
    active_w: float


class Price(Struct, frozen=True):
    """What an evaluation may take.

    Attributes:
        cells: number of cells that need further items.
        questions, questions_max: of the next round, and of the rest at most.
        input_tokens, output_tokens: of the rest at most.
        energy_wh, time_s: of the rest at most, on one machine; 0 where nothing is known.
        basis: where energy and time come from.
        machine: the machine of the benchmark; "" for another basis.
    """

    cells: int
    questions: int
    questions_max: int
    input_tokens: int
    output_tokens: int
    energy_wh: float
    time_s: float
    basis: PriceBasis
    machine: str = ""


def make_price(
    state: Evaluation, entry: ModelEntry, machines: Sequence[MachineRates] = ()
) -> Price:
    """Returns the price of the rest of an evaluation.

    Args:
        state: of the evaluation.
        entry: the model.
        machines: benchmarks of the machines that serve it; that of the fastest one counts.
    """
    items, most = list_round(state), questions_max(state)
    sample = list(islice(items, SAMPLED))
    read = sum(len(item.prompt.encode()) for item in sample) / BYTES_PER_TOKEN
    written = sum(
        max(ANSWER_TOKENS_MIN, len(item.example.encode()) / BYTES_PER_TOKEN) for item in sample
    )
    scale = most / max(1, len(sample))
    read, written = read * scale, written * scale
    if entry.thinking is Thinking.ALWAYS:
        written *= 8
    answers = sum(figures.answers for figures in entry.figures)
    basis, machine = PriceBasis.NONE, ""
    if answers:
        basis = PriceBasis.MEASURED
        energy_wh = most * sum(f.answers * f.energy_wh_per_answer for f in entry.figures) / answers
        rates = [figures.tokens_per_s for figures in entry.figures if figures.tokens_per_s]
        time_s = written / max(rates) if rates else 0.0
    elif machines:
        basis = PriceBasis.BENCHMARK
        times = {m: read / m.prefill_tokens_per_s + written * m.token_s for m in machines}
        fastest = min(times, key=lambda each: (times[each], each.node))
        time_s, machine = times[fastest], fastest.node
        energy_wh = fastest.active_w * time_s / 3_600
    else:
        energy_wh = entry.energy_wh_per_1k_tokens * (written + READ_PART * read) / 1_000
        time_s = energy_wh * 3_600 / REFERENCE_W
        basis = PriceBasis.CATALOGUE if energy_wh else PriceBasis.NONE
    return Price(
        len(state.open_cells), len(items), most, round(read), round(written), energy_wh, time_s,
        basis, machine,
    )  # fmt: skip
