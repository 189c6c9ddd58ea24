"""Explanations made by hand, one of each kind, and the check of an explanation's text.

To add a case: write it into ``CASES``, run ``python -m tests.sdk.explanation_cases``, and read the
two golden texts that it writes as a member would.
"""

import re
from pathlib import Path

from msgspec.structs import replace

from entraide import explanation_values, explanations, i18n
from entraide.explanations import Part, PartKind
from entraide.types import Basis, Candidate, Candidates, Exclusion, Explanation

GOLDEN = Path(__file__).parent / "golden/explanations"
AT = 1_772_373_900.0  # 2026-03-01 14:05 UTC
HOUR = 3_600.0

ON = Candidate(
    "on-1", "soleil", "CA-ON", 0.4, 0.02, 12_000, 20, 1.5, Basis.DEFAULT, 400.0, True, 0.9
)
QC = Candidate(
    "qc-1", "boreale", "CA-QC", 0.6, 0.02, 9_000, 410, 1.7, Basis.MEASURED, 0.0, True, 1.1
)
LATE = Candidate(
    "qc-2", "boreale", "CA-QC", 2.4, 0.02, 9_000, 10, 1.7, Basis.MEASURED, 0.0, False, 3.1
)
SLOW = Candidate(
    "qc-2", "boreale", "CA-QC", 0.4, 0.5, 9_000, 10, 1.7, Basis.MEASURED, 0.0, False, 0.9
)
ABROAD_GREEN = Candidate(
    "ny-1", "hudson", "US-NY", 0.4, 0.02, 9_000, 5, 0.5, Basis.MEASURED, 0.0, True, 0.9
)
TWIN = Candidate(
    "on-2", "soleil", "CA-ON", 0.5, 0.02, 14_000, 20, 1.5, Basis.DEFAULT, 200.0, True, 1.0
)
BUSY = Exclusion("ab-1", "prairie", "CA-AB", "no_free_slot", {"slots": 4}, True)
PAUSED = Exclusion("qc-3", "boreale", "CA-QC", "not_accepting", {"reason": "paused"}, True)
RESTING = Exclusion(
    "qc-1", "boreale", "CA-QC", "resting",
    {"failure": "engine_failed", "failures": 3, "again_at": AT + 20}, True,
)  # fmt: skip
SILENT = Exclusion("qc-4", "boreale", "CA-QC", "node_suspect", {"last_seen_at": AT - 5}, True)
ABROAD = Exclusion(
    "ny-1", "hudson", "US-NY", "wrong_jurisdiction", {"zone": "US-NY", "jurisdiction": "CA"}, False
)
CONTROL = {"controlled_by": "canadian", "asked_control": "member"}
NOT_MEMBER = Exclusion("on-3", "hydro", "CA-ON", "wrong_control", CONTROL, False)
OTHERS = {"controlled_by": "other", "asked_control": "canadian"}
UNVOUCHED = Exclusion("qc-9", "boreale", "CA-QC", "wrong_control", OTHERS, False)
UNLOADED = Exclusion("qc-5", "boreale", "CA-QC", "model_not_loaded", {"model": "grand"}, False)
LOADING = Exclusion(
    "on-1", "soleil", "CA-ON", "model_loading", {"model": "qwen3-14b", "ready_at": AT + 20}, True
)
LOADABLE = Exclusion(
    "qc-1", "boreale", "CA-QC", "model_loadable", {"model": "qwen3-14b", "load_s": 30.0}, True
)
BATCH_FULL = Exclusion("on-1", "soleil", "CA-ON", "batch_share_full", {"slots": 2}, True)
NOT_EMPTY = Exclusion("on-1", "soleil", "CA-ON", "not_empty", {"running": 3}, True)
OVER_CAP = Exclusion(
    "on-1", "soleil", "CA-ON", "over_carbon_cap", {"carbon_g": 0.41, "max_carbon_ug": 100_000}, True
)
LENT = Exclusion(
    "on-1", "soleil", "CA-ON", "lend_limit", {"coop": "soleil", "lent": 2, "limit": 2}, True
)
LENT_NOTHING = Exclusion("on-1", "soleil", "CA-ON", "lends_nothing", {"coop": "soleil"}, False)
LENT_ENERGY = {"coop": "soleil", "limit_wh": 500.0, "left_wh": 0.5, "needed_wh": 0.82}
LENT_OUT = Exclusion("on-1", "soleil", "CA-ON", "lend_energy_spent", dict(LENT_ENERGY), True)
OWN_ONLY = Exclusion("on-1", "soleil", "CA-ON", "own_only", {"coop": "soleil"}, True)
GREENER = {
    "zone": "CA-ON",
    "now_g_per_kwh": 92.0,
    "then_zone": "CA-QC",
    "then_g_per_kwh": 1.3,
    "then_at": AT + 9 * HOUR,
    "latest_start_at": AT + 20 * HOUR,
}
WAITS = Exclusion(
    "on-1",
    "soleil",
    "CA-ON",
    "greener_later",
    {"zone": "CA-ON", "now_g_per_kwh": 92.0, "then_g_per_kwh": 38.0, "then_at": AT + 9 * HOUR},
    True,
)


