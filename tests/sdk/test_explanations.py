"""Explanations: each kind has an approved golden text, and its text is complete."""

import datetime as dt
import re

import pytest
from msgspec import structs
from tests.cases import all_cases
from tests.sdk.explanation_cases import (
    AT,
    BUSY,
    CASES,
    GOLDEN,
    HOUR,
    ON,
    QC,
    explanation,
    golden,
    missing_parts,
    placed,
)

from entraide import explanations, i18n, relative_time
from entraide.cli.explanation_output import wrap_part
from entraide.errors import CODES
from entraide.explanations import Part, PartKind
from entraide.types import Exclusion
from entraide_scheduler.core.rules import RULES

LANGS = i18n.LANGUAGES

# One value whose lack leaves a hole, and the case that needs it.
NEEDED = {
    ("deferred-forecast", "now_g_per_kwh"),
    ("deferred-forecast", "then_g_per_kwh"),
    ("deferred-forecast", "then_at"),
    ("deferred-forecast", "zone"),
    ("deferred-forecast", "then_zone"),
    ("placed-greenest-but-for-a-slot", "greener_carbon_g"),
    ("placed-greenest-but-for-a-slot", "greener_ttft_s"),
    ("placed-greenest-but-for-a-slot", "greener_coop"),
    ("placed-greenest-but-for-a-slot", "greener_zone"),
    ("waiting-cap", "in_flight_tokens"),
    ("waiting-cap", "cap_tokens"),
    ("waiting-energy", "left"),
    ("waiting-energy", "needed"),
    ("waiting-carbon", "left"),
    ("waiting-carbon", "needed"),
    ("waiting-lend", "lent"),
    ("waiting-nobody", "nodes"),
}


def clock(at: float) -> dt.datetime:
    """A clock four hours behind UTC, which calls its time that of Toronto's winter."""
    return dt.datetime.fromtimestamp(at, tz=dt.timezone(dt.timedelta(hours=-4), "EST"))


@all_cases("lang", LANGS)
@all_cases("name", CASES)
def test_an_explanation_reads_as_approved(name: str, lang: str) -> None:
    """A golden text is one that a person has read and found good, word for word."""
    assert golden(name, lang) == explanations.render(CASES[name], lang) + "\n"


@all_cases("lang", LANGS)
@all_cases("name", CASES)
def test_an_explanation_tells_all_that_it_must(name: str, lang: str) -> None:
    """Who, why, the numbers with their units, and what would have changed it: none is missing."""
    assert [] == missing_parts(CASES[name], lang)


@all_cases("lang", LANGS)
@all_cases(("name", "value"), sorted(NEEDED))
def test_a_missing_value_is_noticed(name: str, value: str, lang: str) -> None:
    """A fact that a sentence needs and was not given shows as a hole, never as machinery."""
    facts = CASES[name]
    broken = structs.replace(
        facts, values={key: held for key, held in facts.values.items() if key != value}
    )
    text = explanations.render(broken, lang)

    assert value in facts.values
    assert [] != missing_parts(broken, lang)
    assert i18n.HOLE in text
    assert "$" not in text


@pytest.mark.parametrize("lang", LANGS)
def test_an_empty_value_is_noticed(lang: str) -> None:
    """A value that is empty is named, in the explanation and in each of its exclusions."""
    unnoticed = [
        (name, key)
        for name, facts in CASES.items()
        for key, value in facts.values.items()
        if isinstance(value, str)
        and [] == missing_parts(structs.replace(facts, values={**facts.values, key: ""}), lang)
    ]
    excluded = structs.replace(CASES["waiting-failures"].excluded[0], values={"failure": " "})
    facts = structs.replace(CASES["waiting-failures"], excluded=(excluded,))

    assert [] == unnoticed
    assert "the value failure of resting is empty" in missing_parts(facts, lang)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    "change",
    [
        {"policy_version": ""},
        {"policy_version": "demo  1"},
        {"excluded": (structs.replace(BUSY, coop=""),)},
    ],
    ids=["no version", "two spaces", "no co-op"],
)
def test_a_gap_in_a_sentence_is_noticed(change: dict[str, object], lang: str) -> None:
    """Two spaces in a row, and brackets or commas around nothing, are faults of a sentence."""
    facts = structs.replace(CASES["waiting-slot"], **change)

    assert ["a gap"] == [fault[:5] for fault in missing_parts(facts, lang)]


def test_every_golden_text_has_its_case() -> None:
    """No golden text is left over from a case that is gone."""
    assert {f"{name}.{lang}.txt" for name in CASES for lang in LANGS} == {
        path.name for path in GOLDEN.iterdir()
    }


