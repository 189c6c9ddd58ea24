"""Evaluation: items from seeds, intervals that hold the truth, and rounds that end."""

import pytest
from tests.cases import all_cases
from tests.sdk import scripted_answers as scripted
from tests.sdk.scripted_answers import ENGINES, LEAST

from entraide.enums import Basis, Task
from entraide.evaluation import rounds
from entraide.evaluation.checkers import is_right
from entraide.evaluation.confidence import RateVerdict, interval, verdict
from entraide.evaluation.rounds import ITEMS_MAX, LOOKS, ItemOutcome
from entraide.evaluation.templates import load_templates, make_items
from entraide.models import EVALUATED_LANGUAGES

CELLS = [(task, language) for task in Task for language in EVALUATED_LANGUAGES]
RUNS = 1_000


def test_each_cell_has_items_enough() -> None:
    """Each task has items in both languages, as many as one may ask, and no two alike."""
    assert set(CELLS) == set(load_templates())
    for task, language in CELLS:
        items = scripted.items_of(task, language, ITEMS_MAX)

        assert ITEMS_MAX == len({item.prompt for item in items}) == len({i.name for i in items})
        assert not any("{" in item.prompt or "{" in item.example for item in items)


def test_a_seed_gives_the_same_items_everywhere() -> None:
    """The same seed gives the same questions on every machine, and another one gives others."""
    first = scripted.items_of(Task.COMPUTE, "fr", 3)
    other = scripted.items_of(Task.COMPUTE, "fr", 3, seed=1)

    assert first == scripted.items_of(Task.COMPUTE, "fr", 3)
    assert {item.prompt for item in first}.isdisjoint(item.prompt for item in other)


def test_each_template_knows_its_answer() -> None:
    """Of each template the written answer is right, and what answers nothing is wrong."""
    for task, language in CELLS:
        by_template = {item.template: item for item in scripted.items_of(task, language, 60)}
        templates = load_templates()[task, language]

        assert {template.id for template in templates} == set(by_template)
        for item in by_template.values():
            nothing = ("", "?", "Je ne sais pas.", "I do not know.", "Bonjour !", item.prompt)
            said = {
                text: is_right(item.check, text, question=item.prompt, language=language)
                for text in (item.example, *nothing)
            }

            assert [item.example] == [text for text, right in said.items() if right], item


@all_cases(("task", "language"), CELLS)
def test_checkers_see_scripted_errors(task: Task, language: str) -> None:
    """What an engine answers by script is right or wrong as it was scripted, in each cell."""
    rates = scripted.right_by_way(task, language, 40)

    assert dict.fromkeys(scripted.RIGHT, 1.0) | dict.fromkeys(scripted.WRONG, 0.0) == rates


def test_intervals_hold_the_truth() -> None:
    """In 93 % of 1,000 evaluations at least, the interval holds the engine's true rate."""
    accepted = dict.fromkeys(scripted.RIGHT, 1.0) | dict.fromkeys(scripted.WRONG, 0.0)
    table = scripted.intervals()
    for seed, (name, errors) in enumerate(ENGINES.items()):
        truth = 1.0 - sum(errors.values())
        low, high, answers = scripted.runs(
            errors, accepted, least=LEAST, times=RUNS, seed=seed, table=table
        )
        held = ((low <= truth) & (truth <= high)).mean()
        wrong = ((high < LEAST) if truth >= LEAST else (low >= LEAST)).mean()

        assert held >= 0.93, name
        assert wrong <= 0.05, name
        assert set(answers) <= set(LOOKS)


def test_an_interval_without_looking_again_misses() -> None:
    """An interval for one look misses the truth too often if one stops at a good moment."""
    accepted = dict.fromkeys(scripted.RIGHT, 1.0) | dict.fromkeys(scripted.WRONG, 0.0)
    naive = {n: scripted.np.array([_wald(s, n) for s in range(n + 1)]) for n in LOOKS}
    low, high, _ = scripted.runs(
        ENGINES["at the threshold"], accepted, least=LEAST, times=RUNS, seed=3, table=naive
    )

    assert ((low <= LEAST) & (high >= LEAST)).mean() < 0.93


def _wald(right: int, answered: int) -> tuple[float, float]:
    rate = right / answered
    margin = 1.96 * (rate * (1 - rate) / answered) ** 0.5
    return rate - margin, rate + margin


