"""Words of explanations: "late" and "greenest" are said only where they are so."""

import random

import pytest
from msgspec.structs import replace
from tests.core.builders import MODEL, START, Pool, card, place_in, rates, replica
from tests.core.test_counterfactuals import ZONES, explained, of_request, paused
from tests.core.test_resumption import ask, leave, node

from entraide import explanations, i18n
from entraide.explanations import PartKind
from entraide.types import Explanation
from entraide_scheduler.core import events
from entraide_scheduler.core.evaluation import evaluation
from entraide_scheduler.core.explanations import rename_node
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.placement import predict
from entraide_scheduler.core.policy import Carbon
from entraide_scheduler.core.prediction import PlacementRequest

CLAIMS = ("greenest", "greenest_with_room")
SEEDS = 200


def rows(explanation: Explanation, lang: str) -> dict[str, str]:
    """The lines of the machines that could have run the job, by name."""
    shown = (PartKind.PICKED, PartKind.NODE)
    lines = [part.text for part in explanations.parts(explanation, lang) if part.kind in shown]
    return dict(zip(explanation.candidates.node, lines, strict=False))


def small_world(seed: int) -> tuple[Core, Explanation, PlacementRequest]:
    """A job of a random pool: the pool before it, its explanation, and its request."""
    draw = random.Random(seed)
    pool = Pool(carbon=Carbon(tolerance=draw.choice((0.02, 0.02, 0.3))))
    pool.tell(events.IntensityChanged, "US-NY", 0.5, 0.5, "measured", START + 1e6)
    for number in range(draw.randint(2, 5)):
        speed = rates(
            prefill_tokens_per_s=draw.choice((1_000.0, 1_000.0, 40.0)),
            tpot_base_s=draw.choice((0.02, 0.02, 0.5)),
        )
        served = replica(slots=draw.randint(1, 3), rates=speed)
        pool.join(card(f"n{number}", zone=draw.choice(ZONES), replicas=(served,)))
    for number in range(draw.randint(0, 5)):
        pool.now += draw.random()
        pool.ask(f"life{number}")
    paused(pool, *(name for name in pool.core._state.fleet.nodes if draw.random() < 0.3))
    wish = {"input_tokens_est": draw.choice((50, 120)), "jurisdiction": "CA"}
    before = Core.restore(pool.core.snapshot())
    explanation = explained(pool, "probe", **wish)
    job = of_request(before, pool, "probe", **wish)
    return before, explanation, evaluation.make_request(before._state, job, explanation.at)


def test_what_is_called_greenest_is_so_or_what_would_emit_least_is_named() -> None:
    """In random pools: of all machines with the model, the one that would emit least is told."""
    wrong, greener = [], 0
    for seed in range(SEEDS):
        core, explanation, request = small_world(seed)
        if explanation.reason not in CLAIMS or explanation.decision != "placed":
            continue
        views = core._state.fleet.replica_index.by_model[MODEL].values()
        emitted = {view.name: predict(view, request).carbon_ug for view in views}
        least = min(emitted, key=lambda name: emitted[name])
        tolerance = core._state.policy.carbon.tolerance
        if emitted[least] * (1.0 + tolerance) >= emitted[explanation.node]:
            continue
        greener += 1
        wrong += [
            (seed, least, lang)
            for lang in i18n.LANGUAGES
            if least not in explanations.sentence(explanation, lang)
        ]

    assert [] == wrong
    assert greener >= 10


def test_late_is_said_only_of_what_would_be_late() -> None:
    """In random pools: a first word that comes in time is never told as late."""
    wrong, slow = [], 0
    for seed in range(SEEDS):
        _, explanation, request = small_world(seed)
        for lang in i18n.LANGUAGES:
            late = i18n.text("explain-late", lang)
            for each in explanation.candidates:
                line = rows(explanation, lang).get(each.node, "")
                if (late in line) != (each.ttft_upper_s > request.ttft_left_s):
                    wrong.append((seed, each.node, lang))
                slow += i18n.text("explain-slow", lang) in line

    assert [] == wrong
    assert slow


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_the_greenest_machine_with_two_obstacles_is_told_with_the_first(
    pool: Pool, lang: str
) -> None:
    """It lies abroad and is paused: no single condition helps, but what emits least is told."""
    pool.tell(events.IntensityChanged, "US-NY", 0.1, 0.1, "measured", START)
    pool.join(card("abroad", zone="US-NY"), card("green"), card("here", zone="CA-AB"))
    paused(pool, "abroad")
    explanation = explained(pool)
    obstacle = i18n.rule("wrong_jurisdiction", lang, {"zone": "US-NY", "jurisdiction": "CA"})

    assert ("greenest", "green") == (explanation.reason, explanation.node)
    assert "could_node" not in explanation.values
    assert "abroad (" in explanations.sentence(explanation, lang)
    assert obstacle in explanations.sentence(explanation, lang)


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_a_first_word_that_was_in_time_is_not_told_as_late(pool: Pool, lang: str) -> None:
    """An answer that goes on elsewhere after its promised first word has kept that promise."""
    pool.join(node("n1", "beta"), node("n2", "gamma"))
    first = ask(pool)
    pool.wait(3.0, seen=("n1", "n2"))
    pool.progress(first, 30)
    leave(pool, first)
    second = pool.places()[-1].explanation
    text = explanations.render(second, lang)

    assert "fastest_to_resume" == second.reason
    assert "late_for" not in second.values
    assert second.objective_ttft_s is None
    assert [True] == second.candidates.keeps_promise
    assert i18n.text("explain-late", lang) not in text
    assert not any(word in text for word in ("at risk", "menacée", "passed", "passé"))


@pytest.mark.parametrize(
    ("lang", "word"), [("en", "keep the promise"), ("fr", "tenir la promesse")]
)
def test_a_slow_stream_is_told_as_slow_not_as_a_late_first_word(lang: str, word: str) -> None:
    """The first word comes in time: the speed after it is missed, and the sentence says so."""
    pool = Pool()
    pool.join(card("n1", replicas=(replica(rates=rates(tpot_base_s=0.5)),)))
    explanation = place_in(pool.ask("j1")).explanation
    text = explanations.sentence(explanation, lang)

    assert "stream" == explanation.values["late_for"]
    assert i18n.text("explain-slow", lang) in rows(explanation, lang)["n1"]
    assert word not in text


def test_a_forgotten_machine_leaves_every_value_of_an_explanation() -> None:
    """Its number stands wherever a sentence named it, as the next, the greener or the obstacle."""
    _, explanation, _ = small_world(0)
    names = ("node", "could_node", "next_node", "greener_node", "obstacle_node", "warm_node")
    named = replace(explanation, values=dict.fromkeys(names, "forgotten"))

    assert set(rename_node(named, "forgotten", "n-1").values.values()) == {"n-1"}
