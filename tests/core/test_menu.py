"""Model aliases: the model that a request for a size gets."""

from typing import Any

import msgspec
import pytest
from msgspec import structs
from tests.core.builders import GB, MODEL, Pool, card, catalogue, entry, loadable, of, replica
from tests.core.loading import loads, offering, with_model

from entraide.models import (
    Artefact,
    ArtefactFile,
    ModelEntry,
    ModelSize,
    OpennessClass,
    TaskQuality,
)
from entraide.thinking import Thinking
from entraide.types import Effort, JobKind, Task
from entraide_scheduler.core import commands, events
from entraide_scheduler.core.machine import Core

SMALL, LARGE = ModelSize.SMALL, ModelSize.LARGE


def sized(name: str, active_b: float, size: ModelSize = SMALL, **changes: Any) -> ModelEntry:
    """A model of the catalogue with so many billions of active parameters."""
    active = int(active_b * GB)
    return entry(name, size, **{"parameters": active, "active_parameters": active, **changes})


ENTRIES = (
    sized("tiny-1b", 1),
    sized("thinker-1b", 0.9, thinking=Thinking.ARGUMENT),
    sized("musing-1b", 0.8, thinking=Thinking.ALWAYS),  # no alias means it unless asked
    sized("tools-2b", 2),
    sized("mixture-30b", 3, LARGE, parameters=30 * GB),
    sized("dense-30b", 30, LARGE),
)
ALL = tuple(model.name for model in ENTRIES)


def served(*models: str, **changes: Any) -> Any:
    """A node that serves some models; those with tools in their name have tools."""
    replicas = tuple(
        replica(name, features=("tools",) if "tools" in name else ()) for name in models
    )
    return card("n1", **{"replicas": replicas, **changes})


MEANS: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "the smallest of its size": (served(*ALL), "small", {}, "thinker-1b"),
    "in French too": (served(*ALL), "petit", {}, "thinker-1b"),
    "by active parameters first": (served(*ALL), "grand", {}, "mixture-30b"),
    "auto: the smallest that never thinks": (served(*ALL), "auto", {}, "tiny-1b"),
    "auto: one that can be told not to think, if there is no other": (
        served("thinker-1b"), "auto", {}, "thinker-1b",
    ),
    "one that always thinks, where a thought is asked for": (
        served("musing-1b", "tiny-1b"), "auto", {"effort": Effort.LOW}, "musing-1b",
    ),
    "one that always thinks, asked for by its name": (
        served("musing-1b"), "musing-1b", {}, "musing-1b",
    ),
    "one with the feature": (served(*ALL), "auto", {"features": ("tools",)}, "tools-2b"),
    "one whose context holds the prompt": (
        card("n1", replicas=(replica("tiny-1b", context_tokens=512), replica("tools-2b"))),
        "petit", {"input_tokens_est": 1_000, "input_tokens_max": 1_500}, "tools-2b",
    ),
    "one that is served rather than a smaller one that is not": (
        served("tools-2b", loadable=(loadable("tiny-1b"),), models_bytes=8 * GB),
        "petit", {}, "tools-2b",
    ),
    "one that could be loaded, where none is served": (
        served("dense-30b", loadable=(loadable("tools-2b"), loadable("tiny-1b")),
               models_bytes=8 * GB),
        "petit", {}, "tiny-1b",
    ),
    "auto: a model that the catalogue does not know, at last": (served("own"), "auto", {}, "own"),
    "auto: one that it knows before": (served("own", "dense-30b"), "auto", {}, "dense-30b"),
    "a model that bears the name": (served("tiny-1b", "petit"), "petit", {}, "petit"),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANS)
def test_a_size_means_a_model(pool: Pool, case: str) -> None:
    """An alias is resolved to a model; the job runs on the model or waits for it."""
    node, asked, wanted, model = MEANS[case]
    pool.tell(events.CatalogueChanged, catalogue(*ENTRIES))
    pool.join(node)
    pool.ask("j1", model=asked, **wanted)
    job = pool.core.job("j1")

    assert job is not None
    assert model == job.model
    if pool.places():
        place = pool.places()[-1]
        alias = None if model == asked else asked
        assert (model, alias) == (place.terms.model, place.explanation.values.get("alias"))
    else:
        assert [("n1", model)] == loads(pool.asked)


