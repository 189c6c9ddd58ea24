"""Which model answers an office's questions in a month: energy and right answers of each choice.

The study's office asks questions of seven kinds in two languages; the pool serves three sizes. The
true rate of right answers of each size, kind and language is drawn by seeds that nobody tunes. Each
cell is measured as ``entraide models evaluate`` does: until its interval lies on one side of the
policy's least rate, at most 400 answers. The core then places each question by ``auto``; whether
the answer is right is drawn by the true rate. Other choices answer the same questions: always one
size, the size that is best over the whole month, any size at random, and an oracle that knows the
true rates and takes, by kind and language, the least energy that reaches the least rate (where none
does, the best).

    python -m benchmarks.model_choice [--json] [--seeds N] [--questions N]

Rows: ``pool, choice, wh, right, below, below_part, wh_over_oracle, right_over_oracle``: mean energy
of a month, part of right answers, pairs of kind and language over all seeds whose true rate lies
below the least rate though a size reaches it, the part of these in all pairs, and the distances to
the oracle. Pools: ``drawn``; ``small_as_good``: the small model has the large one's rates;
``small_bad``: it has half of what was drawn. Energy is the core's own expectation; no engine runs.
"""

import random
from collections.abc import Callable

from benchmarks.support.common import make_parser, print_rows
from msgspec import Struct

from entraide.enums import Basis, DataClass, JobClass, JobKind, Task
from entraide.evaluation.confidence import RateVerdict, interval, verdict
from entraide.evaluation.rounds import LOOKS
from entraide.models import (
    AUTO,
    EVALUATED_LANGUAGES,
    Catalogue,
    ModelEntry,
    ModelSize,
    Openness,
    TaskQuality,
)  # fmt: skip
from entraide.types import NodeCard, Power, Rates, Replica, RequestFacts
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, Policy

COOP = "bureau"
LEAST = Policy(version="month").quality.least
BILLIONS = {"small": 2, "medium": 8, "large": 24}
RANGES = {"small": (0.3, 0.95), "medium": (0.55, 0.97), "large": (0.75, 0.99)}  # of true rates
SIZES = dict(zip(BILLIONS, ModelSize, strict=True))
INPUT_TOKENS, OUTPUT_TOKENS = 400, 128

Cell = tuple[Task, str]
CELLS: list[Cell] = [(task, language) for task in Task for language in EVALUATED_LANGUAGES]
Rates3 = dict[str, dict[Cell, float]]  # true rates by model and cell
Choice = Callable[[Cell, random.Random], str]


class Row(Struct, frozen=True):
    """A choice's month in one kind of pool; means over the seeds."""

    pool: str
    choice: str
    wh: float
    right: float
    below: int
    below_part: float
    wh_over_oracle: float
    right_over_oracle: float


def draw_rates(pool: str, draws: random.Random) -> Rates3:
    """Returns the true rates of a pool's models."""
    rates = {name: {cell: draws.uniform(*ends) for cell in CELLS} for name, ends in RANGES.items()}
    if pool == "small_as_good":
        rates["small"] = rates["large"]
    if pool == "small_bad":
        rates["small"] = {cell: rate / 2 for cell, rate in rates["small"].items()}
    return rates


def measure(cell: Cell, rate: float, draws: random.Random) -> TaskQuality:
    """Returns what an evaluation measures of a cell with a true rate."""
    right = answered = 0
    low, high = 0.0, 1.0
    for look in LOOKS:
        right += sum(draws.random() < rate for _ in range(look - answered))
        answered = look
        low, high = interval(right, answered)
        if verdict(low, high, LEAST) is not RateVerdict.OPEN:
            break
    return TaskQuality(*cell, right / answered, low, high, answered, "1", "ab" * 32)


def make_core(rates: Rates3, draws: random.Random) -> Core:
    """Returns a core whose pool serves the three measured models on one machine."""
    core = Core()
    entries = []
    for name, billions in BILLIONS.items():
        quality = tuple(measure(cell, rates[name][cell], draws) for cell in CELLS)
        parameters = billions * 1_000_000_000
        entries.append(
            ModelEntry(
                name, name, SIZES[name], parameters, parameters, "Apache-2.0",
                Openness.OPEN_SOURCE, EVALUATED_LANGUAGES, (), 8_192, 100_000, (), quality=quality,
            )
        )  # fmt: skip
    replicas = tuple(
        Replica(
            name, "sha256:1", "llama.cpp/1", 8_192, 4, (),
            Rates(6_000.0 / billions, billions / 200, billions / 2_000, Basis.MEASURED),
        )
        for name, billions in BILLIONS.items()
    )  # fmt: skip
    card = NodeCard(
        "n1", COOP, "bureau", "CA-QC", Power("bench", 10.0, 110.0, Basis.DECLARED), replicas,
        tuple(DataClass), None, 0.001, "1",
    )  # fmt: skip
    core.handle(events.PolicyChanged(1, 0.0, Policy(version="month", coops=(CoopTerms(COOP),))))
    core.handle(events.IntensityChanged(2, 0.0, "CA-QC", 1.5, 31.0, Basis.MEASURED, 1e9))
    core.handle(events.CatalogueChanged(3, 0.0, Catalogue(1, 0.0, tuple(entries))))
    core.handle(events.NodeJoined(4, 0.0, card, True, ""))
    return core


