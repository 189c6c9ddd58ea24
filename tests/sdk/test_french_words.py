"""No English class name stands in a French sentence, table or page: each code has its word."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.sdk.conftest import Cli, ServedPool

from entraide import i18n
from entraide.enums import Basis, Control, DataClass, JobClass
from entraide.models import (
    ALWAYS_THINKS,
    DIMENSIONS,
    EMBEDDINGS,
    EMBEDDINGS_ONLY,
    ENGINE_OPTIONS,
    PUBLIC_ONLY,
)
from entraide_node import cli as node_cli
from entraide_node.engines import llamacpp_props, mlx, vllm

FEATURES = (
    "tools", "schema", "images", "logprobs", "chat", "resume", EMBEDDINGS, EMBEDDINGS_ONLY,
    DIMENSIONS, PUBLIC_ONLY, ALWAYS_THINKS, *ENGINE_OPTIONS,
)  # fmt: skip
CODES = {
    "job_class": tuple(JobClass),
    "data_class": tuple(DataClass),
    "data_classes": (*DataClass, ", ".join(DataClass)),
    "features": (*FEATURES, ", ".join(FEATURES)),
    "controlled_by": tuple(filter(None, Control)),
    "basis": tuple(Basis),
}
IN_FRENCH_TOO = {"interactive", "images", "conversation"}
NAMES = {name for codes in CODES.values() for code in codes for name in code.split(", ")}
ENGLISH = re.compile(rf"(?<![\w/-])({'|'.join(sorted(NAMES - IN_FRENCH_TOO))})(?![\w/-])")


def english(text: str) -> list[str]:
    """The English class names in a text; a field's name in quotes is to be typed."""
    return ENGLISH.findall(re.sub(r"«\s\w+\s»", "", text))


def test_no_sentence_shows_a_code_that_it_is_given() -> None:
    """Whatever message of the catalogue takes a class, it says the class in French."""
    catalogue = {code: i18n.value_names(code) for code in i18n.message_codes("")}
    tried, shown = 0, []
    for code, names in catalogue.items():
        for name in names & CODES.keys():
            usual = english(i18n.text(code, "fr", **{name: "x"}))
            for value in CODES[name]:
                tried += 1
                if english(i18n.text(code, "fr", **{name: value})) != usual:
                    shown.append((code, name, value))

    assert [] == shown
    assert tried > 80


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_each_feature_of_an_engine_is_said_in_words(lang: str) -> None:
    """``models list`` shows no code, and a refusal says what no machine can do."""
    engines = {*llamacpp_props.BASE_FEATURES, *mlx.FEATURES, *vllm.FEATURES}
    refusals = {
        name: i18n.error("feature_unsupported", lang, {"features": name, "model": "m"})
        for name in ("tools", "images", "schema", EMBEDDINGS, DIMENSIONS, "chat", *ENGINE_OPTIONS)
    }

    assert [] == [name for name in {*FEATURES, *engines} if not i18n.has_message(f"feature-{name}")]
    assert {} == {
        name: said for name, said in refusals.items() if "faire cela" in said or "do this" in said
    }


def test_commands_say_classes_in_french(served: ServedPool, cli: Cli) -> None:
    """Invitations, machines, models and requests are told without an English class name."""
    state = ["--state", str(served.state)]
    classes = [part for each in DataClass for part in ("--data-class", str(each))]
    commands = (
        ["invite", "soleil", "--controlled-by", "member", *classes],
        ["nodes", "list"], ["nodes", "show", "on-1"], ["models", "list"],
        ["jobs", "list", "--coop", "soleil"],
    )  # fmt: skip
    results = {" ".join(each[:2]): cli([*each, *state]) for each in commands}

    assert {} == {name: each.err for name, each in results.items() if each.status}
    assert {} == {
        name: english(each.out + each.err)
        for name, each in results.items()
        if english(each.out + each.err)
    }


def test_a_machine_that_joins_reads_its_data_classes_in_french(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the operator admits on a machine is said in words."""
    joined = SimpleNamespace(
        config=SimpleNamespace(node="mini", coop="boreale", zone="CA-QC"),
        response=SimpleNamespace(data_classes=["public", "restricted"], coop_name="Coop Boréale"),
        contradicted={}, waits=True,
    )  # fmt: skip
    node_cli._print_joined(joined, "fr", as_json=False)
    said = capsys.readouterr().out

    assert "publiques, restreintes" in said
    assert "le nœud mini de la Coop Boréale (Québec)" in said
    assert [] == english(said)


@pytest.mark.checkout
def test_vouching_and_an_invitations_code_have_one_word_each() -> None:
    """A surety is something else in law, and a token is a part of a model's text."""
    root = Path(__file__).parents[2]
    files = ("sdk/entraide/locales/fr.ftl", "dashboard/src/locales/fr.ftl")
    texts = [(root / file).read_text("utf-8") for file in files]
    others = re.compile(r"\bgarante?s?\b|\bgaranties? pour\b|jetons? à usage unique", re.IGNORECASE)

    assert [] == [word for text in texts for word in others.findall(text)]
