"""Choice of a model by task and language: an alias means one that is measured and good enough."""

from typing import Any

import pytest
from msgspec import UNSET
from tests.core.builders import (
    GB,
    Pool,
    card,
    catalogue,
    entry,
    loadable,
    of,
    place_in,
    policy,
    rates,
    replica,
)  # fmt: skip

from entraide import i18n
from entraide.models import (
    Artefact,
    ArtefactFile,
    ModelEntry,
    ModelSize,
    OpennessClass,
    TaskQuality,
)
from entraide.quality_terms import QualityException, QualityTerms
from entraide.thinking import Thinking
from entraide.types import Basis, Effort, Task, Terms
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopTerms, find_faults

SUMMARISE, ANSWER = Task.SUMMARISE, Task.ANSWER


def cell(
    low: float, high: float = 1.0, task: Task = SUMMARISE, lang: str = "fr", weights: str = ""
) -> TaskQuality:
    """A measured cell with an interval."""
    return TaskQuality(task, lang, (low + high) / 2, low, high, 60, "1", "ab" * 32, weights)


def sized(billions: int, *quality: TaskQuality, **changes: Any) -> ModelEntry:
    """A model of the catalogue, ``m1``, ``m7`` or ``m30`` by its parameters."""
    size = {1: ModelSize.SMALL, 7: ModelSize.MEDIUM, 30: ModelSize.LARGE}[billions]
    parameters = billions * GB
    fields = {"parameters": parameters, "active_parameters": parameters, "quality": quality}
    return entry(f"m{billions}", size, **{**fields, **changes})


def started(pool: Pool, *entries: ModelEntry, **changes: Any) -> None:
    """A pool with one node that serves ``m1``, ``m7`` and ``m30``, each slower than the last."""
    replicas = tuple(
        replica(f"m{size}", rates=rates(tpot_base_s=size / 100)) for size in (1, 7, 30)
    )
    pool.tell(events.CatalogueChanged, catalogue(*entries))
    pool.join(card("n1", **{"replicas": replicas, **changes}))