def explanation(
    decision: str,
    reason: str,
    *excluded: Exclusion,
    candidates: tuple[Candidate, ...] = (),
    more: dict[str, int] | None = None,
    objective_ttft_s: float | None = 2.0,
    waiting_helps: bool = True,
    **values: str | float,
) -> Explanation:
    """An explanation; the node picked is the first candidate, as the core lists it."""
    counts: dict[str, int] = dict(more or {})
    for exclusion in excluded:
        counts[exclusion.rule] = counts.get(exclusion.rule, 0) + 1
    return Explanation(
        job="job-1",
        at=AT,
        policy_version="demo-1",
        decision=decision,
        reason=reason,
        values=values,
        epoch=1 if candidates and decision == "placed" else 0,
        node=candidates[0].node if candidates and decision == "placed" else "",
        candidates=Candidates.of(candidates),
        excluded=excluded,
        excluded_counts=counts,
        waiting_helps=waiting_helps,
        objective_ttft_s=objective_ttft_s,
    )


def node_values(candidate: Candidate, prefix: str = "") -> dict[str, str | float]:
    """Returns the values of an explanation about a node."""
    predicted: dict[str, str | float] = {
        f"{prefix}node": candidate.node,
        f"{prefix}coop": candidate.coop,
        f"{prefix}zone": candidate.zone,
        f"{prefix}carbon_g": candidate.carbon_ug / 1e6,
        f"{prefix}ttft_s": candidate.ttft_s,
    }
    if not prefix:
        predicted |= {
            "energy_wh": candidate.energy_uwh / 1e6,
            "ttft_upper_s": candidate.ttft_upper_s,
            "confidence": 0.9,
            "intensity_g_per_kwh": candidate.intensity_g_per_kwh,
        }
    return predicted


def placed(
    reason: str,
    *excluded: Exclusion,
    candidates: tuple[Candidate, ...],
    objective_ttft_s: float | None = 2.0,
    **values: str | float,
) -> Explanation:
    """A placement on the first candidate; the second is the next best."""
    predicted = node_values(candidates[0])
    if len(candidates) > 1:
        predicted |= node_values(candidates[1], "next_")
    return explanation(
        "placed", reason, *excluded, candidates=candidates, objective_ttft_s=objective_ttft_s,
        **(predicted | values),
    )  # fmt: skip


NEAR_AB = node_values(
    Candidate("ab-1", "prairie", "CA-AB", 0.9, 0, 0, 10, 0, Basis.DEFAULT, 0, True)
)
OF_AB = {
    f"greener_{name}": NEAR_AB[name] for name in ("node", "coop", "zone", "carbon_g", "ttft_s")
}
WARM = {"cached_tokens": 1_082, "saved_s": 9.75, "saved_wh": 0.12}
WARM_ELSEWHERE = {"warm_node": "qc-1", "warm_tokens": 1_082}

