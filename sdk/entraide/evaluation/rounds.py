"""Rounds of an evaluation: which items come next, and what their answers say.

Input: cells with their thresholds, then the outcomes of each round. Output: the items of the next
round, and in the end the measured quality. A cell gets further items until its interval lies on one
side of its threshold, or it has had the most that it may. The state is a struct that a file keeps,
so that an interrupted evaluation goes on without asking anything twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from entraide.enums import Basis, Task
from entraide.evaluation.confidence import RateVerdict, interval, verdict
from entraide.evaluation.templates import ITEMS_VERSION, Item, digest, load_templates, make_items
from entraide.models import MachineFigures, TaskQuality

ITEMS_MAX = 400  # of one cell
LOOKS = (10, 25, 50, 100, 200, ITEMS_MAX)  # items of a cell after each round
WEAKEST = (Basis.DEFAULT, Basis.DECLARED, Basis.ESTIMATED, Basis.MEASURED)


class Cell(Struct):
    """How far a cell is.

    Attributes:
        task, language: the cell.
        least: the policy's least rate.
        digest: of the templates.
        asked: items sent; the next round begins behind them.
        answered, right: answers, and those that are right; an item whose line failed has none.
    """

    task: Task
    language: str
    least: float
    digest: str
    asked: int = 0
    answered: int = 0
    right: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """Interval of its rate."""
        return interval(self.right, self.answered)

    @property
    def verdict(self) -> RateVerdict:
        """What its interval says about its threshold."""
        return verdict(*self.interval, self.least)


class MachineSums(Struct):
    """Sums over the answers of one kind of machine; ``timed`` of those whose time is known."""

    machine: str
    engine: str
    weights: str
    answers: int = 0
    energy_wh: float = 0.0
    basis: Basis = Basis.MEASURED
    timed_tokens: int = 0
    timed_s: float = 0.0


class Evaluation(Struct):
    """The state of an evaluation.

    Attributes:
        evaluation: identifier, by which its batches are found again.
        model: the model.
        seed: of the items.
        items_max: most items of a cell.
        cells: the cells.
        items_version: of the templates.
        round: number of the round under way, from 1 on; 0 before the first.
        batch: identifier of its batch; "" between rounds, or if it is not known yet.
        is_open: whether a round is under way.
        machines: sums by kind of machine.
    """

    evaluation: str
    model: str
    seed: int
    items_max: int
    cells: list[Cell]
    items_version: str = ITEMS_VERSION
    round: int = 0
    batch: str = ""
    is_open: bool = False
    machines: list[MachineSums] = []

    @property
    def open_cells(self) -> list[Cell]:
        """The cells that need further items."""
        most = self.items_max
        return [c for c in self.cells if c.verdict is RateVerdict.OPEN and c.asked < most]


class ItemOutcome(Struct, frozen=True):
    """What became of an answer.

    Attributes:
        item: name of the item.
        is_right: whether it is right.
        machine, engine, weights: what answered.
        energy_wh, basis: its energy.
        output_tokens: its length.
        time_s: time of the whole answer without the queue, seconds; None if it is not known.
    """

    item: str
    is_right: bool
    machine: str
    engine: str
    weights: str
    energy_wh: float
    basis: Basis
    output_tokens: int = 0
    time_s: float | None = None


def begin(
    evaluation: str,
    model: str,
    least: Mapping[tuple[Task, str], float],
    *,
    seed: int = 0,
    items_max: int = ITEMS_MAX,
) -> Evaluation:
    """Returns an evaluation of some cells, each with its least rate, before its first round."""
    templates = load_templates()
    cells = [
        Cell(task, language, rate, digest(templates[task, language]))
        for (task, language), rate in least.items()
    ]
    return Evaluation(evaluation, model, seed, items_max, cells)


def is_current(state: Evaluation) -> bool:
    """Tells whether the templates are those with which an evaluation began."""
    templates = load_templates()
    digests = {cell: digest(members) for cell, members in templates.items()}
    return state.items_version == ITEMS_VERSION and all(
        digests.get((cell.task, cell.language)) == cell.digest for cell in state.cells
    )


def next_look(asked: int, items_max: int) -> int:
    """Returns how many items a cell has had after the next round."""
    return min(next((look for look in LOOKS if look > asked), items_max), items_max)


def list_round(state: Evaluation) -> list[Item]:
    """Returns the items of the next round, or of the one under way."""
    templates = load_templates()
    items: list[Item] = []
    for cell in state.open_cells:
        made = make_items(
            templates[cell.task, cell.language], cell.task, cell.language, seed=state.seed
        )
        items += islice(made, cell.asked, next_look(cell.asked, state.items_max))
    return items


def record(state: Evaluation, items: Sequence[Item], outcomes: Iterable[ItemOutcome]) -> None:
    """Adds the outcomes of a round, and closes it."""
    by_name = {item.name: item for item in items}
    cells = {(cell.task, cell.language): cell for cell in state.open_cells}
    for cell in cells.values():
        cell.asked = next_look(cell.asked, state.items_max)
    for outcome in outcomes:
        item = by_name.pop(outcome.item, None)
        if item is not None:
            cell = cells[item.task, item.language]
            cell.answered += 1
            cell.right += outcome.is_right
            _add_machine(state, outcome)
    state.batch, state.is_open = "", False


def _add_machine(state: Evaluation, outcome: ItemOutcome) -> None:
    key = (outcome.machine, outcome.engine, outcome.weights)
    machine = next((m for m in state.machines if (m.machine, m.engine, m.weights) == key), None)
    if machine is None:
        machine = MachineSums(*key)
        state.machines.append(machine)
    machine.answers += 1
    machine.energy_wh += outcome.energy_wh
    machine.basis = min(machine.basis, outcome.basis, key=WEAKEST.index)
    if outcome.time_s is not None and outcome.time_s > 0.0:
        machine.timed_tokens += outcome.output_tokens
        machine.timed_s += outcome.time_s


def list_quality(state: Evaluation) -> tuple[TaskQuality, ...]:
    """Returns the measured quality of the cells that have answers."""
    weights = {machine.weights for machine in state.machines}
    return tuple(
        TaskQuality(
            cell.task, cell.language, cell.right / cell.answered, *cell.interval, cell.answered,
            state.items_version, cell.digest, weights.copy().pop() if len(weights) == 1 else "",
        )
        for cell in state.cells
        if cell.answered
    )  # fmt: skip


def list_figures(state: Evaluation) -> tuple[MachineFigures, ...]:
    """Returns speed and energy by kind of machine."""
    return tuple(
        MachineFigures(
            m.machine, m.engine, m.answers, m.timed_tokens / m.timed_s if m.timed_s else 0.0,
            m.energy_wh / m.answers, m.basis, m.weights,
        )
        for m in state.machines
    )  # fmt: skip


def questions_max(state: Evaluation) -> int:
    """Returns how many more questions the evaluation may ask at most."""
    return sum(state.items_max - cell.asked for cell in state.open_cells)