FRENCH = {"task": SUMMARISE, "language": "fr"}
BAD, UNSURE, GOOD = cell(0.3, 0.5), cell(0.7, 0.9), cell(0.85)
# What m1, m7 and m30 have; the request's alias and options; the model, and how it stands.
CHOICES: dict[str, tuple[tuple[tuple[TaskQuality, ...], ...], str, dict[str, Any], str, str]] = {
    "the least energy of those that pass": (
        ((GOOD,), (GOOD,), (GOOD,)), "auto", FRENCH, "m1", "passes",
    ),
    "not one that fails": (((BAD,), (GOOD,), (GOOD,)), "auto", FRENCH, "m7", "passes"),
    "not one of which it is undecided": (
        ((BAD,), (UNSURE,), (GOOD,)), "auto", FRENCH, "m30", "passes",
    ),
    "not one that nobody measured": (((), (), (GOOD,)), "auto", FRENCH, "m30", "passes"),
    "undecided before not measured": (((), (UNSURE,), (BAD,)), "auto", FRENCH, "m7", "undecided"),
    "not measured before one that fails": (((BAD,), (), ()), "auto", FRENCH, "m7", "unmeasured"),
    "the best of those that fail": (
        ((BAD,), (cell(0.4, 0.6),), (cell(0.35, 0.7),)), "auto", FRENCH, "m7", "fails",
    ),
    "within its size": (((BAD,), (GOOD,), (GOOD,)), "grand", FRENCH, "m30", "passes"),
    "in the other language, what is measured in that one": (
        ((BAD, cell(0.9, lang="en")), (GOOD,), ()), "auto", {"task": SUMMARISE, "language": "en"},
        "m1", "passes",
    ),
    "without a task, one that is good enough at each": (
        ((GOOD,), tuple(cell(0.9, task=task) for task in Task), ()), "auto", {"language": "fr"},
        "m7", "passes",
    ),
    "without a language, one that is good enough in both": (
        ((GOOD, cell(0.3, 0.4, lang="en")), (GOOD, cell(0.9, lang="en")), ()), "auto",
        {"task": SUMMARISE}, "m7", "passes",
    ),
    "by name, that one, however bad": (((BAD,), (GOOD,), (GOOD,)), "m1", FRENCH, "m1", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOICES)
def test_an_alias_means_a_model_that_is_good_enough(pool: Pool, case: str) -> None:
    """An alias means the least energy among models whose lower bound passes, else as documented."""
    quality, model, options, expected, standing = CHOICES[case]
    started(pool, *(sized(size, *cells) for size, cells in zip((1, 7, 30), quality, strict=True)))
    place = place_in(pool.ask("j1", model=model, **options))

    assert (expected, standing) == (
        place.terms.model, place.explanation.values.get("quality", "")
    )  # fmt: skip


def test_energy_decides_and_not_the_size(pool: Pool) -> None:
    """A larger model that takes less energy is meant, where both are good enough."""
    slow = replica("m1", rates=rates(tpot_base_s=1.0))
    fast = replica("m7", rates=rates(tpot_base_s=0.01))
    started(pool, sized(1, GOOD), sized(7, GOOD), replicas=(slow, fast))

    assert "m7" == place_in(pool.ask("j1", model="auto", **FRENCH)).terms.model


def test_the_policy_says_what_is_good_enough(pool: Pool) -> None:
    """The least rate of the task and language decides, and a new policy moves waiting jobs."""
    started(pool, sized(1, GOOD), sized(7, cell(0.97)))
    terms = QualityTerms(0.8, (QualityException(0.95, SUMMARISE, "fr"),))
    before = place_in(pool.ask("j1", model="auto", **FRENCH))
    pool.tell(events.PolicyChanged, policy(quality=terms))
    after = place_in(pool.ask("j2", model="auto", **FRENCH))

    values = after.explanation.values
    assert ("m1", "m7") == (before.terms.model, after.terms.model)
    assert (0.97, 0.95, 60) == tuple(
        values[name] for name in ("right_low", "right_least", "right_answers")
    )


def test_a_question_does_not_go_to_a_model_that_lacks_its_language(pool: Pool) -> None:
    """Without a measurement, a model whose authors list the language goes first."""
    started(pool, sized(1, languages=("en",)), sized(7, languages=("fr", "en")))
    french = place_in(pool.ask("j1", model="auto", language="fr"))
    english = place_in(pool.ask("j2", model="auto", language="en"))

    assert [("m7", "unmeasured"), ("m1", "unmeasured")] == [
        (place.terms.model, place.explanation.values["quality"]) for place in (french, english)
    ]


def test_a_text_that_shows_no_language_takes_the_co_ops(pool: Pool) -> None:
    """The co-op's language counts in place of the pool's, and not in place of what a text shows."""
    started(pool, sized(1, languages=("en",)), sized(7, languages=("fr", "en")))
    pool.tell(events.PolicyChanged, policy(CoopTerms("alpha", language="en"), "beta"))
    asked = [
        place_in(pool.ask(f"j{number}", coop, model="auto", language="fr", language_basis=basis))
        for number, (coop, basis) in enumerate(
            (("alpha", Basis.DEFAULT), ("beta", Basis.DEFAULT), ("alpha", Basis.ESTIMATED))
        )
    ]

    assert [("m1", "en", "default"), ("m7", "fr", "default"), ("m7", "fr", "estimated")] == [
        (
            place.terms.model,
            place.explanation.values["asked_language"],
            place.explanation.values["language_basis"],
        )
        for place in asked
    ]


# What the nodes serve of m1, or could load; and whether its card, on the weights "abc", counts.
WEIGHTS: dict[str, tuple[tuple[str, ...], str, bool]] = {
    "the measured ones": (("sha256:abc",), "", True),
    "on two nodes": (("sha256:abc", "sha256:abc"), "", True),
    "others": (("sha256:def",), "", False),
    "others on one of two nodes": (("sha256:abc", "sha256:def"), "", False),
    "the measured ones, and others to load": (("sha256:abc",), "sha256:def", True),
    "the measured ones to load": ((), "sha256:abc", True),
    "others to load": ((), "sha256:def", False),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_a_card_counts_for_the_weights_that_it_was_measured_on(pool: Pool, case: str) -> None:
    """A model whose nodes have other weights than the measured ones is not measured."""
    served, offered, counts = WEIGHTS[case]
    measured = tuple(cell(0.9, task=task, weights="sha256:abc") for task in Task)
    pool.tell(events.CatalogueChanged, catalogue(sized(1, *measured)))
    for number, revision in enumerate(served):
        pool.join(card(f"n{number}", replicas=(replica("m1", revision=revision),)))
    if offered:
        offers = (loadable("m1", revision=offered),)
        pool.join(card("n9", replicas=(), loadable=offers, models_bytes=8 * GB))
    pool.ask("j1", model="petit", **FRENCH)
    values = pool.core.explain("j1", pool.now).values

    assert ("m1", counts) == (values["model"], values["quality"] == "passes")


def test_a_card_on_several_weights_counts_for_each(pool: Pool) -> None:
    """An evaluation that several weights answered names none of them."""
    pool.tell(events.CatalogueChanged, catalogue(sized(1, GOOD)))
    pool.join(card("n1", replicas=(replica("m1", revision="sha256:abc"),)))
    pool.join(card("n2", replicas=(replica("m1", revision="sha256:def"),)))

    assert (
        "passes" == place_in(pool.ask("j1", model="petit", **FRENCH)).explanation.values["quality"]
    )


def test_new_weights_change_the_choice(pool: Pool) -> None:
    """A node that comes with other weights makes the model one that is not measured."""
    measured = cell(0.9, weights="sha256:abc")
    started(pool, sized(1, measured), sized(7, GOOD))
    before = place_in(pool.ask("j1", model="auto", **FRENCH)).terms.model
    pool.join(card("n2", replicas=(replica("m1", revision="sha256:def"),)))
    after = place_in(pool.ask("j2", model="auto", **FRENCH)).terms.model

    assert ("m1", "m7") == (before, after)


def run(pool: Pool, job: str, basis: Basis = Basis.DEFAULT, **asked: Any) -> Terms:
    """Runs a job to its end, with its energy as obtained; returns its terms."""
    place = place_in(pool.ask(job, **asked))
    pool.report(place, energy_basis=basis)
    return place.terms


def test_the_saving_is_told_beside_the_next_larger_model_by_its_meter(pool: Pool) -> None:
    """Only where an alias chose the model, and once a meter has measured the next larger one."""
    started(pool, sized(1, GOOD), sized(7, GOOD), sized(30, GOOD))
    by_alias = {"model": "auto", **FRENCH}
    unknown = run(pool, "j1", **by_alias).larger
    run(pool, "j2", Basis.MEASURED, model="m30")
    run(pool, "j3", Basis.ESTIMATED, model="m7")
    unmetered = run(pool, "j4", **by_alias).larger
    run(pool, "j5", Basis.MEASURED, model="m7")
    compared = run(pool, "j6", **by_alias)
    by_name = run(pool, "j7", model="m1").larger
    cost = pool.core._state.fleet.replica_index.by_model["m7"]["n1"].cost

    assert [UNSET] * 3 == [unknown, unmetered, by_name]
    assert "m1" == compared.model
    assert ("m7", cost.output_uwh) == (compared.larger.model, compared.larger.output_uwh)


def test_a_larger_model_that_always_thinks_is_passed_over(pool: Pool) -> None:
    """Its answers have other tokens, unless the request asks for a thought."""
    thinks = sized(7, GOOD, thinking=Thinking.ALWAYS)
    started(pool, sized(1, GOOD), thinks, sized(30, GOOD))
    for job, model in (("j1", "m7"), ("j2", "m30")):
        run(pool, job, Basis.MEASURED, model=model)
    plain = run(pool, "j3", model="petit", **FRENCH).larger
    thought = run(pool, "j4", model="petit", effort=Effort.LOW, **FRENCH).larger

    assert ("m30", "m7") == (plain.model, thought.model)


def test_a_good_model_is_loaded_rather_than_a_bad_one_used(pool: Pool) -> None:
    """A model that passes and could be loaded goes before one that is served and fails."""
    offered = {"loadable": (loadable("m7"),), "models_bytes": 8 * GB}
    started(pool, sized(1, BAD), sized(7, GOOD), replicas=(replica("m1"),), **offered)
    asked = pool.ask("j1", model="auto", **FRENCH)

    assert [] == of(asked, commands.Place)
    assert "m7" == pool.core.job("j1").model


def test_a_restored_core_chooses_alike(pool: Pool) -> None:
    """A core that was restored from a snapshot gives the same command, byte for byte."""
    started(pool, sized(1, BAD), sized(7, GOOD), sized(30, GOOD))
    restored = Core.restore(pool.core.snapshot())
    asked = pool.ask("j1", model="auto", **FRENCH)

    assert asked == restored.handle(pool.events[-1])


def _refusal(asked: list[commands.Command]) -> commands.Refuse:
    """The only refusal among the commands."""
    (refuse,) = of(asked, commands.Refuse)
    return refuse


OPEN = ArtefactFile("m.gguf", 1, "ab" * 32)
OPEN_WEIGHTS = Artefact("gguf", "Q4_K_M", "", files=(OPEN,), weights_bytes=1)


def opened(billions: int, openness_class: OpennessClass) -> ModelEntry:
    """A model with pinned weights that the catalogue states to reach a class of openness."""
    return sized(billions, openness_class=openness_class, artefacts=(OPEN_WEIGHTS,))


def serving_open(pool: Pool, *classes: OpennessClass) -> None:
    """A pool with one node that serves the pinned weights of ``m1`` and ``m7``."""
    pool.tell(events.CatalogueChanged, catalogue(*map(opened, (1, 7), classes)))
    served = tuple(replica(f"m{size}", revision=OPEN_WEIGHTS.checksum) for size in (1, 7))
    pool.join(card("n1", replicas=served))


def test_an_alias_means_a_model_that_is_open_enough(pool: Pool) -> None:
    """The request's class counts, the model by name is refused with both classes, in words."""
    serving_open(pool, OpennessClass.UNCLASSIFIED, OpennessClass.OPEN_TOOLING)
    asked = {"openness": OpennessClass.OPEN_MODEL}
    alias = place_in(pool.ask("j1", model="auto", **asked))
    named = _refusal(pool.ask("j2", model="m1", **asked))
    beyond = _refusal(pool.ask("j3", model="auto", openness=OpennessClass.OPEN_SCIENCE))

    assert ("m7", "m1") == (
        alias.terms.model, place_in(pool.ask("j4", model="auto")).terms.model,
    )  # fmt: skip
    assert ("no_node_serves", "model_not_open") == (named.code, named.values["rule"])
    assert (
        "(classe selon le MOF\u00a0: aucune\u00a0; exigée\u00a0: III, modèle ouvert)"
        in i18n.error(named.code, "fr", named.values)
    )
    assert "no_model_fits" == beyond.code
    assert "I, open science" in i18n.error(beyond.code, "en", beyond.values)


def test_the_policys_class_counts_unless_the_request_requires_more(pool: Pool) -> None:
    """A request may require a higher class than the policy, and no lower one."""
    serving_open(pool, OpennessClass.OPEN_MODEL, OpennessClass.OPEN_SCIENCE)
    pool.tell(events.PolicyChanged, policy(openness=OpennessClass.OPEN_TOOLING))
    plain, lower, higher = (
        place_in(pool.ask(f"j{asked.rank}", model="auto", openness=asked)).terms.model
        for asked in (OpennessClass.UNSTATED, OpennessClass.OPEN_MODEL, OpennessClass.OPEN_SCIENCE)
    )

    assert ["m7", "m7", "m7"] == [plain, lower, higher]
    assert ("openness", "not_one_of") == next(
        (fault.key, fault.fault)
        for fault in find_faults(policy(openness=OpennessClass.UNCLASSIFIED))
    )


def test_other_weights_of_an_open_model_are_excluded(pool: Pool) -> None:
    """The class is that of the pinned weights; a new catalogue counts for jobs that wait."""
    entry_open = opened(1, OpennessClass.OPEN_SCIENCE)
    pool.tell(events.CatalogueChanged, catalogue(entry_open))
    pool.join(card("n1", replicas=(replica("m1", revision="sha256:other"),)))
    asked = {"openness": OpennessClass.OPEN_SCIENCE}
    other = _refusal(pool.ask("j1", model="m1", **asked))
    pool.join(card("n2", replicas=(replica("m1", revision=OPEN_WEIGHTS.checksum, slots=1),)))
    first = place_in(pool.ask("j2", model="m1", **asked))
    pool.ask("j3", model="m1", **asked)
    ended = of(pool.tell(events.CatalogueChanged, catalogue(sized(1), version=2)), commands.EndJob)

    assert "other-weights" == other.values["model_openness"]
    assert "n2" == first.node
    assert [("j3", "no_node_serves")] == [(each.job, each.code) for each in ended]