CASES: dict[str, Explanation] = {
    "placed-greenest": placed("greenest", BUSY, candidates=(ON, QC), surplus_w=400.0),
    "placed-greenest-cached": placed("greenest", candidates=(ON, QC), **WARM),
    "placed-greenest-cached-elsewhere": placed("greenest", candidates=(ON, QC), **WARM_ELSEWHERE),
    "placed-greenest-always-thinks": placed(
        "greenest", candidates=(ON, QC), model="gpt-oss-20b", always_thinks=1
    ),
    "placed-greenest-but-for-a-slot": placed(
        "greenest",
        BUSY,
        candidates=(ON, QC),
        greener_rule="no_free_slot",
        could_node="ab-1",
        **OF_AB,
    ),
    "placed-greenest-but-for-the-promise": placed(
        "greenest",
        candidates=(ON, LATE),
        greener_rule="promise_at_risk",
        could_node="qc-2",
        **node_values(LATE, "greener_"),
    ),
    "placed-greenest-but-for-the-stream": placed(
        "greenest",
        candidates=(ON, SLOW),
        greener_rule="stream_at_risk",
        could_node="qc-2",
        **node_values(SLOW, "greener_"),
    ),
    "placed-greenest-but-for-the-end": placed(
        "greenest",
        candidates=(ON, SLOW),
        greener_rule="end_at_risk",
        could_node="qc-2",
        **node_values(SLOW, "greener_"),
    ),
    "placed-greenest-with-room": placed(
        "greenest_with_room",
        candidates=(ON, QC),
        greener_rule="little_room",
        could_node="ab-1",
        **OF_AB,
    ),
    "placed-cleaner-once-full": placed(
        "greenest_with_room",
        candidates=(ON, QC),
        greener_rule="shared_now",
        could_node="ab-1",
        **OF_AB,
    ),
    "placed-greenest-but-for-two-rules": placed(
        "greenest", ABROAD, candidates=(ON, QC), obstacle_rule="wrong_jurisdiction",
        **node_values(ABROAD_GREEN, "obstacle_"),
    ),
    "placed-within-tolerance": placed("greenest", candidates=(QC, ON)),
    "placed-to-resume": placed(
        "fastest_to_resume", BUSY, candidates=(ON,), objective_ttft_s=None
    ),
    "placed-to-resume-nearly-fastest": placed(
        "fastest_to_resume", candidates=(ON, TWIN), objective_ttft_s=None, speed="nearly"
    ),
    "placed-late-nearly-fastest": placed(
        "fastest_at_risk", candidates=(LATE,), late_for="passed", speed="nearly"
    ),
    "placed-slow-stream": placed("fastest_at_risk", candidates=(SLOW,), late_for="stream"),
    "placed-greenest-of-equals": placed("greenest", candidates=(ON, TWIN)),
    "placed-only-one": placed(
        "only_one", BUSY, ABROAD, SILENT, candidates=(ON,), could_node="ab-1"
    ),
    "placed-under-control": placed(
        "only_one", NOT_MEMBER, candidates=(QC,), controlled_by="member", could_node="on-3"
    ),
    "placed-with-evidence": placed(
        "only_one", candidates=(ON,), surplus_w=400.0, surplus_evidence="contract"
    ),
    "placed-without-evidence": placed(
        "only_one", candidates=(ON,), surplus_w=150.0, undocumented_w=400.0, counted_w=200.0
    ),
    "placed-nothing-counts": placed(
        "only_one", candidates=(QC,), undocumented_w=400.0, counted_w=0.0
    ),
    "placed-no-other": placed("only_one", BUSY, ABROAD, SILENT, candidates=(ON,)),
    "placed-alone": placed("only_one", candidates=(ON,)),
    "placed-at-risk": placed(
        "fastest_at_risk", BUSY, candidates=(LATE,), late_for="first_word", could_node="ab-1"
    ),
    "placed-too-late": placed("fastest_at_risk", candidates=(LATE,), late_for="passed"),
    "placed-weighted": placed("weighted", candidates=(ON, QC)),
    "placed-fastest": placed("fastest", candidates=(ON, QC)),
    "placed-least-loaded": placed("least_loaded", candidates=(ON, QC)),
    "placed-round-robin": placed("round_robin", candidates=(ON, QC)),
    "placed-greedy-green": placed("greedy_green", candidates=(ON, QC)),
    "placed-large-fleet": placed(
        "greenest", BUSY, PAUSED, ABROAD, candidates=(ON, QC),
        more={"no_free_slot": 410, "not_accepting": 59, "node_lost": 1},
    ),
    "placed-alias": placed("greenest", candidates=(ON, QC), alias="petit", model="qwen3-1.7b"),
    **{f"placed-alias-{quality}": placed(
        "only_one", candidates=(ON,), alias="auto", model="qwen3-14b", quality=quality,
        task="summarise", language="fr", asked_language="fr", right_least=0.8,
        right_low=0.83 if quality == "passes" else 0.41,
    ) for quality in ("passes", "undecided", "fails", "unmeasured", "other_language")},
    **{f"placed-alias-language-{basis}": placed(
        "only_one", candidates=(ON,), alias="auto", model="qwen3-14b", quality="unmeasured",
        asked_language="fr", language_basis=basis,
    ) for basis in ("estimated", "default")},
    "waiting-loading": explanation(
        "waiting", "model_loading", LOADING, LOADABLE,
        model="qwen3-14b", node="on-1", coop="soleil", zone="CA-ON", ready_at=AT + 20,
    ),
    "waiting-loading-alias": explanation(
        "waiting", "model_loading", LOADING,
        model="qwen3-14b", node="on-1", coop="soleil", zone="CA-ON", alias="moyen",
    ),
    "waiting-room": explanation(
        "waiting", "model_making_room", LOADABLE,
        model="qwen3-14b", node="on-1", coop="soleil", zone="CA-ON",
    ),
    "waiting-rest": explanation(
        "waiting", "model_resting", LOADABLE,
        model="qwen3-14b", failure="load_no_room", again_at=AT + 40,
    ),
    "waiting-memory": explanation(
        "waiting", "model_waits", LOADABLE, model="qwen3-14b", nodes=3
    ),
    "waiting-slot": explanation(
        "waiting", "no_free_slot", BUSY, PAUSED, ahead=2, nodes=1, could_node="ab-1"
    ),
    "waiting-failures": explanation(
        "waiting", "resting", RESTING, nodes=2, failure="engine_failed", failures=3,
        again_at=AT + 20,
    ),
    "waiting-turn": explanation(
        "waiting", "fair_share_turn", candidates=(QC,), ahead=1, coops_ahead=2
    ),
    "waiting-nobody": explanation(
        "waiting", "no_node_live", SILENT, PAUSED, rule="node_suspect", nodes=1,
        last_seen_at=AT - 5, could_node="qc-3",
    ),
    "waiting-cap": explanation(
        "waiting", "at_cap", candidates=(QC,), in_flight_tokens=15_872, cap_tokens=16_384
    ),
    "waiting-carbon-cap": explanation(
        "waiting", "carbon_cap", OVER_CAP, carbon_g=0.41, max_carbon_ug=100_000
    ),
    "waiting-next": explanation(
        "waiting", "turn_is_next", candidates=(QC,), ahead=0, coops_ahead=0
    ),
    "waiting-own": explanation(
        "waiting", "no_node_live", OWN_ONLY, rule="own_only", nodes=1, coop="soleil",
        could_node="on-1",
    ),
    "waiting-lend": explanation("waiting", "lend_limit", LENT, coop="soleil", lent=2, limit=2),
    "waiting-lend-energy": explanation("waiting", "lend_energy", LENT_OUT, **LENT_ENERGY),
    "waiting-energy": explanation(
        "waiting", "quota_energy", left=0.5, needed=0.82, ends_at=AT + 2.5 * HOUR
    ),
    "waiting-energy-whole": explanation(
        "waiting", "quota_energy", left=0.5, needed=2.1, ends_at=AT + 2.5 * HOUR, beyond_whole=1
    ),
    "waiting-carbon": explanation(
        "waiting", "quota_carbon", left=0.01, needed=0.25, ends_at=AT + 3 * 24 * HOUR,
        project="recherche",
    ),
    "waiting-alone": explanation("waiting", "must_run_alone", NOT_EMPTY),
    "waiting-batch-share": explanation(
        "waiting", "batch_share_full", BATCH_FULL, objective_ttft_s=None, slots=2, could_node="on-1"
    ),
    "deferred-forecast": explanation(
        "deferred", "greener_later", WAITS, objective_ttft_s=None, signal="forecast",
        issued_at=AT - 2 * HOUR, **GREENER,
    ),
    "deferred-profile": explanation(
        "deferred", "greener_later", WAITS, objective_ttft_s=None, signal="profile", **GREENER
    ),
    "refused-nowhere": explanation(
        "refused", "no_node_serves", ABROAD, UNLOADED, objective_ttft_s=None, waiting_helps=False,
        rule="wrong_jurisdiction", nodes=1, zone="US-NY", jurisdiction="CA", could_node="ny-1",
    ),
    "refused-control": explanation(
        "refused", "no_node_serves", UNVOUCHED, objective_ttft_s=None, waiting_helps=False,
        rule="wrong_control", nodes=1, controlled_by="other", asked_control="canadian",
        could_node="qc-9",
    ),
    "refused-lent": explanation(
        "refused", "no_node_serves", LENT_NOTHING, objective_ttft_s=None, waiting_helps=False,
        rule="lends_nothing", nodes=1, coop="soleil",
    ),
    "refused-cap": explanation(
        "refused", "no_node_serves", replace(OVER_CAP, waiting_helps=False),
        objective_ttft_s=None, waiting_helps=False,
        rule="over_carbon_cap", nodes=1, carbon_g=0.41, max_carbon_ug=100_000,
    ),
    "refused-energy-whole": explanation(
        "refused", "quota_energy", objective_ttft_s=None, waiting_helps=False,
        limit=1, left=1.0, needed=3.89, period="day", never=1,
    ),
    "refused-carbon-whole": explanation(
        "refused", "quota_carbon", objective_ttft_s=None, waiting_helps=False,
        limit=2, left=0.5, needed=2.4, period="month", never=1, project="recherche",
    ),
    "refused-model": explanation(
        "refused", "unknown_model", objective_ttft_s=None, waiting_helps=False,
        model="grand", models="petit, moyen", fitting="petit, moyen",
    ),
    "refused-name": explanation(
        "refused", "unknown_model", objective_ttft_s=None, waiting_helps=False,
        model="gpt-9", models="qwen3-1.7b, qwen3-14b", aliases="petit, moyen, grand, auto",
        fitting="qwen3-14b",
    ),
    "refused-size": explanation(
        "refused", "no_model_fits", objective_ttft_s=None, waiting_helps=False,
        model="grand", models="qwen3-1.7b, qwen3-14b",
    ),
    "refused-load": explanation(
        "refused", "model_failed", LOADABLE, objective_ttft_s=None,
        model="qwen3-14b", failure="load_no_room",
    ),
    "refused-context": explanation(
        "refused", "context_length_exceeded", objective_ttft_s=None, waiting_helps=False,
        input_tokens=9_000, context_tokens=8_192,
    ),
    "refused-deadline": explanation(
        "refused", "deadline_passed", objective_ttft_s=None, waiting_helps=False,
        deadline_at=AT - 120,
    ),
    "refused-queue": explanation("refused", "queue_full", objective_ttft_s=None, limit=10_000),
    "refused-shapes": explanation("refused", "queue_shapes", objective_ttft_s=None, limit=256),
    "refused-unreachable": explanation(
        "refused", "no_node_live", objective_ttft_s=None, model="petit"
    ),
    "refused-coop": explanation(
        "refused", "unknown_coop", objective_ttft_s=None, waiting_helps=False, coop="nouvelle"
    ),
    **{
        f"refused-{name}": explanation(
            "refused", f"quota_{name}", objective_ttft_s=None,
            limit=limit, left=left, needed=needed, period=period,
        )
        for name, limit, left, needed, period in (
            ("tokens", 1_000, 12, 512, "day"),
            ("requests", 50, 0, 1, "minute"),
            ("jobs", 4, 0, 1, "none"),
            ("energy", 500, 0.0, 1e-6, "day"),
            ("carbon", 40, 0.0, 1e-6, "month"),
        )
    },
}  # fmt: skip