def test_a_node_in_reach_goes_before_one_whose_owner_is_there(pool: Pool) -> None:
    """A model on a node that takes nothing now is meant only when no other does the job."""
    pool.tell(events.CatalogueChanged, catalogue(*ENTRIES))
    pool.tell(events.NodeJoined, served("tiny-1b"), False, "owner_busy")
    pool.join(card("n2", replicas=(replica("tools-2b"),)))
    (place,) = of(pool.ask("j1", model="petit"), commands.Place)

    assert "tools-2b" == place.terms.model


@pytest.mark.parametrize("jurisdiction", ["CA-QC", "CA-ON"])
def test_a_size_means_what_may_run_there(pool: Pool, jurisdiction: str) -> None:
    """Where a job may run decides which model its size means."""
    pool.tell(events.CatalogueChanged, catalogue(*ENTRIES))
    pool.join(card("qc", replicas=(replica("tiny-1b"),)))
    pool.join(card("on", "beta", "CA-ON", replicas=(replica("tools-2b"),)))
    (place,) = of(pool.ask("j1", model="petit", jurisdiction=jurisdiction), commands.Place)

    assert {"CA-QC": "tiny-1b", "CA-ON": "tools-2b"}[jurisdiction] == place.terms.model


def test_a_size_that_nothing_fits_is_refused(pool: Pool) -> None:
    """A size without a suitable model is refused, with the list of available models."""
    pool.tell(events.CatalogueChanged, catalogue(*ENTRIES))
    pool.join(served("tiny-1b"))
    (large,) = of(pool.ask("j1", model="grand"), commands.Refuse)
    (tools,) = of(pool.ask("j2", model="petit", features=("tools",)), commands.Refuse)

    assert ("no_model_fits", "tiny-1b") == (large.code, large.values["models"])
    assert ("feature_unsupported", "tools") == (tools.code, tools.values["features"])


@pytest.mark.parametrize("model", ["auto", "petit"])
def test_a_size_is_refused_for_the_length_if_that_is_the_reason(pool: Pool, model: str) -> None:
    """A question that no model of a size takes, and that a shorter one would have, is too long."""
    pool.tell(events.CatalogueChanged, catalogue(*ENTRIES))
    pool.join(served("tiny-1b"))
    (long,) = of(pool.ask("j1", model=model, input_tokens_est=9_000), commands.Refuse)
    (nobody,) = of(pool.ask("j2", model="grand", input_tokens_est=9_000), commands.Refuse)

    assert ("context_length_exceeded", {"input_tokens": 9_000, "context_tokens": 4_096}) == (
        long.code,
        long.values,
    )
    assert "no_model_fits" == nobody.code


def test_without_a_catalogue_a_size_is_a_name_like_any_other(pool: Pool) -> None:
    """Without a catalogue an alias is treated as a model name."""
    pool.join(card("n1"))
    named = pool.ask("j1", model=MODEL)
    (refuse,) = of(pool.ask("j2", model="grand"), commands.Refuse)

    assert [MODEL] == [place.terms.model for place in of(named, commands.Place)]
    assert "unknown_model" == refuse.code


def test_a_model_that_nobody_pinned_is_refused_with_that_reason(pool: Pool) -> None:
    """A name of the catalogue whose weights are not pinned is refused, and why is told."""
    (model,) = ENTRIES[:1]
    unpinned = structs.replace(
        model,
        name="unpinned-1b",
        artefacts=tuple(structs.replace(artefact, files=()) for artefact in model.artefacts),
    )
    pool.tell(events.CatalogueChanged, catalogue(*ENTRIES, unpinned))
    pool.join(served("tiny-1b"))
    (refuse,) = of(pool.ask("j1", model="unpinned-1b"), commands.Refuse)
    (unknown,) = of(pool.ask("j2", model="nosuch"), commands.Refuse)

    assert ("unknown_model", 1) == (refuse.code, refuse.values["unpinned"])
    assert "unpinned" not in unknown.values


def test_a_job_that_waits_takes_another_model_when_its_own_does_not_come(pool: Pool) -> None:
    """An alias is resolved again when its model is unreachable or another is available."""
    pool.tell(events.CatalogueChanged, catalogue(*ENTRIES))
    loading = offering("n1", "tiny-1b")
    pool.join(loading, offering("n2", "tools-2b"))
    pool.ask("j1", model="petit", kind=JobKind.KEPT)
    first = pool.core.job("j1")
    gone = pool.tell(events.NodeLeft, "n1", "goodbye")
    second = pool.core.job("j1")
    pool.tell(events.NodeJoined, loading, True, "")
    pool.wait(3.0, seen=("n1", "n2"))
    (place,) = of(
        pool.tell(events.NodeJoined, with_model(offering("n2"), "tools-2b"), True, ""),
        commands.Place,
    )

    assert first is not None
    assert second is not None
    assert ("tiny-1b", "tools-2b") == (first.model, second.model)
    assert [("n2", "tools-2b")] == loads(gone)
    assert "tools-2b" == place.terms.model