def test_intervals_agree_with_their_definition() -> None:
    """The interval holds the rate, narrows with answers, and is symmetric in right and wrong."""
    assert (0.0, 1.0) == interval(0, 0)
    assert 0.0 == interval(0, 30)[0]
    assert 1.0 == interval(30, 30)[1]
    for right, answered in ((1, 3), (8, 10), (45, 50), (330, 400)):
        low, high = interval(right, answered)
        mirrored = interval(answered - right, answered)

        assert low < right / answered < high
        assert (1 - high, 1 - low) == pytest.approx(mirrored)
        assert interval(right * 10, answered * 10)[0] > low
    assert (RateVerdict.PASSES, RateVerdict.OPEN, RateVerdict.FAILS) == (
        verdict(0.8, 0.9, LEAST), verdict(0.7, 0.9, LEAST), verdict(0.7, 0.79, LEAST)
    )  # fmt: skip


def outcome(
    item: str, *, right: bool = True, node: str = "mac-mini-m4", **changes: float
) -> ItemOutcome:
    values = {
        "energy_wh": 0.02,
        "basis": Basis.MEASURED,
        "output_tokens": 10,
        "time_s": 0.5,
        **changes,
    }
    return ItemOutcome(item, right, node, "llama.cpp", "sha256:" + "a" * 64, **values)


def test_a_cell_ends_when_it_is_decided() -> None:
    """A cell gets items until its interval lies on one side, or it has had the most; none twice."""
    least = {(Task.COMPUTE, "fr"): LEAST, (Task.ANSWER, "fr"): LEAST, (Task.ANSWER, "en"): LEAST}
    state = rounds.begin("e", "m", least, items_max=50)
    names: list[str] = []
    sizes = []
    while state.open_cells:
        items = rounds.list_round(state)
        names += [item.name for item in items]
        sizes.append(len(items))
        # French compute is always right, French answer never, English at the threshold.
        rounds.record(
            state,
            items,
            [
                outcome(i.name, right=i.task == "compute" or (i.language == "en" and n % 5 > 0))
                for n, i in enumerate(items)
            ],
        )
    verdicts = [(cell.asked, cell.answered, cell.verdict.value) for cell in state.cells]

    assert [(25, 25, "passes"), (10, 10, "fails"), (50, 50, "open")] == verdicts
    assert [30, 30, 25] == sizes
    assert len(set(names)) == len(names)


def test_unanswered_items_count_as_nothing() -> None:
    """An item whose line failed is no answer, and a name that was not asked is ignored."""
    state = rounds.begin("e", "m", {(Task.COMPUTE, "en"): LEAST})
    items = rounds.list_round(state)
    rounds.record(state, items, [outcome(items[0].name), outcome(items[0].name), outcome("other")])
    (cell,) = state.cells

    assert (10, 1, 1) == (cell.asked, cell.answered, cell.right)


def test_what_was_measured_is_said_by_machine() -> None:
    """Quality has one cell by task and language; figures have a line for each kind of machine."""
    state = rounds.begin("e", "m", {(Task.COMPUTE, "fr"): LEAST})
    items = rounds.list_round(state)
    outcomes = [
        outcome(
            item.name, right=n > 0, node="bench" if n % 2 else "mac-mini-m4", energy_wh=0.01 * n
        )
        for n, item in enumerate(items)
    ]
    rounds.record(state, items, outcomes)
    (cell,) = rounds.list_quality(state)
    figures = {line.machine: line for line in rounds.list_figures(state)}

    assert (0.9, 10, "sha256:" + "a" * 64) == (cell.rate, cell.n, cell.weights)
    assert cell.low < 0.9 < cell.high
    assert {"bench": 5, "mac-mini-m4": 5} == {name: line.answers for name, line in figures.items()}
    assert figures["bench"].energy_wh_per_answer == pytest.approx(0.05)
    assert figures["bench"].tokens_per_s == pytest.approx(20.0)
    assert rounds.is_current(state)


def test_make_items_ends() -> None:
    """Templates that give fewer items than were asked for end after those."""
    few = load_templates()[Task.ANSWER, "en"]
    capitals = tuple(template for template in few if template.id == "capital")

    assert 12 == len(list(make_items(capitals, Task.ANSWER, "en", seed=0)))