# What each decision must tell; a refusal's own sentence holds its numbers.
TOLD = {
    "placed": {
        PartKind.DECISION,
        PartKind.REASON,
        PartKind.NUMBERS,
        PartKind.COUNTERFACTUAL,
        PartKind.FOOTER,
    },
    "waiting": {PartKind.DECISION, PartKind.REASON, PartKind.COUNTERFACTUAL, PartKind.FOOTER},
    "deferred": {PartKind.DECISION, PartKind.REASON, PartKind.COUNTERFACTUAL, PartKind.FOOTER},
    "refused": {PartKind.DECISION, PartKind.REASON, PartKind.COUNTERFACTUAL, PartKind.FOOTER},
}

# What an empty value leaves in a sentence.
_SPACE = "[ \u00a0\u202f]"
GAP = re.compile(rf"{_SPACE}{{2,}}|\({_SPACE}*[,)]|«{_SPACE}*»|“{_SPACE}*”|,{_SPACE}*[,;.)]")
PADDING = re.compile(" +· ")  # of the columns in which machines stand


def missing_parts(facts: Explanation, lang: str) -> list[str]:
    """Returns what the text of an explanation omits, in words for a failing test."""
    parts = explanations.parts(facts, lang)
    text = "\n".join(part.text for part in parts) + explanations.sentence(facts, lang)
    missing = [
        f"{kind} is missing" for kind in TOLD[facts.decision] - {part.kind for part in parts}
    ]
    missing += [f"a value is missing: {part.text}" for part in parts if i18n.HOLE in part.text]
    missing += [
        f"{mark!r} in the text; is a value missing?"
        for mark in re.findall(r"[{}$]|\bnone\b|\w+_\w+| \.", text)
    ]
    missing += [
        f"a gap in {line!r}; is a value empty?"
        for line in map(_plain_line, parts)
        if GAP.search(line)
    ]
    missing += _empty_values(facts)
    if facts.decision == "placed":
        node = explanation_values.predictions(facts)
        who = _text_of(parts, PartKind.DECISION)
        missing += [f"{key} is not named" for key in ("node", "coop") if str(node[key]) not in who]
        numbers = _text_of(parts, PartKind.NUMBERS)
        missing += [
            f"no {unit}" for unit in ("g\u00a0CO2e", "Wh", "\u00a0s") if unit not in numbers
        ]
    return missing


def _plain_line(part: Part) -> str:
    is_row = part.kind in (PartKind.PICKED, PartKind.NODE)
    return PADDING.sub(" · ", part.text.strip()) if is_row else part.text


def _empty_values(facts: Explanation) -> list[str]:
    given = [(facts.reason, facts.values)]
    given += [(excluded.rule, excluded.values) for excluded in facts.excluded]
    return [
        f"the value {name} of {code} is empty"
        for code, values in given
        for name, value in values.items()
        if isinstance(value, str) and not value.strip()
    ]


def _text_of(parts: list[Part], kind: PartKind) -> str:
    return next(part.text for part in parts if part.kind is kind)


def golden(name: str, lang: str) -> str:
    """The text that a person has read and found good."""
    return (GOLDEN / f"{name}.{lang}.txt").read_text("utf-8")


def write(cases: dict[str, Explanation], folder: Path = GOLDEN) -> None:
    """Writes the golden texts anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, facts in cases.items():
        for lang in i18n.LANGUAGES:
            text = explanations.render(facts, lang) + "\n"
            (folder / f"{name}.{lang}.txt").write_text(text, "utf-8")


if __name__ == "__main__":
    write(CASES)