def test_what_sizes_mean_is_listed(pool: Pool) -> None:
    """The list has each alias that means a model, in both languages."""
    pool.tell(events.CatalogueChanged, catalogue(*ENTRIES))
    pool.join(served("tiny-1b", "dense-30b"))
    meanings = {model.alias: model.model for model in pool.core.alias_meanings()}
    loadable_models = [model.model for model in pool.core.loadable_models()]

    assert {
        "petit": "tiny-1b", "small": "tiny-1b", "grand": "dense-30b", "large": "dense-30b",
        "auto": "tiny-1b",
    } == meanings  # fmt: skip
    assert [] == loadable_models


ENERGY = {"tiny-1b": 0.1, "dense-30b": 2.0}
KNOWN = tuple(msgspec.structs.replace(model, energy_wh_per_1k_tokens=ENERGY.get(model.name, 0.0))
              for model in ENTRIES)  # fmt: skip


def test_a_receipt_can_tell_what_a_smaller_model_takes(pool: Pool) -> None:
    """By the pace of a replica where one is served, else by the catalogue's figures."""
    pool.tell(events.CatalogueChanged, catalogue(*KNOWN))
    pool.join(served("dense-30b", loadable=(loadable("tiny-1b"),), models_bytes=8 * GB))
    (by_figures,) = of(pool.ask("j1", model="dense-30b"), commands.Place)
    view = pool.core._state.fleet.replica_index.by_model["dense-30b"]["n1"]
    pool.join(card("n2", replicas=(replica("tiny-1b"),)))
    (by_pace,) = of(pool.ask("j2", model="dense-30b"), commands.Place)
    (smallest,) = of(pool.ask("j3", model="tiny-1b"), commands.Place)
    figures, pace = by_figures.terms.smaller, by_pace.terms.smaller

    assert figures is not None
    assert pace is not None
    assert ("tiny-1b", "default") == (figures.model, figures.basis)
    assert 0.05 == pytest.approx(figures.input_uwh / view.cost.input_uwh)
    assert ("tiny-1b", "estimated") == (pace.model, pace.basis)
    assert smallest.terms.smaller is None


def test_a_model_is_shown_with_the_figures_of_its_own_weights(pool: Pool) -> None:
    """Measured quality and the class of openness are those of the weights that nodes have; the
    event of a catalogue brings them to each view, and a snapshot keeps them."""
    cell = TaskQuality(Task.ANSWER, "fr", 0.9, 0.82, 0.95, 60, "1", "ab" * 32)  # of several weights
    other = msgspec.structs.replace(cell, language="en", weights="sha256:other")
    file = ArtefactFile("model.gguf", 1, "cd" * 32)
    pin = Artefact("gguf", "Q4_K_M", "", files=(file,), weights_bytes=1)
    facts = {
        "quality": (cell, other), "openness_class": OpennessClass.OPEN_MODEL, "artefacts": (pin,),
    }  # fmt: skip
    entries = [sized("tiny-1b", 1, **facts), sized("tools-2b", 2, **facts)]
    offer = loadable("tools-2b", revision=pin.checksum)
    pool.join(served("tiny-1b", loadable=(offer,), models_bytes=8 * GB))
    pool.tell(events.CatalogueChanged, catalogue(*entries))
    restored = Core.restore(pool.core.snapshot())

    for core in (pool.core, restored):
        shown = [*core.models(), *core.loadable_models()]
        assert [("tiny-1b", (cell,), ""), ("tools-2b", (cell,), "open-model")] == [
            (view.model, view.quality, view.openness) for view in shown
        ]
    measured = msgspec.structs.replace(other, weights=pool.core.models()[0].revisions[0])
    entries[0] = msgspec.structs.replace(entries[0], quality=(cell, measured))
    pool.tell(events.CatalogueChanged, msgspec.structs.replace(catalogue(*entries), version=2))
    assert (cell, measured) == pool.core.models()[0].quality