def place(snapshot: bytes, model: str, cell: Cell) -> tuple[str, float]:
    """Returns the model that a fresh core takes for a question, and the Wh that it expects."""
    core = Core.restore(snapshot)
    facts = RequestFacts(
        "j1", COOP, "", "key", "gateway", JobKind.LIVE, JobClass.STANDARD, DataClass.INTERNAL,
        "CA", model, INPUT_TOKENS, INPUT_TOKENS + 100, OUTPUT_TOKENS, task=cell[0],
        language=cell[1],
    )  # fmt: skip
    asked = core.handle(events.JobRequested(9, 0.0, facts))
    (placed,) = [command for command in asked if type(command) is commands.Place]
    return placed.terms.model, float(placed.explanation.values["energy_wh"])


def oracle(rates: Rates3, wh: dict[str, float], cell: Cell) -> str:
    """Returns the least energy among models that truly reach the least rate, else the best."""
    good = [name for name in BILLIONS if rates[name][cell] >= LEAST]
    if good:
        return min(good, key=wh.__getitem__)
    return max(BILLIONS, key=lambda name: rates[name][cell])


def simulate(pool: str, seed: int, questions: int) -> dict[str, tuple[float, int, int]]:
    """Returns Wh, right answers and cells below the least rate of a month, by choice."""
    draws = random.Random(f"{pool} {seed}")
    rates = draw_rates(pool, draws)
    snapshot = make_core(rates, draws).snapshot()
    wh = {name: place(snapshot, name, CELLS[0])[1] for name in BILLIONS}
    auto = {cell: place(snapshot, AUTO, cell)[0] for cell in CELLS}
    asked = [(draws.choice(CELLS), draws.random()) for _ in range(questions)]
    best = max(BILLIONS, key=lambda name: sum(rates[name].values()))
    choices: dict[str, Choice] = {
        "oracle": lambda cell, _: oracle(rates, wh, cell),
        "auto": lambda cell, _: auto[cell],
        "always_large": lambda *_: "large",
        "always_small": lambda *_: "small",
        "best_single": lambda *_: best,
        "random": lambda _, own: own.choice(list(BILLIONS)),
    }
    months = {}
    for name, choose in choices.items():
        own = random.Random(seed)
        answers = [(choose(cell, own), cell, luck) for cell, luck in asked]
        below = sum(
            rates[choose(cell, own)][cell] < LEAST <= max(rates[model][cell] for model in BILLIONS)
            for cell in CELLS
        )
        right = sum(luck < rates[model][cell] for model, cell, luck in answers)
        months[name] = sum(wh[model] for model, _, _ in answers), right, below
    return months


def run(seeds: int, questions: int) -> list[Row]:
    """Returns the rows of all pools and choices."""
    rows = []
    for pool in ("drawn", "small_as_good", "small_bad"):
        months = [simulate(pool, seed, questions) for seed in range(seeds)]
        means = {
            choice: [sum(month[choice][part] for month in months) / seeds for part in range(3)]
            for choice in months[0]
        }
        oracle_wh, oracle_right, _ = means["oracle"]
        for choice, (wh, right, below) in means.items():
            rows.append(
                Row(
                    pool, choice, round(wh, 2), round(right / questions, 4), round(below * seeds),
                    round(below / len(CELLS), 5), round(wh / oracle_wh - 1, 4),
                    round((right - oracle_right) / questions, 4),
                )
            )  # fmt: skip
    return rows


def main() -> None:
    """Runs the simulated months."""
    parser = make_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=40, metavar="N")
    parser.add_argument("--questions", type=int, default=5_000, metavar="N")
    options = parser.parse_args()
    print_rows(run(options.seeds, options.questions), as_json=options.json)


if __name__ == "__main__":
    main()