def test_every_reason_has_its_golden_text() -> None:
    """Each reason of the catalogue has a case, here or by a rule's example; no case is unknown.

    ``tests/core/test_rules.py`` checks the sentences of the reasons that rules' examples have.
    """
    covered = {facts.reason for facts in CASES.values() if facts.decision != "refused"}
    of_rules = {rule.wait.reason for rule in RULES if rule.wait is not None}

    assert covered <= set(i18n.message_codes("reason-")) <= covered | of_rules


@all_cases("lang", LANGS)
@all_cases("code", CODES)
def test_every_error_code_can_be_a_refusals_reason(code: str, lang: str) -> None:
    """Whatever refuses a job, its explanation says why, and what would have let it in."""
    facts = explanation("refused", code, objective_ttft_s=None, waiting_helps=False)

    assert [] == missing_parts(facts, lang)


@all_cases("lang", LANGS)
@all_cases("code", i18n.message_codes("rule-"))
def test_every_rule_says_what_would_have_undone_it(code: str, lang: str) -> None:
    """A node excluded by any rule can be named as the one that could have run the job."""
    excluded = Exclusion("ab-1", "prairie", "CA-AB", code, {}, True)
    facts = placed("only_one", excluded, candidates=(ON,), could_node="ab-1")
    (could,) = [
        part.text
        for part in explanations.parts(facts, lang)
        if part.kind is PartKind.COUNTERFACTUAL
    ]

    assert i18n.has_message(f"rule-{code}.otherwise")
    assert [] == missing_parts(facts, lang)
    assert "ab-1" in could
    assert not re.search(r"\b(rule|règle)\b", could)


@pytest.mark.parametrize("lang", LANGS)
def test_a_rule_is_undone_with_its_own_numbers(lang: str) -> None:
    """The greener node is named with the values of its own exclusion."""
    small = Exclusion(
        "ab-1", "prairie", "CA-AB", "context_too_small", {"context_tokens": 512}, False
    )
    facts = structs.replace(
        CASES["placed-greenest-but-for-a-slot"],
        excluded=(small,),
        values=CASES["placed-greenest-but-for-a-slot"].values
        | {"greener_rule": "context_too_small"},
    )
    parts = explanations.parts(facts, lang)
    (otherwise,) = [part.text for part in parts if part.kind is PartKind.COUNTERFACTUAL]

    assert "512" in otherwise


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    "name", ["placed-greenest-but-for-a-slot", "placed-only-one", "waiting-slot", "refused-nowhere"]
)
def test_only_a_node_that_the_core_names_is_told(name: str, lang: str) -> None:
    """An older core names none: no sentence then says where the job could have gone."""
    facts = CASES[name]
    older = structs.replace(
        facts, values={key: held for key, held in facts.values.items() if key != "could_node"}
    )
    node = str(facts.values["could_node"])

    assert node in explanations.sentence(facts, lang)
    assert node not in explanations.sentence(older, lang)
    assert [] == missing_parts(older, lang)


@pytest.mark.parametrize("lang", LANGS)
def test_a_newer_pools_codes_are_shown_as_they_are(lang: str) -> None:
    """Unknown reasons, rules and decisions reach the reader; nothing fails."""
    tomorrow = Exclusion("ab-1", "prairie", "CA-AB", "of_tomorrow", {"x": 1}, True)
    facts = structs.replace(placed("of_today", tomorrow, candidates=(ON,)), decision="of_yesterday")
    text = explanations.render(facts, lang)

    assert all(code in text for code in ("of_today", "of_tomorrow", "of_yesterday"))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", CASES)
def test_a_coop_is_called_by_its_name(name: str, lang: str) -> None:
    """Wherever an explanation names a co-op, people read its name, not its identifier."""
    slugs = {candidate.coop for candidate in CASES[name].candidates}
    slugs |= {excluded.coop for excluded in CASES[name].excluded}
    named = structs.replace(CASES[name], coop_names={slug: f"Nom {slug[::-1]}" for slug in slugs})
    text = explanations.render(named, lang) + explanations.sentence(named, lang)
    shown = [slug for slug in slugs if re.search(rf"\b{slug}\b", text)]

    assert [] == shown
    assert all(f"Nom {each.coop[::-1]}" in text for each in named.candidates)


def test_an_older_pools_facts_are_filled_from_its_candidates() -> None:
    """What the values do not say of picked and next node is read off the list of candidates."""
    facts = placed("greenest", BUSY, candidates=(ON, QC))
    older = structs.replace(facts, values={"carbon_g": 0.000_02})

    assert [] == missing_parts(older, "fr")
    assert "qc-1 (coop boreale, Québec" in explanations.sentence(older, "fr")


def test_only_the_greenest_have_a_next_by_their_order() -> None:
    """Where another rule picked, the list's order does not say who would have been next."""
    texts = {
        reason: explanations.sentence(
            structs.replace(placed(reason, candidates=(ON, QC)), values={}), "fr"
        )
        for reason in ("greenest", "fastest")
    }

    assert "Sans on-1, elle aurait pu aller sur qc-1" in texts["greenest"]
    assert "qc-1" not in texts["fastest"]
    assert "aucune autre machine" not in texts["fastest"]


@pytest.mark.parametrize("lang", LANGS)
def test_a_sentence_holds_the_decision_the_reason_and_the_alternative(lang: str) -> None:
    """The short form has the first parts of the long form."""
    facts = CASES["placed-greenest"]
    shown_kinds = (PartKind.DECISION, PartKind.REASON, PartKind.COUNTERFACTUAL)
    sentences = [part.text for part in explanations.parts(facts, lang) if part.kind in shown_kinds]

    assert " ".join(sentences) == explanations.sentence(facts, lang)


@pytest.mark.parametrize(
    ("after_s", "french", "english"),
    [
        (0.2, "à l’instant", "just then"),
        (40.0, "dans environ 40\u00a0s", "in about 40\u00a0s"),
        (-5.0, "il y a 5\u00a0s", "5\u00a0s ago"),
        (1_500.0, "dans environ 25\u00a0min", "in about 25\u00a0min"),
        (9_000.0, "dans environ 2,5\u00a0h", "in about 2.5\u00a0h"),
        (9 * HOUR, "dans environ 9\u00a0h", "in about 9\u00a0h"),
        (-72 * HOUR, "il y a 3\u00a0jours", "3\u00a0days ago"),
    ],
)
def test_a_moment_is_told_by_its_distance(after_s: float, french: str, english: str) -> None:
    """A time is given as its distance from the decision, which is true in every time zone."""
    texts = [relative_time.format_time(AT + after_s, lang, at=AT) for lang in LANGS]

    assert [french, english] == texts


@pytest.mark.parametrize(
    ("after_s", "french", "english"),
    [
        (9 * HOUR, "dans environ 9 h (vers 19 h 05 HNE)", "in about 9 h (around 7:05 p.m. EST)"),
        (
            20 * HOUR,
            "dans environ 20 h (le 2 mars vers 06 h 05 HNE)",
            "in about 20 h (on March 2 around 6:05 a.m. EST)",
        ),
    ],
)
def test_a_known_clock_adds_the_time_of_day(after_s: float, french: str, english: str) -> None:
    """With the reader's clock the time of day is added, and the day if it differs."""
    texts = [relative_time.format_time(AT + after_s, lang, at=AT, clock=clock) for lang in LANGS]

    assert [french, english] == [re.sub(r"[\u00a0\u202f]", " ", text) for text in texts]


@pytest.mark.parametrize(("lang", "day"), [("fr", "1er\u00a0mars"), ("en", "March\u00a01")])
def test_the_foot_says_when_on_a_known_clock(lang: str, day: str) -> None:
    """With a clock the day and time of the decision are shown; without one they are not."""
    facts = CASES["placed-greenest"]
    feet = [
        next(p.text for p in explanations.parts(facts, lang, given) if p.kind is PartKind.FOOTER)
        for given in (clock, None)
    ]

    assert [True, False] == [day in foot for foot in feet]


def test_lines_are_folded_at_ordinary_spaces() -> None:
    """On a terminal no line is wider than asked, and a number stays with its unit."""
    for name, facts in CASES.items():
        for part in explanations.parts(facts, "fr"):
            lines = wrap_part(part, 60).splitlines()

            assert all(len(line) <= 60 for line in lines), (name, lines)
            assert part.text.split(" ") == [
                word for line in lines for word in line.split(" ") if word
            ] or part.kind in (PartKind.NODE, PartKind.PICKED)


def test_a_machines_lines_hang_under_its_name() -> None:
    """A machine's second line is indented more than its first."""
    first, *more = wrap_part(Part(PartKind.NODE, "    on-1 " + "mot " * 30), 60).splitlines()

    assert first.startswith("    on-1")
    assert more
    assert all(line.startswith(" " * 8) for line in more)


@pytest.mark.checkout
def test_the_page_names_every_code_and_no_other() -> None:
    """The reference page has a line for each reason and each rule of the catalogue."""
    from tests.house.source import ROOT

    page = (ROOT / "docs/reference/explanations.md").read_text("utf-8")
    named = re.findall(r"^\| `([a-z_]+)` \|", page, re.M)

    assert sorted(i18n.message_codes("reason-") + i18n.message_codes("rule-")) == sorted(named)
